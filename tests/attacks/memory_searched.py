"""Searching its own memory for what a fork may have got from the grader.

Strategy: search every readable mapping of the process, which was forked from one that the grader
started, for the canaries that stand in the grader's environment, secret and files.
Surface: memory of the warm process.
"""

from tests.attacks.arena import Attack

SEARCH = """
import re
pattern, found, size = re.compile(rb"CANARY-" + rb"[0-9a-f]{16}"), set(), 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps.read().splitlines():
        span, rights, _, _, inode, *name = line.split()
        low, high = (int(end, 16) for end in span.split("-"))
        if "r" not in rights or inode != "0" or name in (["[vvar]"], ["[vsyscall]"]):
            continue
        try:
            for start in range(low, high, 2**22):
                memory.seek(start)
                data = memory.read(min(2**22, high - start))
                size += len(data)
                found |= set(pattern.findall(data))
        except (OSError, ValueError, OverflowError):
            pass
print("searched", size > 2**24, "found", len(found))
"""

ATTACK = Attack(cells=(SEARCH,), says="searched True found 0")
