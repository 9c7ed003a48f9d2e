"""The kernel's sockets, closed or replaced.

Strategy: close every file descriptor of the process, the sockets of the kernel among them.
Surface: the connection between grader and kernel.
"""

from tests.attacks.arena import Attack

CLOSE = """
import os
os.closerange(0, 4096)
"""

ATTACK = Attack(after=(CLOSE,), share=0.6, settings={"cell_seconds": 3})
