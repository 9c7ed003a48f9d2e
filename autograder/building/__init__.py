"""`autograder build`: compiles `source/` into `release/`, students' archive and otter bundles.

Read in this order:

1. `build`: the steps of a build, and `--check`.
2. `convert`: makes student notebooks by nbgrader's converter.
3. `student_checks`: the rules for a student notebook.
4. `wheel`: builds `litcourse` for students.
5. `release`: writes the pages beside the notebooks, compares and publishes `release/`.
6. `checksums`: knows which files of `release/` a build wrote.
7. `archive`: packs a release into one file for students.
8. `leak_scan`: searches a release for answers and the secret.
9. `otter_bundle`: makes the bundles with which otter grades.
10. `scaffold`: `autograder new`, the files of a new question, from `templates/`.
"""
