"""`autograder build`: from `source/` to `release/` and an archive for students, bundles for otter.

Read in this order:

1. `build`: the steps, and `--check`.
2. `convert`: nbgrader's converter makes student notebooks.
3. `student_checks`: what a student notebook must be.
4. `wheel`: `litcourse` as students install it.
5. `release`: the pages beside the notebooks, and the move into `release/`.
6. `checksums`: which files of `release/` are a build's own.
7. `archive`: all of it as one file, which students get.
8. `leak_scan`: nothing of the answers is published.
9. `otter_bundle`: what otter grades with.
10. `scaffold`: the files of a new question, from `templates/`.
"""
