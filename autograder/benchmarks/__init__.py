"""`autograder bench`: the times that the documentation states.

1. `checks`: a check in a notebook, a graded question.
2. `grading_roads`: a class with ours, with stock nbgrader and with otter.
"""
