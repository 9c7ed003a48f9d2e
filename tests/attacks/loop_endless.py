"""A loop that never ends.

Strategy: spin in a cell, and wait in another one.
Surface: the grader's time.
"""

from tests.attacks.arena import Attack

ATTACK = Attack(
    cells=("while True:\n    pass", "import time\ntime.sleep(3600)"), answer="right",
    settings={"cell_seconds": 2}, says="no answer within 2 s", share=1,
)  # fmt: skip
