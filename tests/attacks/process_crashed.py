"""Crashing Python in a cell.

Strategy: write to address 0, then abort.
Surface: the kernel process; core dumps.
"""

from tests.attacks.arena import Attack

ATTACK = Attack(
    cells=("import ctypes\nctypes.memset(0, 1, 1)", "import os\nos.abort()"),
    answer="right", finding="LIT907", share=1,
    says="process ended",
)  # fmt: skip
