"""A fork bomb.

Strategy: every process forks for ever, so that each that is killed is replaced.
Surface: the machine's process table.
"""

from tests.attacks.arena import Attack

BOMB = """
import os, time
count = 0
try:
    while True:
        if not os.fork():
            while True:
                try:
                    os.fork()
                except OSError:
                    time.sleep(0.05)
        count += 1
finally:
    print("forked", 0 < count < 1000, flush=True)
"""

ATTACK = Attack(cells=(BOMB,), finding="LIT922", says="forked True", settings={"cell_seconds": 60})
