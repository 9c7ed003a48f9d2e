"""Grading a class: what is written, what is skipped, and what of a person's work survives."""

import copy
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4
from nbgrader.apps.api import NbGraderAPI
from traitlets.config.loader import PyFileConfigLoader

from autograder.grading.records import NOTEBOOK, RECORD
from litcourse.core.registry import find_question

from .conftest import FAULT, KILLED, LAB, QUESTION, RIGHT, WRONG, Class

POINTS = 5.0
Said = pytest.CaptureFixture[str]


def test_every_submission_has_score_notebook_page_and_record(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("ben", WRONG)
    group.hand_in("eve", b'{"cells": [')
    (group.root / "submitted/mia" / LAB).mkdir(parents=True)
    assert group.grade() == 0
    assert group.students() == {"ada": POINTS, "ben": 0, "eve": 0, "mia": 0}
    for student in ("ada", "ben", "eve", "mia"):
        assert (group.graded(student) / f"{LAB}.ipynb").stat().st_mode & 0o777 == 0o444
        page = group.page(student).read_text(encoding="utf-8")  # of eve and mia without a card
        assert {"eve": "LIT908", "mia": "LIT914"}.get(student, "litcourse-card") in page
        record = group.record(student)
        assert record.written
        assert record.feedback
        assert record.sandbox
    assert group.record("eve").findings == {QUESTION: ["LIT908"]}
    assert group.record("mia").findings == {QUESTION: ["LIT914"]}


def test_what_is_done_is_skipped(group: Class, capsys: Said) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    before = group.record("ada")
    group.hand_in("ben", WRONG)
    capsys.readouterr()
    assert group.grade() == 0
    assert "1 to grade, 1 done already" in capsys.readouterr().out
    assert group.record("ada") == before
    assert set(group.students()) == {"ada", "ben"}


def _kept(group: Class) -> Path:
    """The record that is there now, under another name: a file in its place is another one."""
    old = group.root / "old-record.json"
    old.hardlink_to(group.root / "evidence" / LAB / "ada" / RECORD)
    return old


def test_regrade_forces(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    old = _kept(group)
    assert group.grade(regrade=True) == 0
    assert not old.samefile(group.root / "evidence" / LAB / "ada" / RECORD)
    assert group.record("ada").history == []  # nothing changed


def test_a_second_submission_replaces_the_first(group: Class) -> None:
    group.hand_in("ada", WRONG, at="2026-11-01 10:00:00 UTC")
    group.grade()
    group.hand_in("ada", RIGHT, at="2026-11-02 10:00:00 UTC")
    assert group.grade() == 0
    assert group.score("ada") == POINTS
    (earlier,) = group.record("ada").history
    assert earlier["points"] == {QUESTION: 0}
    assert earlier["timestamp"] == "2026-11-01 10:00:00 UTC"
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "ada").timestamp.day == 2


def test_a_file_beside_the_notebook_counts(group: Class) -> None:
    code = "from pathlib import Path\nnumber_more = int(Path(FILES, 'n.txt').read_text())\n"
    folder = group.hand_in("ada", code + f"def {QUESTION}(n):\n    return n + number_more")
    (folder / "n.txt").write_text("2", encoding="utf-8")
    group.grade()
    assert group.score("ada") == 0
    (folder / "n.txt").write_text("1", encoding="utf-8")
    group.grade()
    assert group.score("ada") == POINTS
    assert (group.graded("ada") / "n.txt").read_text(encoding="utf-8") == "1"


def test_a_new_time_alone_is_written_without_a_run(group: Class) -> None:
    folder = group.hand_in("ada", RIGHT, at="2026-11-01 10:00:00 UTC")
    group.grade()
    before = group.record("ada")
    (folder / "timestamp.txt").write_text("2026-11-03 10:00:00 UTC", encoding="utf-8")
    group.grade()
    assert group.record("ada").graded_at == before.graded_at
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "ada").timestamp.day == 3


