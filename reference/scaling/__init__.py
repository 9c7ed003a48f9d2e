"""What strategies and wrapping policies cost, on 1 to 64 ranks that are not here.

1. `costs`: collectives, and what a rank holds and sends. 2. `peaks`: the peak memory of a step.
3. `tables`: both, as Markdown and a plot in RESULTS.md: `python -m reference.scaling`.
"""
