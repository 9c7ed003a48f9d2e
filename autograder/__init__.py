"""Build, verify and grade the course: for instructors, never shipped to students.

Read in this order:

1. `course`: where things lie, and what the instructor notebooks hold; `secret`: what inputs are
   drawn from.
2. `cli`: the command `autograder`.
3. `building`: from `source/` to what students get, and to bundles for otter.
4. `bank`: right and wrong answers; `verifying` holds every question against them.
5. `grading`: many submissions at once, and nothing lost.
6. `nbgrader_plugins`: what happens to one submission, as parts of nbgrader's pipeline.
7. `engine`: warm, isolated kernels, and the processes that judge.
8. `demo`: made-up classes; `benchmarks`: the times that the documentation states.
"""
