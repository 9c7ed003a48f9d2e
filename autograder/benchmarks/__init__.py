"""`autograder bench`: measures the times that the documentation states.

1. `checks`: a check in a notebook, and a graded lab.
2. `grader_comparison`: a class with `autograder`, with stock nbgrader and with otter.
"""
