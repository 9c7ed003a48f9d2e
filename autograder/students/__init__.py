"""Who the students are, and how much time each has; knows nothing of points.

Read in this order:

1. `roster`: nbgrader's own students, and who is not one of them.
2. `extensions`: more time for a student, in `extensions.csv`.
"""
