"""Threads without end.

Strategy: start threads that sleep, until no more can be had.
Surface: the machine's process table.
"""

from tests.attacks.arena import Attack

BOMB = """
import threading, time
count = 0
try:
    while True:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        count += 1
finally:
    print("started", 0 < count < 1000, flush=True)
"""

ATTACK = Attack(cells=(BOMB,), finding="LIT922", says="started True", settings={"cell_seconds": 10})
