"""Open files without number.

Strategy: open /dev/null until no more can be had, and keep them.
Surface: the machine's table of open files.
"""

from tests.attacks.arena import Attack

OPEN = """
kept = []
try:
    while True:
        kept.append(open("/dev/null"))
finally:
    count = len(kept)
    kept.clear()  # to show an output takes a file too
    print("opened", 0 < count < 1000, flush=True)
"""

ATTACK = Attack(cells=(OPEN,), answer="right", finding="LIT923", says="opened True", share=1)
