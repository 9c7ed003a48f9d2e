"""What Linux counts for a user of the machine, and one kernel takes all of, no other kernel misses.

These are two kernels at a time, in place of a whole submission after the other: while one holds
what it took, the other does what an honest answer does. They take it from a user of their own.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.engine import client
from autograder.nbgrader_plugins.graded_kernel import Kernel
from tests.autograder.engine.test_engine import ordinary, text

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_engine")]

ROOT_ALONE = "needs a user for each kernel; to enable: run it as root"
IN_FLIGHT = """
import os, socket
kept, sent = [], 0
def take():
    global sent
    try:
        while True:
            ours, theirs = socket.socketpair()
            kept.append((ours, theirs))
            for _ in range(3):
                socket.send_fds(ours, [b"-"], [0] * 250)
                sent += 250
    except OSError as error:
        print("took", sent, type(error).__name__)
take()
"""
SEND = """
import socket
ours, theirs = socket.socketpair()
socket.send_fds(ours, [b"-"], [0])
print("sent", len(socket.recv_fds(theirs, 1, 1)[1]))
"""
INOTIFY = """
import ctypes
count = 0
while ctypes.CDLL(None).inotify_init1(0) >= 0:
    count += 1
print("took", count)
"""
WATCH = """
import ctypes
print("watches", ctypes.CDLL(None).inotify_init1(0) >= 0)
"""
TAKEN = {"descriptors in flight": (IN_FLIGHT, SEND, "sent 1"),
         "inotify instances": (INOTIFY, WATCH, "watches True")}  # fmt: skip


def start(folder: Path) -> Kernel:
    return Kernel(folder, 120, sandbox=True, limits={})


@pytest.mark.skipif(os.geteuid() != 0, reason=ROOT_ALONE)
@pytest.mark.parametrize("what", TAKEN)
def test_no_kernel_misses_what_another_took(tmp_path: Path, what: str) -> None:
    take, use, works = TAKEN[what]
    greedy, honest = start(tmp_path), start(tmp_path)
    try:
        assert text(greedy, take).startswith("took")
        assert text(honest, use).strip() == works
    finally:
        greedy.stop()
        honest.stop()


def _in_turn(folder: Path) -> str:
    """What kernels tell at their end: two of one user, where one takes all; and that one alone."""
    greedy, honest = start(folder), start(folder)
    text(greedy, IN_FLIGHT)
    refused = honest.run(SEND, 60).error
    text(honest, "import time\ntime.sleep(1)")  # the warm process looks at it
    for kernel in (honest, greedy):
        kernel.stop()
    alone = start(folder)
    text(alone, IN_FLIGHT + "import time\ntime.sleep(1)")
    alone.stop()
    return f"{refused}; {honest.disturbed}; {greedy.disturbed}; {alone.disturbed}"


def as_ordinary(what: Callable[[], str]) -> str:
    """What a function returns in a process of an ordinary user."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            ordinary()
            client._shared = None  # root's
            # An empty context, so that Jupyter's clients make a loop of their own.
            os.write(write, contextvars.Context().run(what).encode())
        except BaseException as error:  # noqa: BLE001 (the test shows it)
            os.write(write, repr(error).encode())
        finally:
            client.stop()
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        told = said.read()
    os.waitpid(pid, 0)
    return told


def test_where_an_ordinary_user_grades_it_costs_nobody_a_point(tmp_path: Path) -> None:
    """Both run again, alone; and who is alone pays for what it took."""
    what = "descriptors in flight of the grader's user"
    told = as_ordinary(lambda: _in_turn(tmp_path))
    assert told == f"OSError: [Errno 109] Too many references: cannot splice; {what}; {what}; "


LINKS = """
import os, stat
OWN = [os.stat(place).st_dev for place in ("/home/student", "/tmp", "/dev/shm", "/dev/pts")]
def acts(path):
    now = os.stat(path)
    yield "mode", lambda: os.chmod(path, now.st_mode & 0o7777)
    yield "owner", lambda: os.chown(path, now.st_uid, now.st_gid)
    yield "times", lambda: os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns))
    yield "attribute", lambda: os.removexattr(path, "user.none")
    yield "content", lambda: os.close(os.open(path, os.O_WRONLY))
    yield "length", lambda: os.truncate(path, now.st_size)
looked = set()
for pid in ("self", "1"):
    places = [f"/proc/{pid}/exe", f"/proc/{pid}/root", os.path.join(f"/proc/{pid}/root", "usr")]
    for folder in ("fd", "map_files"):
        places += [f"/proc/{pid}/{folder}/{name}" for name in os.listdir(f"/proc/{pid}/{folder}")]
    for place in places:
        try:
            known = os.stat(place)
        except OSError:
            continue
        plain = stat.S_ISREG(known.st_mode) or stat.S_ISDIR(known.st_mode)
        if known.st_dev in OWN or not plain:
            continue
        looked.add(place.split("/")[3])
        for name, act in acts(place):
            try:
                act()
            except OSError as error:
                if error.errno == 61:  # no such attribute: it could be taken away
                    print("REACHED", name, place)
            else:
                print("REACHED", name, place)
print("looked at", *sorted(looked))
"""


def _links(folder: Path) -> str:
    kernel = start(folder)
    try:
        return text(kernel, LINKS)
    finally:
        kernel.stop()


@pytest.mark.parametrize("ordinary_user", [True, False])
def test_no_link_of_proc_leads_to_a_file_that_can_be_changed(
    tmp_path: Path, *, ordinary_user: bool
) -> None:
    """Not to Python's own, which an ordinary user may own: it could be made set-uid."""
    told = as_ordinary(lambda: _links(tmp_path)) if ordinary_user else _links(tmp_path)
    assert told == "looked at exe root\n"
