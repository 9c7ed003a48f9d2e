"""Very many cells, once the time for all of them is used up.

Strategy: one cell that never ends, then as many cells as are read, each of which is told that its
time is over.
Surface: what the grader does for each cell, whether it runs or not.
"""

from tests.attacks.arena import Attack

ATTACK = Attack(
    cells=("while True:\n    pass", *("1",) * 1800), answer="unsolved", finding="LIT906", share=0,
    settings={"notebook_seconds": 5},
)  # fmt: skip
