"""Contexts of asynchronous input and output.

Strategy: ask for one; Linux counts their events for the whole machine, and one process could have
all of them.
Surface: other programs of the machine that need some, such as databases.
"""

from tests.attacks.arena import Attack

TAKE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 206, "aarch64": 0}[os.uname().machine]
def take():
    context = ctypes.c_ulong()
    if libc.syscall(number, ctypes.c_uint(1), ctypes.byref(context)):
        raise OSError(ctypes.get_errno(), "io_setup")
    return open("/proc/sys/fs/aio-nr").read()
try_to("io_setup", take)
"""

ATTACK = Attack(cells=(TAKE,), answer="right", held=1, share=1)
