"""Says what a probe does now, for a student who waits.

A probe starts a step where it starts programs or ranks, which takes seconds. A notebook shows the
step; elsewhere nobody reads it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class _Progress:
    number: int = 0
    text: str = ""


_progress = _Progress()


def start_step(text: str) -> None:
    """Begin the next step of a check, such as "2 ranks" or "python train.py fit"."""
    _progress.number += 1
    _progress.text = text


def reset_steps() -> None:
    """Begin a check."""
    _progress.number, _progress.text = 0, ""


def current_step() -> str:
    """The step that runs now, such as "step 2: 2 ranks"; "" before the first."""
    return f"step {_progress.number}: {_progress.text}" if _progress.number else ""
