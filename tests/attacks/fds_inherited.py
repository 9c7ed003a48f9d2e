"""Looking for files that a fork has open from its parent.

Strategy: list /proc/self/fd; try every number to 1024 for what can be read, and for sockets whose
other end is the engine or the grader.
Surface: file descriptors that the warm process forgot to close.
"""

from tests.attacks.arena import Attack

LOOK = """
import os, stat
strangers = []
for number in range(1024):
    try:
        status, name = os.fstat(number), os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        continue
    plain = name.startswith(("/dev/null", "/dev/urandom", "anon_inode:", "pipe:", "socket:"))
    if not plain and not name.startswith("/home/student/"):
        strangers.append(name)
print("strangers", strangers)
"""
ASK = """
import socket
def peer(number):
    with socket.socket(fileno=os.dup(number)) as found:
        return found.getpeername() if found.family == socket.AF_UNIX else ""
for number in range(1024):
    try:
        name = peer(number)
    except OSError:
        continue
    if b"warm" in os.fsencode(name) or "warm" in str(name):
        print("REACHED: the engine's socket", name)
print("asked")
"""

ATTACK = Attack(cells=(LOOK, ASK), says=r"strangers \[\]\n")
