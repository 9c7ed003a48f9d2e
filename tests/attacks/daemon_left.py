"""A process that survives.

Strategy: fork twice, leave session and process group, ignore all signals, go on without end; and
ask
not to be killed with the parent.
Surface: the machine, after the grading.
"""

from tests.attacks.arena import Attack

LEAVE = """
import ctypes, os, signal, time
libc = ctypes.CDLL(None)
if not os.fork():
    os.setsid()
    libc.prctl(1, 0, 0, 0, 0)
    for number in range(1, 32):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if os.fork():
        os._exit(0)
    os.execv("/bin/sleep", ["sleep", "86397"])
libc.prctl(1, 0, 0, 0, 0)
def names():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            yield open(f"/proc/{pid}/comm").read().strip()
        except OSError:
            pass  # it has ended meanwhile
end = time.time() + 20
while "sleep" not in names() and time.time() < end:
    time.sleep(0.1)
print("left", [*names()].count("sleep"))
"""

ATTACK = Attack(cells=(LEAVE,), answer="right", says="left 1", share=1)
