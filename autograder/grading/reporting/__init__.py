"""What a person is told of a run.

1. `progress`: a bar while it lasts.
2. `table`: what the gradebook says, as rows and as CSV.
3. `summary`: what the run came to, for a person and as JSON.
4. `notices`: what somebody should look at; `suspicious_imports` is one of it.
"""
