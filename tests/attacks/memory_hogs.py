"""Several processes take the memory together, each below its own limit.

Strategy: four children of 120 MiB under a limit of 256 MiB for all.
Surface: the machine's memory.
"""

from tests.attacks.arena import Attack

HOGS = """
import os, time
for _ in range(4):
    if not os.fork():
        kept = bytearray(b"1") * (120 * 2**20)
        time.sleep(60)
time.sleep(20)
"""

ATTACK = Attack(
    cells=(HOGS,), answer="right", finding="LIT921", share=1,
    settings={"limits": {"memory_mib": 256}, "cell_seconds": 15},
)  # fmt: skip
