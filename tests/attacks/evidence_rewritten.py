"""A thread that rewrites the evidence all the time.

Strategy: while and after the check, overwrite the evidence with forged evidence, and grow and
shrink it, so that the grader reads something in between.
Surface: the time between writing and reading.
"""

from tests.attacks.arena import Attack

REWRITE = """
import os, threading, time
from litcourse.core.serialization import encode
forged = encode({"bases": ["lightning.LightningModule"], "cases": {}, "score": 1.0})
def rewrite():
    while True:
        with open("/run/evidence", "r+b") as file:
            file.write(forged)
            file.truncate(len(forged) * (1 + time.monotonic_ns() % 3))
        time.sleep(0.0005)
threading.Thread(target=rewrite, daemon=True).start()
time.sleep(0.2)
print("rewriting", os.stat("/run/evidence").st_size)
"""

ATTACK = Attack(cells=(REWRITE,), says=r"rewriting [1-9]")
