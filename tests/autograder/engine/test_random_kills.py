"""`autograder grade`, killed at random moments: the same command brings everybody the same points.

A class in two labs, in the sandbox. The parent, a worker or the warm process is killed by SIGKILL;
if the run does not go on by itself, it is started again. In the end nothing of it is left: no file
in the temporary folder, and no process.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
import pytest

from autograder.bank import without_markers
from autograder.course import Course
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in, read_points

pytestmark = pytest.mark.release

ASKED = {"lab1_mnist": ("wrap", "datamodule"), "lab3_ddp": ("recipe", "rank_zero")}
STUDENTS = ["ada", "ben", "cleo", "dan", "eve"]
MADE = ("autograded", "feedback", "evidence", "gradebook.db")
ROUNDS = 4
PATIENCE = 400


@dataclass
class Grading:
    """A course, and the command that grades it."""

    root: Path
    temporary: Path

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [Path(sys.executable).with_name("autograder"), "grade", "--jobs", "3"],
            cwd=self.root,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> None:
        said, _ = (run := self.start()).communicate(timeout=PATIENCE)
        assert run.returncode == 0, said

    def points(self) -> dict[str, object]:
        """The points in the gradebook, and the findings in the records."""
        found: dict[str, object] = {}
        for lab in ASKED:
            found[lab] = read_points(self.root, lab, STUDENTS)
            for record in sorted((self.root / "evidence" / lab).glob("*/_grading.json")):
                kept = json.loads(record.read_text("utf-8"))
                found[f"{lab} {record.parent.name}"] = kept["findings"], kept["notices"]
        return found

    def forget(self) -> None:
        for name in MADE:
            path = self.root / name
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """All processes that were started by a run, whoever is their parent now."""
        variable = f"TMPDIR={self.temporary}".encode()
        found = []
        for process in psutil.process_iter():
            try:
                known = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if variable in known:
                found.append(process)
        return found

    def left(self) -> list[str]:
        """What is left of a run, after the time in which all that it started ends."""
        until = time.monotonic() + 20
        while (alive := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        hidden = [p for name in MADE for p in (self.root / name).rglob(".*.part")]
        hidden += [p for name in MADE for p in (self.root / name).rglob("*.part")]
        named = [f"{process.pid}: {process.cmdline()}" for process in alive]
        return [*named, *map(str, self.temporary.iterdir()), *map(str, hidden)]


def answers(course: Course, lab: str) -> dict[str, dict[str, str]]:
    """Answers of each student: right, none, one of two, one that ends its process, an odd one."""
    right = {name: without_markers(cells.solution) for name, cells
             in course.lab(lab).questions.items()}  # fmt: skip
    first, second = right
    return {
        "ada": right,
        "ben": {},
        "cleo": {first: right[first]},
        "dan": {**right, first: f"{right[first]}\nimport os\nos._exit(3)"},
        "eve": {**right, second: f"import os, time\nif not os.fork():\n    time.sleep(600)\n"
                                 f"{right[second]}"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def grading(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grading]:
    """The class, graded once without a kill."""
    whole, folder = Course(root), tmp_path_factory.mktemp("kills")
    for lab, asked in ASKED.items():
        course = copy_course(whole, folder, whole.lab(lab), asked)
        for student, given in answers(course, lab).items():
            hand_in(folder, student, lab, fill_notebook(course.lab(lab).notebook, given))
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        made = Grading(folder, Path(temporary))
        yield made
        for process in made.processes():
            process.kill()


@pytest.fixture(scope="module")
def whole(grading: Grading) -> tuple[dict[str, object], float]:
    """What everybody deserves, and the seconds that a run takes."""
    began = time.monotonic()
    grading.finish()
    took = time.monotonic() - began
    assert not grading.left()
    return grading.points(), took


def find_victim(run: subprocess.Popen[str], kind: str) -> int:
    """A process of a run; one that is no parent is there as soon as there is work for it."""
    until = time.monotonic() + PATIENCE
    while run.poll() is None and time.monotonic() < until:
        if kind == "parent":
            return run.pid
        children = psutil.Process(run.pid).children()
        servers: list[int] = [
            p.pid for p in children if "autograder.engine" in " ".join(p.cmdline())
        ]
        workers: list[int] = [p.pid for p in children if p.pid not in servers]
        if found := {"server": servers, "worker": workers}[kind]:
            return found[0]
        time.sleep(0.02)
    return 0


@pytest.mark.parametrize("kind", ["parent", "worker", "server"])
def test_the_points_are_the_same_and_nothing_is_left(
    grading: Grading, whole: tuple[dict[str, object], float], kind: str
) -> None:
    (deserved, seconds), rng = whole, Random(kind)
    for _ in range(ROUNDS):
        grading.forget()
        run = grading.start()
        time.sleep(rng.uniform(0.05, 0.9) * seconds)
        victim = find_victim(run, kind)
        if victim:
            os.kill(victim, signal.SIGKILL)
        said, _ = run.communicate(timeout=PATIENCE)
        assert run.returncode in {0, -signal.SIGKILL}, said
        assert (run.returncode == 0) == (kind != "parent" or not victim), said
        grading.finish()
        assert grading.points() == deserved
        assert not grading.left()
