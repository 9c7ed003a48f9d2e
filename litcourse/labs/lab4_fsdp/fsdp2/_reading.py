"""Reads what the probe saw: units by name, and exceptions that only FSDP2 raises."""

from __future__ import annotations

import re
from dataclasses import replace

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED
from litcourse.core.question import Finding

_ERRORS = (
    ("LIT4505", r"Cannot concatenate overlapping meshes|mesh_dim_names.* ascending order"),
    ("LIT4506", r"has already been applied"),
    ("LIT4508", r"does not support containers"),
    ("LIT4509", r"required to override the `configure_model"),
    ("LIT4507", r"aten\.embedding.* got mixed torch\.Tensor and DTensor"),
    ("LIT4517", r"got mixed torch\.Tensor and DTensor"),
    ("LIT4526", r"[Ii]f passing reshard_after_forward as an int"),
    ("LIT4516", r"FullyShardedDataParallel|non-CPU accelerator"),
)
"""Messages of lightning 2.6 and torch 2.7 to 2.15."""


def refined(finding: Finding) -> Finding:
    """`finding` with a more exact code, if its exception is one of FSDP2's."""
    if finding.code != RAISED:
        return finding
    codes = [code for code, text in _ERRORS if re.search(text, finding.got)]
    return replace(finding, code=codes[0]) if codes else finding


def groups(units: Evidence) -> dict[str, int]:
    """Names of units, each with the number of its group, without the LightningModule itself."""
    return {name: units[name].integer() for name in units.keys() if name}  # noqa: SIM118 (no dict)
