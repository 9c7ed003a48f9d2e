"""Our parts of nbgrader's own pipeline, in the order in which a submission meets them.

`nbgrader_config.py` puts them in place, so that `nbgrader autograde` and the formgrader run the
same steps:

1. `exporter` reads what was sent, whatever it is, and notes the digest of its bytes;
   `register` first makes sure that the gradebook knows the assignment.
2. `repair` (sanitizing) mends cells that were deleted, doubled, retyped or damaged.
   nbgrader then clears outputs, sets the kernel and checks the metadata, and writes the
   notebook to `autograded/`.
3. `run` executes it in a kernel (`kernel`), skips demonstrations, and where a question's
   check cell stands takes evidence on inputs that `autograder.secret` drew for this notebook with
   these files (`submission_files`). It judges nothing.
4. `grade` judges the evidence here, outside of the kernel, keeps it (`evidence_store`), and
   replaces the outputs of each check cell by one number and the card. nbgrader then limits
   outputs and saves the numbers in the gradebook.
5. `penalties` assigns the late penalty, unless a person entered one.

`notes` is what travels with the notebook between these steps.
"""
