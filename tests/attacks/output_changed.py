"""Outputs that grow after they were shown.

Strategy: show one letter under a name, then change it into 60 MB, several times.
Surface: the disk on which results are kept, and the memory of the grader.
"""

from tests.attacks.arena import Attack

CHANGE = """
from IPython.display import display
for number in range(4):
    shown = display({"text/plain": "x"}, raw=True, display_id=f"d{number}")
    shown.update({"text/plain": "y" * 60_000_000}, raw=True)
print("shown", "x" * 3)
"""

ATTACK = Attack(cells=(CHANGE,), answer="right", share=1, says="shown xxx")
