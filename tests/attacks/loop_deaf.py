"""A check that never ends and does not let itself be interrupted.

Strategy: `training_step` spins, and catches whatever is raised in it; SIGINT is ignored besides.
Surface: the grader's time.
"""

from tests.attacks.arena import Attack

DEAF = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
def training_step(self, batch, batch_idx):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
LitClassifier.training_step = training_step
"""

ATTACK = Attack(after=(DEAF,), finding="LIT906", share=0, settings={"cell_seconds": 2})
