"""Writing to the course: another's submission, the gradebook, the secret, a record.

Strategy: open for writing, delete and rename by the true paths; write to the installed packages
that the next kernel would import.
Surface: the file system.
"""

from tests.attacks.arena import Attack

WRITE = """
import os, sys, litcourse, torch
for name in ("secret", "gradebook", "source", "bank", "other", "record", "marker"):
    try_to("write " + name, lambda: open(TARGETS[name], "w").write("mine"))
    try_to("delete " + name, lambda: os.unlink(TARGETS[name]))
# Where the course lies below /tmp, its folders can be made in the sandbox's own /tmp: of no use.
try:
    os.makedirs(os.path.dirname(TARGETS["other"]))
    open(TARGETS["other"], "w").write("mine")
    open(TARGETS["marker"], "w").write("mine")
except OSError:
    pass
for path in (litcourse.__file__, torch.__file__, sys.executable, "/usr/bin/env", "/etc/hosts"):
    try_to("write " + path, lambda: open(path, "ab").write(b"#"))
    try_to("chmod " + path, lambda: os.chmod(path, 0o777))
    try_to("delete " + path, lambda: os.unlink(path))
site = os.path.dirname(os.path.dirname(torch.__file__))
try_to("site-packages", lambda: open(os.path.join(site, "own.pth"), "w").write("import os"))
for place in ("/", "/run", "/run/channel", "/etc", "/dev", "/usr", "/work", "/var"):
    try_to("file in " + place, lambda: open(place + "/mine", "w").write("mine"))
"""

ATTACK = Attack(cells=(WRITE,), held=37)
