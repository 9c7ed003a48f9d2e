"""Reports a run to a person, or as JSON.

1. `progress`: a bar, or a line for each submission, during the run.
2. `table`: the scores of the gradebook, as rows and as CSV.
3. `summary`: the result of the run, as tables or as JSON.
4. `notices`: what a person should check afterwards; `suspicious_imports` finds one of these.
"""
