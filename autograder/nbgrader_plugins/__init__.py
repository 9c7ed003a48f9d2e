"""Our steps in nbgrader's pipeline, in the order in which a submission passes through them.

`nbgrader_config.py` puts them in place, so that `nbgrader autograde` and the formgrader run the
same steps:

1. `exporter` finds and reads the lab's notebook (`submissions`), and keeps the digest of its bytes.
   Before the first one, `register` enters the assignment into the gradebook.
2. `repair` (sanitizing) mends cells that were deleted, doubled, retyped or damaged. nbgrader then
   clears outputs, sets the kernel and writes the notebook to `autograded/`.
3. `execute` runs the notebook in a kernel (`graded_kernel`) and skips demonstrations. At each check
   cell it takes evidence, on inputs that follow from `autograder.secret`, this notebook and its
   files. It judges nothing. `failures` says which cell failed if a check
   misses a name for that. Before the first submission the instructor's solution runs (`canary`).
4. `grade` asks a judge outside of the kernel (`judge_client`), stores the evidence
   (`evidence_store`), replaces the outputs of each check cell by its points and the card, and
   removes what could run in a reader's browser (`sanitize`). nbgrader then limits outputs and
   saves the points in the gradebook.
5. `penalties` assigns the late penalty, unless a person entered one.

`collect` copies from the exchange for nbgrader's own command and the formgrader's button.
`submission_metadata` travels with the notebook between these steps.
"""
