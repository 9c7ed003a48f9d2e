"""slurm/grade.sbatch: a class graded by a job array, a task of which is killed on the way."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autograder.bank import without_markers
from autograder.course import Course, Lab
from autograder.demo.made_up_students import fill_notebook, hand_in, read_points
from autograder.grading.records import Record, RecordStore
from autograder.grading.run import Options, grade
from tests.slurm.minislurm import MiniSlurm

if TYPE_CHECKING:
    from nbformat import NotebookNode

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

LAB = "lab1_mnist"
CLASS = ("right", "stub", "broken", "half", "again")


@pytest.fixture
def courses(root: Path, tmp_path: Path) -> tuple[Course, Course]:
    """Twice the same course with the same class and the same secret."""
    made = []
    for name in ("cluster", "local"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(root / "nbgrader_config.py", folder)
        shutil.copytree(root / "source" / LAB, folder / "source" / LAB)
        course = Course(folder)
        for student, content in submissions(course.lab(LAB)).items():
            hand_in(folder, student, LAB, content)
        secret = folder / ".course-secret"
        secret.touch(mode=0o600)
        secret.write_bytes(bytes(range(32)))
        made.append(course)
    return made[0], made[1]


def submissions(lab: Lab) -> dict[str, NotebookNode | bytes]:
    solved = {name: without_markers(cells.solution) for name, cells in lab.questions.items()}
    right = fill_notebook(lab.notebook, solved)
    return {
        "right": right,
        "again": right,
        "stub": fill_notebook(lab.notebook, dict.fromkeys(solved, "pass")),
        "half": fill_notebook(lab.notebook, solved | {"evaluate": "pass"}),
        "broken": b'{"cells": [',
    }


def records(course: Course) -> dict[str, Record]:
    records = RecordStore(course.root / "evidence")
    found = {student: records.load(LAB, student) for student in CLASS}
    return {student: record for student, record in found.items() if record is not None}


def test_array_and_merge_give_the_gradebook_of_the_local_run(
    slurm: MiniSlurm, root: Path, tmp_path: Path, courses: tuple[Course, Course]
) -> None:
    cluster, local = courses
    script = str(root / "slurm/grade.sbatch")

    def submit(*options: str) -> str:
        small = ("--cpus-per-task=1", "--mem=4G", f"--output={tmp_path}/out-%A_%a.txt")
        return slurm.submit(
            *small, *options, script, LAB, "--no-feedback", folder=cluster.root, VENV=sys.prefix
        )

    # Two parts, one after the other for the machine's sake; the first is killed at work.
    array = submit("--array=1-2%1")
    wait_for(tmp_path / f"out-{array}_1.txt", "shard 1/2: 3 to grade")
    slurm.run("scancel", "--signal=KILL", "--full", f"{array}_1")
    slurm.wait(array)
    states = {slurm.job(f"{array}_{n}").state for n in (1, 2)}
    assert states == {"CANCELLED", "COMPLETED"}
    assert len(records(cluster)) < len(CLASS)
    assert not (cluster.root / "gradebook.db").exists()

    # The same again does the rest; then the job that writes, which has nobody left to grade.
    array = submit("--array=1-2%1")
    merge = submit(f"--dependency=afterany:{array}")
    job = slurm.wait(merge, seconds=240)
    text = "".join(path.read_text() for path in sorted(tmp_path.glob("out-*")))
    assert job.state == "COMPLETED", text[-4000:]
    assert f"0 to grade, {len(CLASS)} of an earlier run to write" in text

    assert grade(local, Options([LAB], jobs=2, feedback=False)) == 0
    assert read_points(cluster.root, LAB, CLASS) == read_points(local.root, LAB, CLASS)
    ours, theirs = records(cluster), records(local)
    assert {s: r.points for s, r in ours.items()} == {s: r.points for s, r in theirs.items()}
    assert {s: r.findings for s, r in ours.items()} == {s: r.findings for s, r in theirs.items()}
    assert ours["right"].full_marks
    assert ours["broken"].total == ours["stub"].total == 0
    assert 0 < ours["half"].total < ours["right"].total
    for student in CLASS:
        assert (cluster.root / "autograded" / student / LAB / f"{LAB}.ipynb").is_file()


def wait_for(out: Path, words: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not (out.exists() and words in out.read_text()):
        assert time.monotonic() < deadline, out.read_text() if out.exists() else "no output"
        time.sleep(0.1)
