"""Processor time of processes that nobody ever sees.

Strategy: a program without the weight of torch starts thousands of processes, each of which works
for some milliseconds and is gone before anybody looks.
Surface: the machine's processors.
"""

from autograder.engine import cgroups
from tests.attacks.arena import Attack


def _missing() -> str:
    group = cgroups.make_group()
    if group is None:
        return "needs a control group; to enable: run it as root"
    cgroups.remove(group)
    return ""


BURN = """
import subprocess, sys
PROGRAM = '''
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(4000):
    if not os.fork():
        end = time.process_time() + 0.004
        while time.process_time() < end:
            pass
        os._exit(0)
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        pass
'''
subprocess.run([sys.executable, "-S", "-c", PROGRAM])
"""

ATTACK = Attack(
    cells=(BURN,), answer="right", finding="LIT920", share=1, missing=_missing,
    settings={"limits": {"cpu_seconds": 6}, "cell_seconds": 120},
)  # fmt: skip
