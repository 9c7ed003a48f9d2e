"""Takes note of the signal by which Slurm warns a job, from a program's first lines on.

Until Python has a handler for it, SIGUSR1 ends a program, and importing torch and Lightning takes
seconds. This module imports nothing slow. `Requeue` acts on the note.
"""

from __future__ import annotations

import os
import signal

WARNING = signal.SIGUSR1
"""What `#SBATCH --signal=USR1@120` sends to every rank."""

_noted = False


def listen() -> None:
    """From here on the signal is noted and ends nothing; outside of a Slurm job nothing changes."""
    if "SLURM_JOB_ID" in os.environ:
        signal.signal(WARNING, _take_note)


def _take_note(*_: object) -> None:
    global _noted  # noqa: PLW0603  a signal is the whole process's
    _noted = True


def came() -> bool:
    """Whether the signal has come."""
    return _noted


def forget() -> None:
    """Take back the note: what it asked for is done, or can't be."""
    global _noted  # noqa: PLW0603  as above
    _noted = False
