"""Measurements of a kernel: how late they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

MEASURE = """
import ctypes, mmap, os, signal, time
from autograder.engine.watch import Watch, own_memory

PAGE, MIB, FORKS, MAPS, EACH, ALLOWED = 4096, 2**20, 45, 15_000, 8, 100
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
shared = mmap.mmap(-1, 200 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
shared.madvise(mmap.MADV_NOHUGEPAGE)

def write(size):
    for place in range(0, size, PAGE):
        shared[place] = 1

def hide():
    os.setsid()
    start = libc.mmap(None, 2 * MAPS * PAGE, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    for number in range(MAPS):
        libc.mprotect(start + 2 * number * PAGE, PAGE, mmap.PROT_READ)
    signal.signal(signal.SIGUSR1, lambda *_: write(EACH * MIB))
    for _ in range(FORKS):
        if not os.fork():
            while True:
                signal.pause()
    while True:
        signal.pause()

write(200 * MIB)
watch = Watch(0, own_memory())
watch.pid = os.fork()
if not watch.pid:
    hide()
try:
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert watch.usage(ALLOWED * MIB).memory <= ALLOWED * MIB
        time.sleep(0.2)
    os.killpg(watch.pid, signal.SIGUSR1)
    began = time.monotonic()
    while watch.usage(ALLOWED * MIB).memory <= ALLOWED * MIB:
        time.sleep(0.2)
    print(time.monotonic() - began)
finally:
    os.killpg(watch.pid, signal.SIGKILL)
"""


def test_memory_that_is_slow_to_measure_is_seen_soon() -> None:
    """A look at 45 forks with many maps takes long, and was repeated after 20 times as long."""
    command = [sys.executable, "-c", MEASURE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 6
