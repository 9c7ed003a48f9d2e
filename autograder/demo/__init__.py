"""`autograder demo`: a class for each lab, graded as a real one would be.

1. `course_demo`: builds, hands in, grades, prints.
2. `demo_class`: who is in a class, and what each member hands in.
3. `made_up_students`: fills notebooks and reads the gradebook; tests and benchmarks use it too.
"""
