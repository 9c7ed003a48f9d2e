"""Has Linux refuse system calls that a graded kernel has no use for.

Namespaces do not cover everything: the key ring belongs to a user of the whole machine, a vsock
reaches the host of a virtual machine, and System V segments and anonymous files are memory that
Linux charges to no process. Contexts of asynchronous input and output (`io_setup`) are counted for
the whole machine, where a database may need them. A filter (seccomp, <linux/seccomp.h>) refuses
these, and the calls through which most faults of Linux were exploited: mounts, namespaces, bpf,
perf, io_uring, userfaultfd, modules. It also holds for every process that the kernel starts, for
good.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of `_REFUSED`, and AUDIT_ARCH of <linux/audit.h>."""
_REFUSED = {  # <asm/unistd.h> of x86_64 and of aarch64
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51),
    "clock_settime": (227, 112), "delete_module": (176, 106), "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "init_module": (175, 105), "io_setup": (206, 0), "kexec_load": (246, 104), "keyctl": (250, 219),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "mount": (165, 40),
    "move_mount": (429, 429), "msgctl": (71, 187), "msgget": (68, 186), "msgrcv": (70, 188),
    "msgsnd": (69, 189), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "mq_open": (240, 180), "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60),
    "reboot": (169, 142), "request_key": (249, 218), "semget": (64, 190), "semop": (65, 193),
    "setns": (308, 268), "shmat": (30, 196), "shmget": (29, 194), "swapon": (167, 224),
    "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
_SOCKET = (41, 198)
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # <linux/bpf_common.h>
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # places in struct seccomp_data
_PR_SET_MM, _F_SETLEASE = 35, 1024
_REFUSED_WITH = {
    # A process could pass for a fork of the warm process, see `watch`.
    "prctl": ((157, 167), _FIRST_ARGUMENT, _PR_SET_MM),
    # A lease on a file could make the grader wait.
    "fcntl": ((72, 25), _FIRST_ARGUMENT + 8, _F_SETLEASE),
}
_FALLOCATE = (285, 47)
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32 = 0x40000000  # x86_64: the same calls under other numbers
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def install_filter() -> None:
    """Filter the system calls of this process and of every process that it starts, for good.

    `PR_SET_NO_NEW_PRIVS` has to be set.

    Raises:
        OSError: the operating system has no seccomp, or this module lacks the machine's numbers.
    """
    machine = os.uname().machine
    if machine not in _MACHINES:
        known = ", ".join(_MACHINES)
        raise OSError(errno.ENOSYS, f"no filter of system calls is written for {machine}: {known}")
    program = b"".join(_program(*_MACHINES[machine]))
    held = ctypes.create_string_buffer(program)
    count = len(program) // 8
    descriptor = ctypes.create_string_buffer(struct.pack("HxxxxxxP", count, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    if libc.prctl(_PR_SET_SECCOMP, mode, descriptor, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, f"PR_SET_SECCOMP: {os.strerror(code)}")


def _program(column: int, architecture: int) -> Iterator[bytes]:
    """The filter, one instruction after the other."""
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_EQUAL, architecture, yes=1)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER)
    if column == 0:
        yield _instruction(_AT_LEAST, _X32, no=1)
        yield _instruction(_RETURN, _FAIL | errno.ENOSYS)
    for numbers in _REFUSED.values():
        yield _instruction(_EQUAL, numbers[column], no=1)
        yield _instruction(_RETURN, _FAIL | errno.EPERM)
    for numbers, place, value in _REFUSED_WITH.values():
        yield _instruction(_EQUAL, numbers[column], no=4)
        yield _instruction(_LOAD, place)
        yield _instruction(_EQUAL, value, no=1)
        yield _instruction(_RETURN, _FAIL | errno.EPERM)
        yield _instruction(_RETURN, _ALLOW)
    # Its modes, such as FALLOC_FL_KEEP_SIZE, take room on a disk that no limit on a size sees.
    yield _instruction(_EQUAL, _FALLOCATE[column], no=4)
    yield _instruction(_LOAD, _FIRST_ARGUMENT + 8)
    yield _instruction(_EQUAL, 0, no=1)
    yield _instruction(_RETURN, _ALLOW)
    yield _instruction(_RETURN, _FAIL | errno.EOPNOTSUPP)
    yield _instruction(_EQUAL, _SOCKET[column], yes=1)
    yield _instruction(_RETURN, _ALLOW)
    yield _instruction(_LOAD, _FIRST_ARGUMENT)
    for family in _FAMILIES:
        yield _instruction(_EQUAL, family, no=1)
        yield _instruction(_RETURN, _ALLOW)
    yield _instruction(_RETURN, _FAIL | errno.EAFNOSUPPORT)


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """A `struct sock_filter`; `yes` and `no` are how many instructions a comparison skips."""
    return struct.pack("HBBI", code, yes, no, value)
