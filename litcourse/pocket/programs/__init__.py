"""What `python` does in the pocket.

`training` is the stand-in for the course's `train.py`; `lightning_rules` says what Lightning makes
of a process under Slurm.
"""
