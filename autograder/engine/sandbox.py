"""Isolates a process before it runs a student's code.

Covered: own user, mount, pid, ipc, network, uts and cgroup namespaces; a root that holds only the
system, Python with its packages and `litcourse`, all read-only; a private /tmp, home and /dev/shm
of limited size; its own /proc; no network but its own loopback; no capability and no way to gain
one; no further user namespaces; a filter of system calls (`seccomp`); the limits of `limits`.

Not covered: faults of the Linux kernel that the remaining calls can reach, side channels such as
timing, GPUs (none is visible). The code can read the system folders (/usr, the Python
installation). docs/threat-model.md names the tests.

A process of root becomes an unprivileged user before it runs a student's code, one that no other
kernel has: Linux counts epoll watches, descriptors in flight, inotify instances and more for each
user of the machine, and refuses them to all of a user's processes alike. A process of an ordinary
user stays that user, under another number, and sees none of that user's files; `user_quotas` then
tells whether one kernel has taken what the others need.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.engine import seccomp, syscalls
from autograder.engine.limits import MEBI, Limits

INSIDE = 1000
"""User and group inside the sandbox."""
NOBODY = 65534
"""User and group outside the sandbox, if the grader is root but has no numbers to give away, as in
a container that maps few users."""
FIRST_USER = 0x70000000
"""Users from here on belong to kernels; systemd names the range as unused
(https://systemd.io/UIDS-GIDS)."""
CHANNEL = Path("/run/channel")
EVIDENCE = Path("/run/evidence")
HOME = Path("/home/student")
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64")
_ETC = (
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "nsswitch.conf",
    "fonts",
)  # fmt: skip
_WRITABLE = {"home": HOME, "tmp": Path("/tmp"), "shm": Path("/dev/shm")}  # noqa: S108 (its own)
_INODES = 20_000
"""Number of files and folders that the code may make."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_NAMESPACES = syscalls.NEWNS | syscalls.NEWPID | syscalls.NEWNET | syscalls.NEWIPC | syscalls.NEWUTS
_NAMESPACES |= syscalls.NEWCGROUP


@dataclass(frozen=True)
class Place:
    """The folders of this machine from which a sandbox is built.

    Args:
        channel: folder for the kernel's sockets and the inputs; holds an empty file `evidence`.
        root: an empty folder to build the new root on.
        work: folder with the files for the working folder inside.
        hidden: folders that the sandbox hides, wherever they lie.
        visible: folders that the sandbox shows read-only, beside the system's.
    """

    channel: Path
    root: Path
    work: Path
    hidden: tuple[Path, ...]
    visible: tuple[Path, ...]


def unshare_namespaces() -> None:
    """Leave the namespaces of this machine; the next fork is the first process of the new ones."""
    if os.geteuid() != 0:
        user, group = os.geteuid(), os.getegid()
        syscalls.unshare(syscalls.NEWUSER, "the user namespace")
        syscalls.map_user((INSIDE, user), (INSIDE, group))
    syscalls.unshare(_NAMESPACES, "mount, pid, network, ipc, uts and cgroup namespaces")


def own_user(pid: int) -> int:
    """The user outside the sandbox of the kernel whose init process is `pid`.

    For root, one of its own: no two living processes have one id.
    """
    if os.geteuid() != 0:
        return os.geteuid()
    user = FIRST_USER + pid
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    ranges = [list(map(int, line.split())) for line in lines]
    return user if any(first <= user < first + count for first, _, count in ranges) else NOBODY


def enter(place: Place, limits: Limits, user: int = NOBODY) -> None:
    """Build the new root, enter it, and give up all rights.

    Runs in the first process after `unshare_namespaces`. The kernel then makes its sockets in
    `CHANNEL`, which stays writable until `close_channel`.

    Args:
        place: the folders.
        limits: limits of the kernel.
        user: from `own_user`, before `unshare_namespaces`; the default is for code of ours, which
            takes nothing from others. Of no meaning where an ordinary user grades.

    Raises:
        OSError: this machine does not allow one of the steps; the message names it.
    """
    as_root = os.geteuid() == 0
    syscalls.make_mounts_private()
    _build_root(place, limits, user if as_root else INSIDE)
    syscalls.enter_root(place.root)
    syscalls.set_hostname("sandbox")
    syscalls.loopback_up()
    if as_root:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        syscalls.set_dumpable()
        syscalls.unshare(syscalls.NEWUSER, "the user namespace")
        syscalls.map_user((INSIDE, user), (INSIDE, user))
    Path("/proc/sys/user/max_user_namespaces").write_text("0", encoding="ascii")
    syscalls.give_up_privileges()
    seccomp.install_filter()
    os.chdir(HOME)


def close_channel() -> None:
    """Make `CHANNEL` read-only; for the parent of the first process."""
    syscalls.make_readonly(CHANNEL)


def _build_root(place: Place, limits: Limits, owner: int) -> None:
    root = place.root
    os.umask(0o022)
    syscalls.mount_tmpfs(root, "size=4m,mode=755")
    _show_system(root)
    _write_etc(root / "etc")
    for name in _DEVICES:
        _bind(Path("/dev") / name, root)
    for name, target in (("fd", "/proc/self/fd"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(target)
    (root / "dev/pts").mkdir()
    syscalls.mount_devpts(root / "dev/pts")  # IPython's `!command` runs in a terminal
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    (root / "proc").mkdir()
    syscalls.mount_proc(root / "proc")
    syscalls.bind(Path(os.devnull), root / "proc/cmdline")  # of the machine's boot
    _mount_writable(place, limits, owner)
    for folder in _outermost_folders(place.visible):  # after /tmp and /home, which may hold one
        _bind(folder, root)
    for folder in place.hidden:
        if _path_inside(root, folder).is_dir():
            syscalls.mount_tmpfs(_path_inside(root, folder), "size=4k,mode=555")
    syscalls.make_readonly(root, below=False)


def _mount_writable(place: Place, limits: Limits, owner: int) -> None:
    """Make one file system for all writable folders, so that one limit holds for them."""
    root = place.root
    scratch = root / "scratch"
    scratch.mkdir()
    # The limit is for what the code writes; submitted files have room beside it.
    size, count = _size_and_count(place.work)
    size += limits.disk_mib * MEBI
    syscalls.mount_tmpfs(scratch, f"size={size},mode=755,nr_inodes={_INODES + count}")
    shutil.copytree(place.work, scratch / "home", symlinks=True)
    for name, target in _WRITABLE.items():
        (scratch / name).mkdir(exist_ok=True)
        (scratch / name).chmod(0o755)
        _path_inside(root, target).mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        _change_owner(scratch, owner)
        _change_owner(place.channel, owner)
    for name, target in _WRITABLE.items():
        syscalls.bind(scratch / name, _path_inside(root, target))
    syscalls.unmount(scratch)
    scratch.rmdir()
    _path_inside(root, CHANNEL).mkdir(parents=True)
    _path_inside(root, EVIDENCE).touch()
    syscalls.bind(place.channel, _path_inside(root, CHANNEL))
    syscalls.bind(place.channel / "evidence", _path_inside(root, EVIDENCE))


def _size_and_count(folder: Path) -> tuple[int, int]:
    """Bytes of the pages that the files in `folder` fill, and the number of files and folders."""
    page = os.sysconf("SC_PAGE_SIZE")
    sizes = [path.lstat().st_size for path in folder.rglob("*")]
    return sum(-(-size // page) * page for size in sizes), len(sizes)


def _change_owner(folder: Path, owner: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def _show_system(root: Path) -> None:
    for name in _SYSTEM:
        path = Path("/") / name
        if path.is_symlink():
            (root / name).symlink_to(path.readlink())
        elif path.is_dir():
            _bind(path, root)


def _write_etc(etc: Path) -> None:
    etc.mkdir()
    for name in _ETC:
        if (Path("/etc") / name).exists():
            _bind(Path("/etc") / name, etc.parent)
    (etc / "passwd").write_text(f"student:x:{INSIDE}:{INSIDE}::{HOME}:/bin/sh\n", encoding="ascii")
    (etc / "group").write_text(f"student:x:{INSIDE}:\n", encoding="ascii")
    (etc / "hosts").write_text("127.0.0.1 localhost sandbox\n::1 localhost\n", encoding="ascii")
    (etc / "hostname").write_text("sandbox\n", encoding="ascii")


def _outermost_folders(visible: tuple[Path, ...]) -> Iterator[Path]:
    """`visible` without the folders that lie in another of them or in /usr."""
    folders = sorted({folder.resolve() for folder in visible} | set(visible))
    kept = [Path("/usr")]
    for folder in folders:
        if not any(folder.is_relative_to(other) for other in kept):
            kept.append(folder)
            yield folder


def _path_inside(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _bind(source: Path, root: Path) -> None:
    target = _path_inside(root, source)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    syscalls.bind(source, target)
    syscalls.make_readonly(target)
