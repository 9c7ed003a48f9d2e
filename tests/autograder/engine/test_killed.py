"""Warm processes and workers that are killed: nobody's points change, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.bank import without_markers
from autograder.course import Course
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in, read_points
from autograder.engine import client, interpreter
from autograder.engine.client import Engine, EngineError
from autograder.grading import run
from autograder.grading.run import Options
from autograder.grading.submission_grader import Task
from autograder.grading.worker_pool import FinishedTask, WorkerPool
from litcourse.core import environment
from tests.course import points_of

LAB, QUESTION = "lab1_mnist", "timer"
STUDENTS = ["ada", "ben", "cleo", "dan", "eve", "fay"]


@pytest.mark.slow
def test_killed_workers_and_warm_processes_cost_nobody_a_point(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others are graded; whoever was hit runs again alone, and then nothing is killed."""
    course = copy_course(Course(root), tmp_path, Course(root).lab(LAB), (QUESTION,))
    lab = course.lab(LAB)
    right = without_markers(lab.questions[QUESTION].solution)
    for student in STUDENTS:
        hand_in(tmp_path, student, LAB, fill_notebook(lab.notebook, {QUESTION: right}))
    killed: list[str] = []
    run_pool = WorkerPool.run

    def killing(pool: WorkerPool, tasks: deque[Task]) -> Iterator[FinishedTask | None]:
        ended = 0
        for done in run_pool(pool, tasks):
            if done is not None and done.task.student in STUDENTS and not done.task.alone:
                ended += 1
                if ended in {1, 3}:  # the warm process, then a worker; others still run
                    victim = client.engine().pid if ended == 1 else pool.pids[0]
                    os.kill(victim, signal.SIGKILL)
                    killed.append(done.task.student)
            yield done

    monkeypatch.setattr(WorkerPool, "run", killing)
    before = set(Path(tempfile.gettempdir()).glob("warm-*"))
    client.stop()
    assert run.grade(course, Options(jobs=2)) == 0
    assert len(killed) == 2
    earned = read_points(tmp_path, LAB, STUDENTS)
    assert {points[QUESTION] for points in earned.values()} == {points_of(LAB, QUESTION)}
    assert set(Path(tempfile.gettempdir()).glob("warm-*")) <= before


def test_one_that_dies_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its owner, and by forks that wait for it: they see a zombie, or nothing at all."""
    monkeypatch.setattr(client, "SERVER", "no.such.module")
    monkeypatch.setattr(interpreter, "SERVER", "no.such.module")
    engine = Engine()
    try:
        with pytest.raises(EngineError, match="has ended 3 times in a row"):
            engine.connect(60)
        pid = os.fork()
        if not pid:
            try:
                engine.connect(60)
            except EngineError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    finally:
        engine.stop()


def test_a_fork_waits_no_longer_than_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a warm process that is a zombie, since nobody replaces it (it polled for ever)."""
    monkeypatch.setattr(Engine, "revive", lambda _: None)
    monkeypatch.setattr(client, "SERVER", "no.such.module")
    engine = Engine()
    try:
        with pytest.raises(EngineError, match="the warm process has ended"):
            engine.connect(0.5)
    finally:
        engine.stop()


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Of a run of which nobody lives; nothing of one that goes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path))
        left, living, others = (tmp_path / f"warm-{name}" for name in ("left", "living", "others"))
        for folder in (left, living, others):
            (folder / "submission-1").mkdir(parents=True)
            (folder / "submission-1/work.txt").write_text("a student's", encoding="utf-8")
        os.close(environment.hold(left))
        held = environment.hold(living)
        environment.sweep(tmp_path, "warm-")
        os.close(held)
        assert not left.exists()
        assert (living / "submission-1/work.txt").exists()
        assert others.exists(), "without a lock nobody knows"
