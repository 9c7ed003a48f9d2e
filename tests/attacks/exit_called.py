"""Leaving politely: `sys.exit`, `exit` and `SystemExit` in cells and while the probe runs.

Strategy: raise SystemExit(0) in `training_step`, and exit in cells by every name there is.
Surface: a grader that takes the exit of a cell for its end.
"""

from tests.attacks.arena import Attack

LEAVE = """
import sys
def training_step(self, batch, batch_idx):
    sys.exit(0)
LitClassifier.training_step = training_step
"""

ATTACK = Attack(
    cells=("exit()", "quit()", "import sys\nsys.exit(0)", "raise SystemExit"),
    after=(LEAVE, "get_ipython().ask_exit()"),
    share=0.1,  # for what it solved: a forward that is right
)
