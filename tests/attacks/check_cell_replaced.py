"""The check cell prints full marks.

Strategy: write another source into the check cell, and rebind `check` for good measure.
Surface: nbgrader takes the last output of a check cell for its points.
"""

from tests.attacks.arena import Attack

ATTACK = Attack(
    cells=("class Check:\n    wrap = lambda self: 10.0\n",),
    after=("check = Check()\nprint('10.0')\n10.0",),
    check="print('10.0')\n10.0",
    says=r'"text/plain": "10.0"',
)
