"""`autograder report`: how a class fares, on one page that needs nothing else.

Read in this order:

1. `class_facts`: what the page tells, as plain data.
2. `gather`: reads a lab's facts from gradebook, records and tries.
3. `question_facts`: points, criteria and seconds of each question.
4. `misconceptions`: the findings, with who has them.
5. `stuck`: who needs help, and why.
6. `similarity`: answers that are the same or nearly so.
7. `figures`: pictures, as SVG.
8. `class_report`: the command; `templates/` has the page.
"""
