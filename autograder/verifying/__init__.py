"""`autograder verify`: every question against its bank of right and wrong answers.

1. `verify`: the trials, and the table of what is wrong.
2. `bank_faults`: what is wrong with a bank itself, before anything runs.
3. `source_faults`: what is wrong with a question's findings and criteria, likewise.
4. `warm_runner`: runs answers in forks of one process that has torch and Lightning imported.
5. `solutions`: the instructor's solutions as cells, and as expected values.
"""
