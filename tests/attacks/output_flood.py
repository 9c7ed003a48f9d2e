"""Output without end.

Strategy: print, write to stderr and display much more than anybody would read.
Surface: memory and disk of the grader, which keeps outputs.
"""

from tests.attacks.arena import Attack

FLOOD = """
import sys
from IPython.display import display
for number in range(300):
    print("x" * 10_000)
    print("y" * 10_000, file=sys.stderr)
    display("z" * 10_000)
"""
ENDLESS = "while True:\n    print('y' * 1000)"

ATTACK = Attack(
    cells=(FLOOD, ENDLESS), answer="right", finding="LIT926", share=1,
    settings={"cell_seconds": 3},
)  # fmt: skip
