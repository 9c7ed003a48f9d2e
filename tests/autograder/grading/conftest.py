"""Fixtures: a tiny course whose submissions run in the worker, so that no warm process starts.

Everything else is real: nbgrader, its gradebook, workers, draws, probes, judges.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import AutogradeApp

from autograder.course import Course
from autograder.demo.made_up_students import fill_notebook, hand_in
from autograder.grading import run, session
from autograder.grading.records import RECORD, Record, RecordStore
from autograder.grading.run import Options
from autograder.nbgrader_plugins.judge_client import JudgeClient
from litcourse.probing.silenced import scratch_folder
from tests.autograder.conftest import reply_in_process

LAB, QUESTION = "lab0_tiny", "add_one"
RIGHT = f"def {QUESTION}(number):\n    return number + 1"
WRONG = f"def {QUESTION}(number):\n    return number"
FAULT = "the kernel was killed from outside"
KILLED = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
HERE = """
import contextlib

from autograder.engine.machine_faults import MachineError
from autograder.nbgrader_plugins.execute import QuestionEvidence, RunSubmission
from autograder.nbgrader_plugins.repair import is_executed
from autograder.nbgrader_plugins.submission_metadata import KEY
from litcourse.core.serialization import decode, encode
from litcourse.probing.probe_runner import take_evidence


class RunHere(RunSubmission):
    def run_notebook(self, nb, resources, inputs, *, alone):
        context = resources[KEY]
        names = {"FILES": context.files, "ALONE": alone, "FAULT": ""}
        for cell in filter(is_executed, nb.cells):
            with contextlib.suppress(Exception):
                exec(cell.source, names)
        if names["FAULT"]:
            raise MachineError(names["FAULT"])
        found = resources["question_evidence"] = {}
        for name, encoded in inputs.items():
            shown = decode(encoded.shown)
            evidence = take_evidence(context.lab.find_question(name), shown, names)
            found[name] = QuestionEvidence(encoded, encode(evidence))
"""
"""Runs a submission in the worker. Its code may say what the machine did to it."""


@dataclass
class Class:
    """A tiny course and its students."""

    course: Course

    @property
    def root(self) -> Path:
        return self.course.root

    def settings(self, text: str) -> None:
        """Add lines to nbgrader_config.py."""
        with (self.root / "nbgrader_config.py").open("a", encoding="utf-8") as file:
            file.write(f"{textwrap.dedent(text)}\n")

    def hand_in(self, student: str, answer: str | bytes, *, at: str = "") -> Path:
        """Submit an answer, or bytes as a file; returns the folder."""
        lab = self.course.lab(LAB)
        content: Any = answer
        if isinstance(answer, str):
            content = fill_notebook(lab.notebook, {QUESTION: answer})
        folder = hand_in(self.root, student, LAB, content).parent
        if at:
            (folder / "timestamp.txt").write_text(at, encoding="utf-8")
        return folder

    def grade(self, **options: Any) -> int:
        return run.grade(self.course, Options(**{"jobs": 1, "sandbox": True, **options}))

    def rejudge(self, **options: Any) -> int:
        return run.rejudge(self.course, Options(**{"labs": [LAB], "jobs": 1, **options}))

    def nbgrader_autograde(self, *arguments: str) -> None:
        """Run the command in this process, since others do not know the tiny lab."""
        app, path = AutogradeApp(raise_config_file_errors=True), list(sys.path)
        try:
            with contextlib.chdir(self.root):
                app.initialize([LAB, *arguments], root=str(self.root))
                app.start()
        finally:
            sys.path[:] = path

    def record(self, student: str) -> Record:
        found = RecordStore(self.root / "evidence").load(LAB, student)
        assert found is not None
        return found

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.root / 'gradebook.db'}", "litcourse")

    def score(self, student: str) -> float:
        with self.gradebook() as gradebook:
            return float(gradebook.find_submission(LAB, student).score)

    def students(self) -> dict[str, float]:
        """Automatic score of each student in the gradebook."""
        with self.gradebook() as gradebook:
            found = gradebook.notebook_submissions(LAB, LAB)
            return {nb.student.id: nb.grades[0].auto_score for nb in found}

    def graded(self, student: str) -> Path:
        return self.root / "autograded" / student / LAB

    def page(self, student: str) -> Path:
        return self.root / "feedback" / student / LAB / f"{LAB}.html"

    def points(self, value: int) -> None:
        """Change the rubric."""
        path = self.root / "source" / LAB / f"{LAB}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade"):
                cell.metadata.nbgrader.points = value
        nbformat.write(notebook, path)
        self.course = replace(self.course)


def enter(group: Class, **values: object) -> None:
    """Enter `values` for ada, as a person does in the formgrader or by nbgrader's API."""
    with group.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(LAB, LAB, "ada")
        (grade,), (comment,) = notebook.grades, notebook.comments
        for name, value in values.items():
            owner = {"manual_comment": comment, "late_submission_penalty": notebook}.get(name)
            setattr(owner or grade, name, value)
        gradebook.db.commit()


def entered(group: Class) -> tuple[object, ...]:
    """The values in the gradebook that a person can enter for ada."""
    with group.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(LAB, LAB, "ada")
        (grade,), (comment,) = notebook.grades, notebook.comments
        return (
            grade.manual_score,
            grade.extra_credit,
            comment.manual_comment,
            notebook.late_submission_penalty,
        )


AGAIN = ["regrade", "resubmit", "rejudge", "lost record", "nbgrader"]
"""Ways to grade ada once more."""


def again(group: Class, way: str) -> None:
    if way == "nbgrader":
        group.nbgrader_autograde("--force")
        return
    if way == "rejudge":
        group.points(20)
        assert group.rejudge() == 0
        return
    if way == "resubmit":
        group.hand_in("ada", WRONG, at="2026-11-09 10:00:00 UTC")
    if way == "lost record":
        (group.root / "evidence" / LAB / "ada" / RECORD).unlink()
    assert group.grade(regrade=way == "regrade") == 0


@pytest.fixture(scope="session", autouse=True)
def _imported() -> None:
    """Import once what the workers need: they are forks that draw, probe and judge."""
    importlib.import_module("safetensors.torch")
    with scratch_folder():
        pass


@pytest.fixture
def group(tiny: Course, monkeypatch: pytest.MonkeyPatch) -> Class:
    made = Class(tiny)
    monkeypatch.setattr(session, "engine", lambda: None)  # nothing is asked of it
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    (tiny.root / "here.py").write_text(HERE, encoding="utf-8")
    made.settings(
        """
        from here import RunHere
        c.Autograde.autograde_preprocessors[0] = RunHere
        """
    )
    return made


Apart = Callable[..., BaseProcess]


@pytest.fixture
def apart() -> Iterator[Apart]:
    """Call a function in a process that may be killed; its output goes to `path`."""
    started: list[BaseProcess] = []

    def start(path: Path, do: Callable[[], int]) -> BaseProcess:
        def work() -> None:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            sys.stdout = sys.stderr = os.fdopen(handle, "w", encoding="utf-8")
            raise SystemExit(do())

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()
