"""Signals to whoever grades.

Strategy: kill everything (`kill -1`), the parent, the process group, the pids of grader, engine
and pytest; stop and interrupt them.
Surface: the pid namespace.
"""

from tests.attacks.arena import Attack

KILL = """
import os, signal
for name in ("grader", "grader_parent", "server"):
    pid = TARGETS[name]
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, 0):
        try_to(f"{name} {number}", lambda: (pid > 1 or 1 / 0) and os.kill(pid, number))
    try_to(f"group of {name}", lambda: (pid > 1 or 1 / 0) and os.killpg(pid, signal.SIGKILL))
    try_to(f"pidfd of {name}", lambda: (pid > 1 or 1 / 0) and os.pidfd_open(pid))
print("parent", os.getppid())
for number in (signal.SIGKILL, signal.SIGSTOP):
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        print("nobody else")
"""

ATTACK = Attack(cells=(KILL,), answer="right", held=18, says="parent 0\nnobody else", share=1)
