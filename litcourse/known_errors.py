"""Exceptions that learners meet often, each with a finding of its own.

Texts are those of lightning 2.6 and torch 2.15; `tests/litcourse/test_known_errors.py`
raises each for real, so that a new release that words one differently is noticed.
"""

from __future__ import annotations

import re

from litcourse.evidence import Evidence
from litcourse.question import Finding

RAISED = "LIT902"
UNSOLVED = "LIT900"

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("LIT009", r"has been removed in v2|Support for `\w+_epoch_end`"),
    ("LIT001", r"`training_step` must return a Tensor, a dict"),
    ("LIT003", r"'loss' key needs to be present|a dict.*'loss'"),
    ("LIT002", r"does not require grad and does not have a grad_fn"),
    ("LIT004", r"backward through the graph a second time"),
    ("LIT005", r"to use manual_backward, please disable automatic"),
    ("LIT006", r"before Module\.__init__\(\) call"),
    ("LIT013", r"`CUDAAccelerator` can not run|[Nn]o supported gpu backend"),
    ("LIT007", r"not compiled with CUDA|no NVIDIA driver|No CUDA GPUs|CUDA in forked"),
    ("LIT008", r"^`self\.log\("),
    ("LIT010", r"could not find the monitored key in the returned metrics"),
    ("LIT011", r"Early stopping conditioned on metric"),
    ("LIT012", r"setup\(\) (takes 1 positional|got an unexpected keyword argument 'stage')"),
    ("LIT130", r"No `configure_optimizers\(\)` method defined"),
    ("LIT134", r"has been modified by an inplace operation"),
    ("LIT014", r"`model` must be a `LightningModule`"),
)  # fmt: skip


def error_code(kind: str, message: str) -> str:
    """The finding of an exception of type name `kind` with `message`."""
    for code, pattern in _PATTERNS:
        if re.search(pattern, message, re.DOTALL):
            return code
    return UNSOLVED if kind == "NotImplementedError" else RAISED


def error_finding(error: Evidence, criteria: tuple[str, ...]) -> Finding:
    """The finding for an exception that `litcourse.student.describe` recorded."""
    kind, message = error["type"].text(), error["message"].text()
    code = error_code(kind, message)
    first_line = message.strip().split("\n")[0]
    return Finding(
        code,
        criteria,
        called=error["called"].text(),
        expected="a solved cell" if code == UNSOLVED else "no exception",
        got=kind if code == UNSOLVED else f"{kind}: {first_line}",
        where=error["line"].text(),
    )
