"""No processor left for who measures.

Strategy: forty processes spin, each in a session of its own, so that Linux gives each as much time
as all of the warm process; two others take more memory than is allowed.
Surface: the machine's memory, between two looks of the warm process.
"""

import os

from tests.attacks.arena import Attack

STARVE = """
import os, time
for _ in range(40):
    if not os.fork():
        os.setsid()
        while True:
            pass
time.sleep(1)
for _ in range(2):
    if not os.fork():
        kept = bytearray(b"1") * (200 * 2**20)
        time.sleep(60)
time.sleep(60)
"""


def _missing() -> str:
    ordinary = "an ordinary user's warm process can't go first; to enable: run it as root"
    return ordinary if os.geteuid() else ""


ATTACK = Attack(
    cells=(STARVE,), answer="right", finding="LIT921", share=1, missing=_missing,
    settings={"limits": {"memory_mib": 256, "cpu_seconds": 40}},
)  # fmt: skip
