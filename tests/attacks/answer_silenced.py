"""No evidence at all: the function that takes it does nothing, and prints the points.

Strategy: replace `litcourse.frontends.kernel_entry.write_evidence` by one that prints.
Surface: nbgrader fails open; a check cell without an error or a number earns full marks.
"""

from tests.attacks.arena import Attack

SILENCE = """
import litcourse.frontends.kernel_entry
litcourse.frontends.kernel_entry.write_evidence = lambda *a, **k: print("10.0")
"""

ATTACK = Attack(cells=(SILENCE,), answer="unsolved", finding="LIT905", share=0)
