"""Memory that only the operating system's own tables take.

Strategy: read one byte in every two megabytes of a huge empty mapping: no page is its own,
but each needs a table of 4 KiB that says so.
Surface: the machine's memory.
"""

from tests.attacks.arena import Attack

TABLES = """
import ctypes, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
PART, COUNT = 2**21, 150_000
start = libc.mmap(None, PART * COUNT, 1, 0x4022, -1, 0)  # private, anonymous, nothing reserved
libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(PART * COUNT), 15)  # no huge pages
for number in range(COUNT):
    ctypes.c_char.from_address(start + number * PART).value
time.sleep(20)
"""

ATTACK = Attack(
    cells=(TABLES,), answer="right", finding="LIT921", share=1,
    settings={"limits": {"memory_mib": 256}, "cell_seconds": 30},
)  # fmt: skip
