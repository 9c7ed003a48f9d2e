"""The Linux calls that a sandbox needs and for which Python 3.11 has no function.

Each raises an OSError that names the call and its object. Numbers are those of
<linux/mount.h>, <linux/prctl.h> and <linux/sched.h>; system calls without a libc function have
the same number on every architecture.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

NEWNS, NEWUTS, NEWIPC, NEWCGROUP = 0x00020000, 0x04000000, 0x08000000, 0x02000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MNT_DETACH = 2
_MOUNT_SETATTR = 442
_ATTR_RDONLY, _ATTR_NOSUID = 1, 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_PR_SET_DUMPABLE = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


def _call(what: str, result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int, what: str) -> None:
    """Leave the namespaces that `flags` names for new ones; `what` is for the error."""
    _call(f"unshare of {what}", _libc.unshare(ctypes.c_int(flags)))


def unshare_as_same_user() -> None:
    """Leave the user and mount namespace for new ones in which user and group are the same."""
    user, group = os.geteuid(), os.getegid()
    unshare(NEWUSER | NEWNS, "user and mount namespaces")
    map_user((user, user), (group, group))


def map_user(user: tuple[int, int], group: tuple[int, int]) -> None:
    """Map one user and group, each inside and outside, in a new user namespace, and no others."""
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    for name, (inside, outside) in (("uid_map", user), ("gid_map", group)):
        Path(f"/proc/self/{name}").write_text(f"{inside} {outside} 1", encoding="ascii")


def _mount(source: str, target: str, kind: str, flags: int, data: str, what: str) -> None:
    strings = (source.encode(), target.encode(), kind.encode())
    _call(what, _libc.mount(*strings, ctypes.c_ulong(flags), data.encode()))


def make_mounts_private() -> None:
    """Keep later mounts within this mount namespace."""
    _mount("none", "/", "none", _MS_REC | _MS_PRIVATE, "", "making mounts private")


def mount_tmpfs(target: Path, data: str) -> None:
    """Mount an empty file system in memory."""
    _mount("tmpfs", str(target), "tmpfs", _MS_NOSUID | _MS_NODEV, data, f"a tmpfs on {target}")


def mount_proc(target: Path) -> None:
    """Mount a /proc that shows the processes of this pid namespace."""
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount("proc", str(target), "proc", flags, "", f"a new /proc on {target}")


def mount_devpts(target: Path) -> None:
    """Mount a few terminals that this mount alone has."""
    data = "newinstance,ptmxmode=0666,mode=0620,max=64"
    _mount("devpts", str(target), "devpts", _MS_NOSUID | _MS_NOEXEC, data, f"a devpts on {target}")


def bind(source: Path, target: Path) -> None:
    """Let `target` show `source`, with the mounts below it."""
    what = f"binding {source} to {target}"
    _mount(str(source), str(target), "none", _MS_BIND | _MS_REC, "", what)


def make_readonly(target: Path, *, below: bool = True) -> None:
    """Make the mount at `target` read-only, with those below it or alone."""
    attributes = struct.pack("QQQQ", _ATTR_RDONLY | _ATTR_NOSUID, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        str(target).encode(),
        ctypes.c_uint(_AT_RECURSIVE if below else 0),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    _call(f"making {target} read-only", result)


def unmount(target: Path) -> None:
    """Unmount `target`; other mounts that show its files stay."""
    _call(f"unmounting {target}", _libc.umount2(str(target).encode(), ctypes.c_int(_MNT_DETACH)))


def enter_root(root: Path) -> None:
    """Make the mount at `root` the root of this mount namespace, and unmount the old root."""
    os.chdir(root)
    _call("pivot_root", _libc.syscall(ctypes.c_long(_pivot_root_number()), b".", b"."))
    _call("leaving the old root", _libc.umount2(b".", ctypes.c_int(_MNT_DETACH)))
    os.chdir("/")


def _pivot_root_number() -> int:
    return {"x86_64": 155, "aarch64": 41}[os.uname().machine]


def set_hostname(name: str) -> None:
    """Name this uts namespace."""
    data = name.encode()
    _call("sethostname", _libc.sethostname(data, ctypes.c_size_t(len(data))))


def loopback_up() -> None:
    """Let the processes of this network namespace reach each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def die_with_parent(signal: int) -> None:
    """Have Linux send `signal` to this process when its parent ends; a change of user resets it."""
    _call("PR_SET_PDEATHSIG", _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0))


def give_up_privileges() -> None:
    """Drop all capabilities; no program that this process runs can regain one."""
    for number in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)  # fails past the last one
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _call("capset", _libc.capset(header, struct.pack("6I", *[0] * 6)))
    one = ctypes.c_ulong(1)
    _call("PR_SET_NO_NEW_PRIVS", _libc.prctl(_PR_SET_NO_NEW_PRIVS, one, 0, 0, 0))


def set_dumpable() -> None:
    """Own the /proc files of this process again; a change of user takes them away."""
    _call("PR_SET_DUMPABLE", _libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1), 0, 0, 0))
