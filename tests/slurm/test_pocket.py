"""The real Slurm, started without root, and the pocket agree: the truth cannot drift."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.litcourse.pocket.corpus import cases, differences, replay
from tests.slurm.remaking import OVER, remake
from tests.slurm.rootless import RootlessSlurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

STUDENT = ("student", 1000, 1000)
APART = ("limit_", "array_", "hold")
NAMES = [name for name, case in cases().items() if "act" not in case and not name.startswith(APART)]
SAMPLE = [name for name in NAMES[::9] if "parallel" not in name]
"""Slurm itself starts steps that run side by side in either order."""
EARLY = """#!/bin/bash
#SBATCH --ntasks-per-node=3
srun OPTION bash -c '[ $SLURM_PROCID = 2 ] && exit 3; sleep 600'
"""


@pytest.mark.parametrize("name", SAMPLE)
def test_the_pocket_does_what_slurm_does_today(
    rootless: RootlessSlurm, name: str, tmp_path: Path
) -> None:
    made = remake(rootless, cases()[name], name)
    outcome, program = replay(made, tmp_path, STUDENT)
    assert not differences(made, outcome, program, tmp_path)


def test_the_sample_is_large_enough() -> None:
    assert len(SAMPLE) >= 20


def test_a_rank_that_ends_early(rootless: RootlessSlurm) -> None:
    """As lab 5 has it: the others wait for it, unless srun is told to end the step."""
    jobs = []
    for option in ("", "--kill-on-bad-exit=1"):
        script = EARLY.replace("OPTION", option)
        asked = ["sbatch", "--parsable", "--output=/dev/null", "/dev/stdin"]
        jobs.append(rootless.run(*asked, stdin=script).stdout.strip())
    waits, ends = jobs
    deadline = time.monotonic() + 60
    while rootless.fields(ends).get("JobState") not in OVER and time.monotonic() < deadline:
        time.sleep(0.1)
    states = [rootless.fields(job)["JobState"] for job in jobs]
    rootless.run("scancel", waits)
    assert states == ["RUNNING", "FAILED"]
