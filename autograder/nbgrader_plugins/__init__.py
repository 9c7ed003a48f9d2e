"""Our parts of nbgrader's own pipeline, in the order in which a submission meets them.

`nbgrader_config.py` puts them in place, so that `nbgrader autograde` and the formgrader run the
same steps:

1. `exporter` reads what was sent, whatever it is (`reading`), and notes the digest of its bytes;
   `register` first makes sure that the gradebook knows the assignment. `wrong_notebook` tells one
   that is untouched or of another lab.
2. `repair` (sanitizing) mends cells that were deleted, doubled, retyped or damaged.
   nbgrader then clears outputs, sets the kernel and checks the metadata, and writes the
   notebook to `autograded/`.
3. `execute` runs it in a kernel (`graded_kernel`), skips demonstrations, and where a question's
   check cell stands takes evidence on inputs that `autograder.secret` drew for this notebook with
   these files (`submission_files`). It judges nothing. `failures` tells which cell failed, where
   a check then finds no name.
4. `grade` has the evidence judged outside of the kernel (`judge_client`), keeps it
   (`evidence_store`), replaces the outputs of each check cell by one number and the card, and
   takes out what could run in the browser of whoever reads the notebook (`sanitize`). nbgrader
   then limits outputs and saves the numbers in the gradebook.
5. `penalties` assigns the late penalty, unless a person entered one.

`submission_metadata` is what travels with the notebook between these steps.
"""
