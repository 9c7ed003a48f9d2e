"""Memory that takes long to measure, so that it is measured seldom.

Strategy: eighty forks with tens of thousands of maps each; a look at all their pages takes seconds.
Ten seconds later each writes inherited pages back, which nobody sees until the next look.
Surface: the machine's memory; the time of the warm process, which starts everybody's kernels.
"""

from tests.attacks.arena import Attack

HIDE = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
PAGE, MAPS, FORKS, BYTES = 4096, 16_000, 80, 8 * 2**20
start = libc.mmap(None, 2 * MAPS * PAGE, 0, 0x22, -1, 0)
for number in range(MAPS):
    libc.mprotect(start + 2 * number * PAGE, PAGE, 1)
areas = []
for line in open("/proc/self/maps").readlines():
    where, rights, *_ = line.split()
    if rights.startswith("rw") and "[" not in line:
        areas.append(tuple(int(place, 16) for place in where.split("-")))
pages = [page for area in areas for page in range(*area, PAGE)][:BYTES // PAGE]
began = time.monotonic()
for _ in range(FORKS):
    if not os.fork():
        time.sleep(max(0, 10 + began - time.monotonic()))
        for page in pages:
            byte = ctypes.c_char.from_address(page)
            byte.value = byte.value
        time.sleep(60)
time.sleep(25 + began - time.monotonic())
print("held it")
"""

ATTACK = Attack(
    cells=(HIDE,), answer="right", finding="LIT921", share=1,
    settings={"limits": {"memory_mib": 256}, "cell_seconds": 40},
)  # fmt: skip
