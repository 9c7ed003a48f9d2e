"""The real Slurm, started without root, and the pocket agree: the truth cannot drift."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.litcourse.pocket.corpus import cases, differences, replay
from tests.slurm.remaking import remake
from tests.slurm.rootless import RootlessSlurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

STUDENT = ("student", 1000, 1000)
APART = ("limit_", "array_", "hold")
NAMES = [name for name, case in cases().items() if "act" not in case and not name.startswith(APART)]
SAMPLE = [name for name in NAMES[::9] if "parallel" not in name]
"""Slurm itself starts steps that run side by side in either order."""


@pytest.mark.parametrize("name", SAMPLE)
def test_the_pocket_does_what_slurm_does_today(
    rootless: RootlessSlurm, name: str, tmp_path: Path
) -> None:
    made = remake(rootless, cases()[name], name)
    outcome, program = replay(made, tmp_path, STUDENT)
    assert not differences(made, outcome, program, tmp_path)


def test_the_sample_is_large_enough() -> None:
    assert len(SAMPLE) >= 20
