"""Raising its own limits, and those of others.

Strategy: `setrlimit` and `prlimit` beyond the hard limits, for itself and for grader and engine;
a higher
priority.
Surface: the limits of the process.
"""

from tests.attacks.arena import Attack

RAISE = """
import resource
kinds = ("CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "CORE")
for name in kinds:
    kind = getattr(resource, "RLIMIT_" + name)
    soft, hard = resource.getrlimit(kind)
    more = hard + 1 if hard >= 0 else 1 / 0
    try_to(name, lambda: resource.setrlimit(kind, (more, more)))
    try_to(name + " without", lambda: resource.setrlimit(kind, (-1, -1)))
for name in ("grader", "server"):
    try_to(name, lambda: resource.prlimit(TARGETS[name], resource.RLIMIT_NOFILE, (3, 3)))
"""

ATTACK = Attack(cells=(RAISE,), held=14)
