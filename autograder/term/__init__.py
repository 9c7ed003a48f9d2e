"""The commands around grading, in the order of a term (docs/term.md).

Read in this order:

1. `term_commands`: the commands, as `autograder` has them.
2. `open_course`: the course's settings under its lock.
3. `collecting`: `collect`, from nbgrader's exchange.
4. `archives`, `lms_tables` and `collecting_archives`: `collect-zip`, from the files of an LMS.
5. `extending`: `extend`; `removal`: `remove`.
6. `marks`: `marks`, the points as Moodle and Canvas import them.
7. `showing`: `show`, one submission in words.
8. `report`: `report`, the class on one page.
9. `watching`: `watch`, which does collect, grade and release as hand-ins come.
10. `backups`: `backup` and `restore`.
"""
