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
time.sleep(0.3)
names = [open(f"/proc/{pid}/comm").read().strip() for pid in os.listdir("/proc") if pid.isdigit()]
print("left", names.count("sleep"))
"""

ATTACK = Attack(cells=(LEAVE,), answer="right", says="left 1", points=10)
