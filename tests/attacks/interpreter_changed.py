"""The file that Python was started from, behind the sandbox's mounts.

Strategy: /proc/self/exe leads to it over the mounts of the machine; change its mode, owner, times.
Surface: whoever runs that Python on the machine later, if the grader's user owns it: a set-uid
program. `test_shared_users` has an ordinary user who does, and all other links of /proc.
"""

from tests.attacks.arena import Attack

CHANGE = """
import os
for pid in ("self", "1"):
    place = f"/proc/{pid}/exe"
    now = os.stat(place)
    try_to("mode", lambda: os.chmod(place, now.st_mode & 0o7777))
    try_to("owner", lambda: os.chown(place, now.st_uid, now.st_gid))
    try_to("times", lambda: os.utime(place, ns=(now.st_atime_ns, now.st_mtime_ns)))
    try_to("attribute", lambda: os.setxattr(place, "user.attack", b"1"))
    try_to("content", lambda: os.open(place, os.O_WRONLY))
"""

ATTACK = Attack(cells=(CHANGE,), answer="right", share=1, held=10)
