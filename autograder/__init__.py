"""Builds, verifies and grades the course: for instructors, never shipped to students.

Read in this order:

1. `course`: the folders of a course and its instructor notebooks; `secret`: the seeds of inputs;
   `stubs`: cells without their answers.
2. `cli`: the command `autograder`.
3. `bank`: right and wrong answers; `verifying` checks every question with them, `mutating` changes
   them to find what no judge notices.
4. `building`: compiles `source/` for students, and into bundles for otter; `pages`: into a web
   site.
5. `nbgrader_plugins`: grades one submission, as steps of nbgrader's pipeline.
6. `engine`: warm, isolated kernels, and the processes that judge.
7. `students`: the roster, and who has more time. `grading`: grades many submissions at once, and
   can be stopped and resumed. `term`: the commands around it, from the first hand-in to the marks.
8. `demo`: grades made-up classes; `benchmarks`: measures the times of the documentation.
"""
