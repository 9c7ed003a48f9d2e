"""One output of hundreds of megabytes.

Strategy: display a text of 200 MiB, again and again: each is one message to the grader.
Surface: memory of the grader, which has to take a message to see how large it is.
"""

from tests.attacks.arena import Attack

GIANT = """
from IPython.display import display
for _ in range(3):
    print("x" * (200 * 2**20), flush=True)
"""

ATTACK = Attack(cells=(GIANT,), answer="right", settings={"cell_seconds": 10})
