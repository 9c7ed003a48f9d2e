"""Memory that belongs to no process: anonymous files and System V segments.

Strategy: write to files of `memfd_create` and to detached System V segments; no process's size
shows them. Maps shared memory too.
Surface: the machine's memory, by ways that limits of a process do not count.
"""

from tests.attacks.arena import Attack

HIDE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def anonymous():
    size = 0
    for _ in range(8):
        size += os.write(os.memfd_create("x"), bytes(2**26))
    return size
def segment():
    number = libc.shmget(0, ctypes.c_size_t(2**28), 0o1600)
    if number < 0:
        raise OSError(ctypes.get_errno(), "shmget")
    return number
try_to("memfd", anonymous)
try_to("System V", segment)
"""

ATTACK = Attack(
    cells=(HIDE,), answer="right", held=2, share=1, settings={"limits": {"memory_mib": 128}}
)
