"""Removes repeated findings."""

from __future__ import annotations

from collections.abc import Sequence

from litcourse.core.question import Finding


def first_of_each(findings: Sequence[Finding]) -> list[Finding]:
    """The first finding of each pair of code and criteria, at the place of the pair's last one."""
    return list({(f.code, f.criteria): f for f in reversed(findings)}.values())[::-1]
