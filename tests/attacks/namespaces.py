"""Breaking out by the means that the sandbox is made of.

Strategy: new namespaces, mounts, roots, devices, users and capabilities; programs with set-uid.
Surface: system calls of namespaces and mounts.
"""

from tests.attacks.arena import Attack

BREAK = """
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x10000000 | 0x00020000):
    try_to(f"unshare {flag:x}", lambda: call("unshare", flag))
try_to("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", ctypes.c_ulong(0), b""))
remount = ctypes.c_ulong(32 | 4096)
try_to("remount", lambda: call("mount", b"none", b"/usr", b"none", remount, b""))
try_to("unmount", lambda: call("umount2", b"/run/channel", 2))
try_to("chroot", lambda: os.chroot("/tmp"))
try_to("device", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)))
for number in (0, 65534, 1):
    try_to(f"user {number}", lambda: os.setuid(number))
    try_to(f"group {number}", lambda: os.setgid(number))
try_to("groups", lambda: os.setgroups([0]))
try_to("hostname", lambda: call("sethostname", b"x", ctypes.c_size_t(1)))
limit = "/proc/sys/user/max_user_namespaces"
try_to("namespaces again", lambda: os.write(os.open(limit, os.O_WRONLY), b"9"))
try_to("map", lambda: os.write(os.open("/proc/self/uid_map", os.O_WRONLY), b"0 0 1"))
try_to("nice", lambda: os.nice(-5))
def chmodded():
    import shutil
    shutil.copy("/bin/sh", "/tmp/sh")
    os.chmod("/tmp/sh", 0o6755)
    number = subprocess.check_output(["/tmp/sh", "-c", "id -u"], text=True).strip()
    return number if number != "1000" else 1 / 0
try_to("set-uid", chmodded)
status = open("/proc/self/status").read()
print("capabilities", [line.split()[1] for line in status.splitlines() if "Cap" in line])
print("privileges", [line for line in status.splitlines() if "NoNewPrivs" in line])
"""

ATTACK = Attack(
    cells=(BREAK,), held=22, says=r"capabilities \['0000000000000000'(, '0000000000000000'){4}\]"
)
