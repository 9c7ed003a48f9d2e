"""`autograder bench`: measures the times that the documentation states.

1. `checks`: a check in a notebook, and a graded lab.
2. `grading_roads`: a class with `autograder`, with stock nbgrader and with otter.
"""
