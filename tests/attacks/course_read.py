"""Reading what the course keeps to itself: secret, bank, source, gradebook, others' work.

Strategy: open each by its true path, by way of /proc, and by walking the whole tree for
anything that holds a canary.
Surface: the file system.
"""

from tests.attacks.arena import Attack

READ = """
import os, re, sys
names = ("secret", "gradebook", "source", "bank", "other", "record", "socket")
for name in names:
    for way in ("", "/proc/self/root", "/proc/1/root", "/proc/self/cwd/../../../../.."):
        try_to(name + way, lambda: open(way + TARGETS[name], "rb").read(99))
for name in ("root", "package", "checkout"):
    try_to(name, lambda: [entry for entry in os.listdir(TARGETS[name])
                          if entry not in ("litcourse", ".venv")] or 1 / 0)
def others(folder):
    # What is there beside the way to Python and the home of the student.
    shown = [os.path.expanduser("~"), sys.prefix, sys.base_prefix]
    found = [os.path.join(os.path.realpath(folder), name) for name in os.listdir(folder)]
    return [path for path in found if not any(f"{p}/".startswith(f"{path}/") for p in shown)]
for name in ("root", "home", "var", "mnt", "srv", "opt", "sys", "boot"):
    try_to(name, lambda: others(f"/{name}") or 1 / 0)
try_to("proc/1/root", lambda: others("/proc/1/root" + "/root") or 1 / 0)
try_to("/etc/shadow", lambda: open("/etc/shadow").read())
try_to("how the machine was started", lambda: open("/proc/cmdline").read() or 1 / 0)
try_to("its control groups", lambda: [line for line in open("/proc/self/cgroup")
                                      if not line.endswith(":/\\n")] or 1 / 0)
"""
WALK = """
import mmap
found, seen = [], 0
for place in ("/tmp", "/home", "/run", "/dev", "/etc", TARGETS["checkout"], TARGETS["root"]):
    for folder, _, names in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)
            if ".venv" in path or not os.path.isfile(path):
                continue
            seen += 1
            try:
                found += re.findall(rb"CANARY-[0-9a-f]{16}", open(path, "rb").read())
            except OSError:
                pass
print("looked at", seen, "found", found)
"""

ATTACK = Attack(cells=(READ, WALK), held=42, says=r"looked at \d+ found \[\]")
