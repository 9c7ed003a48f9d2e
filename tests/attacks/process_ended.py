"""Ending Python where the check stands.

Strategy: `os._exit(0)` in `training_step`, as if all had gone well.
Surface: a grader that takes a dead kernel, or none, for success.
"""

from tests.attacks.arena import Attack

END = """
import os
def training_step(self, batch, batch_idx):
    os._exit(0)
LitClassifier.training_step = training_step
"""

ATTACK = Attack(after=(END,), finding="LIT907", share=0)
