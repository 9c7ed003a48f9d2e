"""Files without number.

Strategy: empty files and folders until none can be made: they take no bytes of the limit.
Surface: the machine's memory, by way of inodes.
"""

from tests.attacks.arena import Attack

FILL = """
import os
os.makedirs("/tmp/crumbs")
try:
    for number in range(200_000):
        os.close(os.open(f"/tmp/crumbs/{number}", os.O_CREAT | os.O_WRONLY))
finally:
    print("made", number < 100_000, flush=True)
"""
CLEAR = "import shutil\nshutil.rmtree('/tmp/crumbs')"

ATTACK = Attack(cells=(FILL, CLEAR), answer="right", finding="LIT925", says="made True", share=1)
