"""`autograder verify`: checks every question with its bank of right and wrong answers.

1. `verify`: runs the trials and finds the faults of the verdicts; `trials` makes them.
2. `bank_faults`: finds faults of a bank before anything runs.
3. `source_faults`: finds faults of a question's findings and criteria before anything runs.
4. `warm_runner`: runs answers in forks of one process that has imported torch and Lightning.
5. `kept_trials`: keeps the results; `dependencies` finds what decides on them.
6. `verify_summary`: counts and prints them.
7. `solutions`: gives the instructor's solutions as cells, and as expected values.
"""
