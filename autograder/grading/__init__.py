"""`autograder grade` and `autograder rejudge`: many submissions at once, safe to stop and resume.

Read in this order:

1. `settings` loads nbgrader's settings of the course and divides its steps.
2. `records` stores one record per submission. A result is complete on disk before the gradebook
   gets it, so the run after a kill continues.
3. `plan` decides which submissions to grade and which results only to write.
4. `submission_grader` grades one submission, in a worker of `worker_pool`.
5. `writer` alone writes the gradebook (by `gradebook`), `autograded/` and `feedback/` (by
   `feedback`; `replaced_folder` swaps folders, `shared_folder` opens
   them to a group).
6. `session` does the tasks of a plan under a lock; `run` is the two commands, and `shard` grades
   one part of a class, on one machine of several.
7. `reporting` prints progress, tables and notices.
8. `tries` keeps each hand-in of a student, grades it once and decides which counts.
9. `signals` makes a signal raise an exception: SIGTERM that of Ctrl-C, a timer its own.

From `nbgrader_plugins` come `register`, which enters the lab into the gradebook, and
`submission_files`, which says which files of a submission count.
"""
