"""Epoll watches, of which Linux gives each user of the machine a number.

Strategy: twenty forks, each with all its files in one epoll; with an epoll for each file it would
be millions.
Surface: other kernels, if they are the same user: their sockets and event loops fail, and honest
answers with them (seen on an earlier version: four of four got nothing).
"""

from tests.attacks.arena import Attack

HOARD = """
import os, select, time
def hoard():
    watched, kept = select.epoll(), []
    try:
        while True:
            kept.append(os.dup(0))
            end, other = os.pipe()
            kept += [end, other]
            watched.register(end)
    except OSError:
        time.sleep(60)
for _ in range(20):
    if not os.fork():
        hoard()
time.sleep(10)
"""

ATTACK = Attack(
    cells=(HOARD,), answer="right", finding="LIT923", share=1, settings={"cell_seconds": 30}
)
