"""`autograder demo`: grades a made-up class for each lab, like a real one.

1. `course_demo`: builds the labs, submits, grades, prints the scores.
2. `demo_class`: the members of a class and their submissions.
3. `made_up_students`: fills notebooks and reads the gradebook, also for tests and benchmarks.
"""
