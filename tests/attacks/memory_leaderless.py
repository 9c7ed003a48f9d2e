"""Memory of processes whose first thread has ended: /proc tells nothing of it under their number.

Strategy: programs that take memory in a second thread, and end the first by a system call.
Surface: the machine's memory.
"""

from tests.attacks.arena import Attack

HOGS = '''
import subprocess, sys, time
HOG = """
import ctypes, os, threading, time
def hold():
    kept = bytearray(b"1") * (120 * 2**20)
    time.sleep(60)
threading.Thread(target=hold).start()
time.sleep(0.5)
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
"""
hogs = [subprocess.Popen([sys.executable, "-S", "-c", HOG]) for _ in range(6)]
time.sleep(20)
'''

ATTACK = Attack(
    cells=(HOGS,), answer="right", finding="LIT921", share=1,
    settings={"limits": {"memory_mib": 256}, "cell_seconds": 30},
)  # fmt: skip
