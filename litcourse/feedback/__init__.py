"""Shows verdicts and findings to students.

1. `catalogue` reads `findings/*.toml`: title, reason and remedy of every finding.
2. `rendering` shows a verdict: as a card (`card.html.jinja`), as text, in nbgrader's Validate.
3. `stopped` shows a check that ended before there was a verdict, `overview` all questions of a lab,
   `readiness` what is missing in what a student hands in.
4. `guidance` reads `help/*.toml`, hints and what to think on, by question; `hints` shows them.
5. `chart` draws curves for cards, and stacks what `bars` and `outline` draw: bars, and the
   tree of a network. `lanes` draws where ranks wait for each other.
"""
