"""Processor time of children whose end nobody asks for.

Strategy: ignore SIGCHLD, so that the time of ended children is added to nobody's.
Surface: the machine's processors.
"""

from tests.attacks.arena import Attack

BURN = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
end = time.time() + 200
while time.time() < end:
    if not os.fork():
        while time.process_time() < 1:
            pass
        os._exit(0)
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        pass
"""

ATTACK = Attack(
    cells=(BURN,), answer="right", finding="LIT920", share=1,
    settings={"limits": {"cpu_seconds": 6}, "cell_seconds": 300},
)  # fmt: skip
