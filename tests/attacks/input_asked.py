"""Asking the grader to type something.

Strategy: `input()`, `getpass` and a debugger in a cell and while the probe runs.
Surface: a grader that waits for a person.
"""

from tests.attacks.arena import Attack

ASK = """
import builtins
get_ipython().kernel._allow_stdin = True
def training_step(self, batch, batch_idx):
    get_ipython().kernel._allow_stdin = True
    builtins.input("points? ")
LitClassifier.training_step = training_step
"""

ATTACK = Attack(
    cells=("input()", "import getpass\ngetpass.getpass()", "breakpoint()"), after=(ASK,),
    share=0, settings={"cell_seconds": 3},
)  # fmt: skip
