"""How many tasks each node gets of `-N NODES -n TASKS -c CORES`: what Slurm 22.05.8 did."""

from __future__ import annotations

from pathlib import Path

import pytest

from litcourse.pocket import run_script

MEASURED = {
    (4, 8, 1): (5, 1, 1, 1),
    (4, 67, 1): (64, 1, 1, 1),
    (4, 35, 2): (31, 2, 1, 1),
    (4, 64, 2): (31, 31, 1, 1),
    (4, 65, 2): (32, 31, 1, 1),
    (4, 96, 2): (32, 32, 31, 1),
    (5, 24, 3): (19, 2, 1, 1, 1),
    (5, 63, 3): (21, 20, 20, 1, 1),
    (6, 16, 5): (9, 3, 1, 1, 1, 1),
    (3, 16, 8): (8, 7, 1),
    (4, 16, 8): (7, 7, 1, 1),
    (5, 24, 8): (8, 7, 7, 1, 1),
    (5, 36, 8): (8, 8, 8, 8, 4),
    (4, 12, 16): (4, 4, 3, 1),
    (5, 7, 16): (2, 2, 1, 1, 1),
    (5, 9, 20): (3, 2, 2, 1, 1),
    (8, 30, 3): (17, 7, 1, 1, 1, 1, 1, 1),
    (8, 36, 5): (11, 10, 10, 1, 1, 1, 1, 1),
}
"""By nodes, tasks and cores of a task; a node has 64. 395 such requests were compared once."""


@pytest.mark.parametrize(("asked", "tasks"), MEASURED.items())
def test_layout(asked: tuple[int, int, int], tasks: tuple[int, ...], tmp_path: Path) -> None:
    nodes, total, cores = asked
    script = f"#!/bin/bash\n#SBATCH -N {nodes} -n {total} -c {cores}\n"
    allocation = run_script(script, tmp_path).allocation
    assert allocation is not None
    assert [share.cores for share in allocation.shares] == [number * cores for number in tasks]
