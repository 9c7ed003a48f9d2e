"""`autograder grade` and `autograder rejudge`: many submissions at once, and nothing lost.

Read in this order:

1. `settings` loads nbgrader's own settings of the course, `register` of `nbgrader_road` enters
   the lab into the gradebook.
2. `submissions` finds what was sent and says what of it counts: plain files, never a link.
3. `records` keeps one record per submission. A result is complete on disk before the gradebook
   learns of it, so a run that was killed goes on where it stood.
4. `submission_grader` is what a worker does with one submission, `worker_pool` keeps the workers
   alive.
5. `writer` is the only one to write the gradebook, `autograded/` and, by `feedback`, `feedback/`.
6. `run` puts it together; `progress`, `summary` and `table` tell a person.
7. `signals` lets a signal raise an exception: SIGTERM that of Ctrl-C, a timer one of its own.
"""
