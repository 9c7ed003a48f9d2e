"""More processor time than is allowed, in several processes.

Strategy: three children spin, below every limit of one process.
Surface: the machine's processors.
"""

from tests.attacks.arena import Attack

BURN = """
import os, time
for _ in range(3):
    if not os.fork():
        while True:
            pass
time.sleep(60)
"""

ATTACK = Attack(
    cells=(BURN,), answer="right", finding="LIT920", share=1,
    settings={"limits": {"cpu_seconds": 6}},
)  # fmt: skip
