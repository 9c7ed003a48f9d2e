"""Reading what the course keeps to itself: secret, bank, source, gradebook, others' work.

Strategy: open each by its true path, by way of /proc, and by walking the whole tree for
anything that holds a canary.
Surface: the file system.
"""

from tests.attacks.arena import Attack

READ = """
import glob, os, re
names = ("secret", "gradebook", "source", "bank", "other", "record", "socket")
for name in names:
    for way in ("", "/proc/self/root", "/proc/1/root", "/proc/self/cwd/../../../../.."):
        try_to(name + way, lambda: open(way + TARGETS[name], "rb").read(99))
for name in ("root", "package", "checkout"):
    try_to(name, lambda: [entry for entry in os.listdir(TARGETS[name])
                          if entry not in ("litcourse", ".venv")] or 1 / 0)
for name in ("/root", "/home", "/var", "/etc/shadow", "/mnt", "/srv", "/opt", "/sys", "/boot"):
    try_to(name, lambda: (os.listdir(name) if os.path.isdir(name) and name != "/home"
                          else open(name).read()))
try_to("home of others", lambda: [n for n in os.listdir("/home") if n != "student"] or 1 / 0)
"""
WALK = """
import mmap
found, seen = [], 0
for place in ("/tmp", "/home", "/run", "/dev", "/etc", "/work", TARGETS["root"]):
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

ATTACK = Attack(cells=(READ, WALK), held=40, says=r"looked at \d+ found \[\]")
