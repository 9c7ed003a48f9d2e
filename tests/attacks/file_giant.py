"""One giant file, and one that is mostly a hole.

Strategy: write beyond the limit of a file; `truncate` to a tebibyte; the same for the evidence.
Surface: the machine's disk.
"""

from tests.attacks.arena import Attack

GROW = """
import os
try_to("hole", lambda: os.truncate(os.open("/tmp/hole", os.O_CREAT | os.O_RDWR), 2**40))
try_to("evidence", lambda: os.truncate("/run/evidence", 2**40))
with open("/tmp/giant", "wb") as file:
    for _ in range(64):
        file.write(bytes(2**20))
"""
CLEAR = "os.unlink('/tmp/giant')"

ATTACK = Attack(
    cells=(GROW, CLEAR), answer="right", held=2, finding="LIT924", share=1,
    settings={"limits": {"file_mib": 16}},
)  # fmt: skip
