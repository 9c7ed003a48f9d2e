"""Memory in programs of their own, which have nothing from the warm process.

Strategy: eight Python programs of 100 MiB each; a fork's share of the warm process is not counted.
Surface: the machine's memory.
"""

from tests.attacks.arena import Attack

HOGS = """
import subprocess, sys, time
HOG = "kept = bytearray(b'1') * (100 * 2**20); import time; time.sleep(60)"
hogs = [subprocess.Popen([sys.executable, "-S", "-c", HOG]) for _ in range(8)]
time.sleep(20)
"""

ATTACK = Attack(
    cells=(HOGS,), answer="right", finding="LIT921", share=1,
    settings={"limits": {"memory_mib": 256}, "cell_seconds": 30},
)  # fmt: skip
