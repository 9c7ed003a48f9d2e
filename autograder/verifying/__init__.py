"""`autograder verify`: every question against its bank of right and wrong answers.

1. `verify`: the trials, and the table of what is wrong.
2. `warm_runner`: runs answers in forks of one process that has torch and Lightning imported.
3. `solutions`: the instructor's solutions as cells, and as expected values.
"""
