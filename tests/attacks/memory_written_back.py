"""Memory of the warm process, taken over.

Strategy: forks write every inherited page back, so that each has a copy of its own of what is
left out of their memory since it was shared.
Surface: the machine's memory.
"""

from tests.attacks.arena import Attack

WRITE_BACK = """
import ctypes, os, time
def write_back():
    for line in open("/proc/self/maps").readlines():
        where, rights, *_ = line.split()
        if not rights.startswith("rw") or "[" in line:
            continue
        start, end = (int(place, 16) for place in where.split("-"))
        for page in range(start, end, 4096):
            byte = ctypes.c_char.from_address(page)
            byte.value = byte.value
    time.sleep(60)
for _ in range(4):
    if not os.fork():
        write_back()
time.sleep(20)
"""

ATTACK = Attack(
    cells=(WRITE_BACK,), answer="right", finding="LIT921", share=1,
    settings={"limits": {"memory_mib": 512}, "cell_seconds": 40},
)  # fmt: skip