@pytest.mark.parametrize("text", ["yesterday", "", "9" * 5000, "\udcff"])
def test_a_damaged_time_stops_nobody(group: Class, text: str) -> None:
    folder = group.hand_in("ada", RIGHT)
    (folder / "timestamp.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert group.grade() == 0
    assert group.score("ada") == POINTS


def test_a_lost_gradebook_is_filled_from_the_results(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    before = group.record("ada")
    (group.root / "gradebook.db").unlink()
    group.grade()
    assert group.students() == {"ada": POINTS}
    assert group.record("ada").graded_at == before.graded_at


def test_lost_folders_are_written_again(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade(feedback=False)
    assert not group.page("ada").exists()
    before = group.record("ada")
    (group.graded("ada") / f"{LAB}.ipynb").unlink()
    group.grade()
    assert (group.graded("ada") / f"{LAB}.ipynb").is_file()
    assert group.page("ada").is_file()
    assert group.record("ada").graded_at == before.graded_at


def test_a_damaged_result_is_graded_again(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    (group.root / "evidence" / LAB / "ada" / NOTEBOOK).write_text("{}", encoding="utf-8")
    old = _kept(group)
    group.grade()
    assert not old.samefile(group.root / "evidence" / LAB / "ada" / RECORD)


# --- grading itself fails --------------------------------------------------------------------


def test_a_submission_that_kills_its_worker_gets_no_score_and_is_named(
    group: Class, capsys: Said
) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("kim", KILLED)
    group.hand_in("zoe", RIGHT)
    assert group.grade() == 1
    assert group.students() == {"ada": POINTS, "kim": None, "zoe": POINTS}
    record = group.record("kim")
    assert record.state == "failed"
    assert "SIGKILL" in record.detail
    assert record.undecided == {QUESTION: record.detail}
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "kim").needs_manual_grade
        assert not gradebook.find_submission(LAB, "ada").needs_manual_grade
    out = capsys.readouterr().out
    assert "1 could not be graded" in out
    assert "kim: the worker was killed by SIGKILL" in out
    assert "GRADING FAILED" in out


def test_what_failed_is_tried_again(group: Class) -> None:
    folder = group.hand_in("kim", f"if not Path(FILES, 'ok').exists():\n    {KILLED!r}\n")
    group.hand_in("kim", "from pathlib import Path\n" + _unless_mended(group) + RIGHT)
    assert group.grade() == 1
    assert folder.is_dir()
    (group.root / "mended").touch()
    assert group.grade() == 0
    assert group.score("kim") == POINTS
    assert group.record("kim").history[0]["state"] == "failed"


def _unless_mended(group: Class) -> str:
    lines = KILLED.replace("\n", "; ")
    return f"if not Path({str(group.root / 'mended')!r}).exists():\n    {lines}\n"


def test_a_score_stays_where_the_same_files_fail_later(group: Class) -> None:
    (group.root / "mended").touch()
    group.hand_in("kim", "from pathlib import Path\n" + _unless_mended(group) + RIGHT)
    assert group.grade() == 0
    (group.root / "mended").unlink()
    assert group.grade(regrade=True) == 1
    assert group.score("kim") == POINTS
    assert group.record("kim").state == "graded"


def test_a_name_that_no_gradebook_takes_is_told(group: Class, capsys: Said) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in(os.fsdecode(b"caf\xe9"), RIGHT)
    assert group.grade() == 1
    assert set(group.students()) == {"ada"}
    assert "caf\N{REPLACEMENT CHARACTER}: not written" in capsys.readouterr().out


@pytest.mark.parametrize("student", ["-rf", "Zoë Müller", "[x]*", "a,b;\"c'", "=1+1", "[red]"])
def test_odd_names_are_names(group: Class, student: str, tmp_path: Path) -> None:
    group.hand_in(student, RIGHT)
    assert group.grade(students=[student], csv=tmp_path / "scores.csv") == 0
    assert group.students() == {student: POINTS}
    assert group.page(student).is_file()


def test_judging_again_cleans_what_an_earlier_version_graded(group: Class) -> None:
    folder = group.hand_in("ada", RIGHT)
    (folder / "plot.png").symlink_to("/etc/hosts")  # left out, which the notebook's head says
    group.grade()
    path = group.graded("ada") / f"{LAB}.ipynb"
    clean = nbformat.read(path, as_version=4)
    assert "LIT951" in clean.cells[0].source
    old = copy.deepcopy(clean)
    old.cells.append(v4.new_markdown_cell("<script>run()</script>"))
    old.cells[1].metadata["tags"] = ["'><script>"]
    nbformat.write(old, path)
    assert group.rejudge() == 0
    made = nbformat.read(path, as_version=4)
    assert made.cells.pop().source == "< script>run()< /script>"
    assert made == clean
    assert "<script>run()" not in group.page("ada").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "ask",
    [lambda _, evidence: evidence["more"], lambda inputs, _: inputs.shown["more"]],
    ids=["evidence", "inputs"],
)
def test_evidence_that_a_new_judge_can_not_read_keeps_its_points(
    group: Class,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
    ask: Callable[[Any, Any], Any],
) -> None:
    """As when litcourse is updated in the middle of a term."""
    group.hand_in("ada", RIGHT)
    group.grade()
    kept = group.root / "evidence" / LAB / "ada" / f"{QUESTION}.json"
    before = kept.read_bytes()
    updated = replace(find_question(LAB, QUESTION), judge=ask)
    with monkeypatch.context() as patch:
        patch.setattr("litcourse.core.scoring.find_question", lambda *_: updated)
        group.points(20)
        assert group.rejudge() == 1
    said = capsys.readouterr().out
    assert f"the judge of {QUESTION} is another one now" in said
    assert "Next: autograder grade LAB --regrade" in said
    assert group.score("ada") == POINTS
    assert kept.read_bytes() == before
    assert group.rejudge() == 0
    assert group.score("ada") == 20


# --- the inputs ------------------------------------------------------------------------------


def _inputs(group: Class) -> bytes:
    return (group.root / "evidence" / LAB / "ada" / f"{QUESTION}.inputs").read_bytes()


def _by_nbgrader(group: Class) -> bytes:
    config = PyFileConfigLoader("nbgrader_config.py", path=str(group.root)).load_config()
    config.CourseDirectory.root = str(group.root)
    shutil.rmtree(group.root / "evidence")
    shutil.rmtree(group.root / "autograded")
    assert NbGraderAPI(config=config).autograde(LAB, "ada")["success"]
    return _inputs(group)


def test_inputs_follow_from_all_that_the_code_can_see(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a file beside the notebook could hold the answers that the last feedback told."""
    monkeypatch.syspath_prepend(str(group.root))  # for here.py
    folder = group.hand_in("ada", WRONG)
    (group.root / "source" / LAB / "given.txt").write_text("given", encoding="utf-8")
    seen = []
    for name, text in [("", ""), ("answers.json", "{}"), ("answers.json", "[]"), ("b.json", "[]")]:
        if name:
            (folder / name).write_text(text, encoding="utf-8")
        assert group.grade(regrade=True) == 0
        seen.append(_inputs(group))
        assert group.grade(regrade=True) == 0
        assert _inputs(group) == seen[-1]
        assert _by_nbgrader(group) == seen[-1]
    assert len(set(seen)) == len(seen)
    # What it can't see changes nothing.
    (folder / "timestamp.txt").write_text("2026-11-01 10:00:00 UTC", encoding="utf-8")
    (folder / "b.json").chmod(0o600)
    (folder / "draft.ipynb").write_text("{}", encoding="utf-8")
    assert group.grade(regrade=True) == 0
    assert _inputs(group) == seen[-1]
    assert _by_nbgrader(group) == seen[-1]
    assert group.rejudge() == 0


# --- the machine's faults --------------------------------------------------------------------


def test_a_fault_of_the_machine_costs_nothing_if_it_passes(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("kim", f"FAULT = '' if ALONE else {FAULT!r}\n{RIGHT}")
    group.hand_in("zoe", WRONG)
    assert group.grade(jobs=2) == 0
    assert group.students() == {"ada": POINTS, "kim": POINTS, "zoe": 0}


def test_nbgrader_runs_it_once_more_too(group: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(group.root))  # for here.py
    group.hand_in("kim", f"FAULT = '' if ALONE else {FAULT!r}\n{RIGHT}")
    group.nbgrader_autograde()
    assert group.students() == {"kim": POINTS}


def test_nbgrader_enters_no_score_if_the_machine_fails_twice(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(group.root))  # for here.py
    monkeypatch.setenv("NBGRADER_EXECUTION", "")  # nbgrader leaves it where a step raises
    group.hand_in("ada", RIGHT)
    group.hand_in("kim", f"FAULT = {FAULT!r}\n{RIGHT}")
    with pytest.raises(SystemExit) as end:
        group.nbgrader_autograde()
    assert end.value.code == 1
    assert group.students()["ada"] == POINTS
    assert group.students().get("kim") is None


def test_a_fault_of_the_machine_that_stays_gives_no_score(group: Class, capsys: Said) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("kim", f"FAULT = {FAULT!r}\n{RIGHT}")
    assert group.grade(jobs=2) == 1
    assert group.students() == {"ada": POINTS, "kim": None}
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "kim").needs_manual_grade
    assert f"lab0_tiny kim: MachineError: {FAULT}" in capsys.readouterr().out
    assert group.rejudge() == 1
    assert group.students() == {"ada": POINTS, "kim": None}
    group.hand_in("kim", RIGHT)
    assert group.grade() == 0
    assert group.students() == {"ada": POINTS, "kim": POINTS}
