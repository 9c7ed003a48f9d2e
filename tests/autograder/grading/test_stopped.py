"""A run that is stopped, at whatever moment and by whatever: the next one goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random

import pytest

from autograder.engine import syscalls
from autograder.grading.records import RecordStore

from .conftest import LAB, QUESTION, RIGHT, WRONG, Apart, Class

pytestmark = pytest.mark.slow

STUDENTS = [f"s{number:02d}" for number in range(16)]
KILLS = 10
AS_ROOT = os.geteuid() == 0


def handed_in(group: Class, runs: Path) -> dict[str, float]:
    """A class whose answers note that they ran; what each member deserves."""
    due = {}
    for number, student in enumerate(STUDENTS):
        answer, due[student] = (RIGHT, 5.0) if number % 3 else (WRONG, 0.0)
        mark = f"with open({str(runs)!r}, 'a') as file:\n    file.write('{student}\\n')\n"
        group.hand_in(student, mark + answer)
    return due


def complete(group: Class) -> set[str]:
    """Students whose result is on the disk."""
    records = RecordStore(group.root / "evidence")
    found = {student: records.load(LAB, student) for student in STUDENTS}
    return {student for student, record in found.items() if record is not None}


def counts(runs: Path) -> dict[str, int]:
    lines = runs.read_text(encoding="utf-8").split() if runs.exists() else []
    return {student: lines.count(student) for student in STUDENTS}


def check_whole(group: Class, due: dict[str, float]) -> None:
    assert group.students() == due
    for student in STUDENTS:
        record = group.record(student)
        assert (record.written, record.feedback, record.history) == (True, True, [])
        beside = [path.name for path in group.graded(student).parent.iterdir()]
        assert beside == [LAB]  # and no part of a folder
        assert group.page(student).is_file()


def test_killed_at_ten_moments_it_grades_everybody_once(
    group: Class, apart: Apart, tmp_path: Path
) -> None:
    runs, rng = tmp_path / "runs", Random(7)
    due = handed_in(group, runs)
    started = time.monotonic()
    apart(tmp_path / "first", lambda: group.grade(students=[STUDENTS[0]])).join()
    whole = time.monotonic() - started  # of a run with one submission
    killed = 0
    while killed < KILLS:
        before, ran = complete(group), counts(runs)
        process = apart(tmp_path / "log", lambda: group.grade(jobs=2))
        time.sleep(rng.uniform(0.05, 1.2) * whole)
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        killed += 1
        again = {student for student in before if counts(runs)[student] != ran[student]}
        assert not again, "what was complete ran again"
    assert group.grade(jobs=2) == 0
    check_whole(group, due)


@pytest.mark.skipif(not AS_ROOT, reason="mounts a tiny disk; to enable: run it as root")
@pytest.mark.parametrize("folder", ["evidence", "autograded", "feedback"])
def test_a_full_disk_stops_it_and_loses_nothing(
    group: Class, apart: Apart, tmp_path: Path, folder: str
) -> None:
    runs = tmp_path / "runs"
    due = handed_in(group, runs)
    place = group.root / folder
    place.mkdir()

    def on_a_tiny_disk() -> int:
        syscalls.unshare(syscalls.NEWNS, "mounts")
        syscalls.make_mounts_private()
        syscalls.mount_tmpfs(place, "size=40k")
        return group.grade()

    process = apart(tmp_path / "log", on_a_tiny_disk)
    process.join()
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert process.exitcode == 2, said
    assert "No space left on device" in said
    assert "type the same again" in said
    assert group.grade() == 0
    check_whole(group, due)


def test_a_changed_rubric_is_judged_again_without_a_run(
    group: Class, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    due = handed_in(group, runs)
    group.grade()
    ran = counts(runs)
    group.points(4)
    capsys.readouterr()
    assert group.rejudge() == 0
    assert counts(runs) == ran
    assert group.students() == {student: points * 0.8 for student, points in due.items()}
    changed = [student for student, points in due.items() if points]
    assert f"{len(changed)}" in capsys.readouterr().out
    record = group.record(changed[0])
    assert record.points == {QUESTION: 4.0}
    assert record.history[-1]["points"] == {QUESTION: 5.0}
    assert "4" in group.page(changed[0]).read_text(encoding="utf-8")
