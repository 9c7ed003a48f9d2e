"""Exit codes of all commands, `autograder` and `litcourse` alike.

docs/grading.md has them as a table, which a test compares with these.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    """All is done, and nothing is wrong."""
    INCOMPLETE = 1
    """It came to its end, and something is left: ungraded, held back, stale, or a check failed."""
    MISTAKE = 2
    """It stopped: something is mistyped, or has to be mended first."""
    LOCKED = 3
    """Another run holds the lock."""
    NOT_EMULATED = 64
    """An emulation met what it does not emulate."""
    INTERRUPTED = 130
    """Ctrl-C, or SIGTERM."""
