"""Looking into other processes: their environment, files, memory.

Strategy: walk /proc for every process and read environ, cwd, root, fd and mem; ask for the pids
of grader and engine by number.
Surface: /proc.
"""

from tests.attacks.arena import Attack

SPY = """
import os, re
pids = [name for name in os.listdir("/proc") if name.isdigit()]
print("sees", len(pids), "processes")
found = []
for pid in {*pids, "self", "thread-self"}:
    for name in ("environ", "cmdline", "maps", "status", "mountinfo"):
        try:
            found += re.findall(rb"CANARY-[0-9a-f]{16}", open(f"/proc/{pid}/{name}", "rb").read())
        except OSError:
            pass
print("found", found)
for name in ("grader", "grader_parent", "server"):
    for part in ("environ", "mem", "maps", "cwd/x", "root/etc/shadow", "fd/0"):
        pid = TARGETS[name]
        try_to(f"{name} {part}", lambda: (pid > 1 or 1 / 0) and open(f"/proc/{pid}/{part}").read(9))
for path in ("/proc/kcore", "/proc/kmsg", "/proc/sys/kernel/core_pattern"):
    try_to(path, lambda: open(path, "r+").read(9))
try_to("sysrq", lambda: open("/proc/sysrq-trigger", "w").write("h"))
"""

ATTACK = Attack(cells=(SPY,), held=20, says=r"sees 1 processes\nfound \[\]")
