"""`autograder grade` and `autograder rejudge`: many submissions at once, and nothing lost.

Read in this order:

1. `settings` loads nbgrader's own settings of the course. Of `nbgrader_plugins`, `register`
   enters the lab into the gradebook, and `submission_files` says what of what was sent counts.
2. `plan` says which submissions to run and which results only to write; `shard` takes one part
   of a class, on a machine among several.
3. `records` keeps one record per submission. A result is complete on disk before the gradebook
   learns of it, so a run that was killed goes on where it stood.
4. `submission_grader` is what a worker does with one submission, `worker_pool` keeps the workers
   alive.
5. `writer` is the only one to write the gradebook (`gradebook`), `autograded/` and, by
   `feedback`, `feedback/`.
6. `session` is a run of these, from a lock to the last result; `run` is the two commands.
7. `reporting` tells a person.
8. `signals` lets a signal raise an exception: SIGTERM that of Ctrl-C, a timer one of its own.
"""
