"""Finds the lab's notebook in a submission that has it under another name or in another place.

1. `locate` reads the notebooks of a submission, and decides which one is the lab's.
2. `zip_files` unpacks the zip files of a submission for it; they may be hostile.
"""
