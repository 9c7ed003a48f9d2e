"""Reading and writing the memory of the processes that grade.

Strategy: ptrace, process_vm_readv and pidfd_getfd on the pids of grader and engine, and on every
pid
to 4096.
Surface: debugging system calls.
"""

from tests.attacks.arena import Attack

TRACE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
buffer = ctypes.create_string_buffer(64)
class Span(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
here, there = Span(ctypes.addressof(buffer), 64), Span(0x400000, 64)
def traced(pid):
    if pid == os.getpid() or libc.ptrace(16, pid, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return pid
def copied(pid):
    if pid == os.getpid():
        raise OSError(0, "self")
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
    return buffer.raw
for name in ("grader", "grader_parent", "server"):
    try_to(f"trace {name}", lambda: traced(TARGETS[name]))
    try_to(f"copy {name}", lambda: copied(TARGETS[name]))
reached = 0
for pid in range(2, 4096):
    for way in (traced, copied):
        try:
            way(pid)
            reached += pid not in own
        except (OSError, NameError):
            pass
print("others reached", reached)
"""
OWN = "import os\nown = {int(n) for n in os.listdir('/proc/self/task')}"

ATTACK = Attack(cells=(OWN, TRACE), held=6, says="others reached 0")
