"""Finds and reads what was handed in, whatever it is.

1. `submission_files` says which files of a submission count, and copies them.
2. `locate` decides which notebook is the lab's, also under another name or in another place.
   `zip_files` unpacks the zip files of a submission for it; they may be hostile.
3. `reading` reads the notebook, or says why it can't be read.
4. `private_copy` copies a hand-in out of the exchange, where its student can still change it.
5. `wrong_notebook` recognizes a notebook that is untouched or of another lab.
"""
