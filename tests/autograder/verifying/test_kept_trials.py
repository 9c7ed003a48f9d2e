"""`autograder verify`: what is kept of it, what is run again, and why."""

from __future__ import annotations

import errno
import json
import os
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest
import torchmetrics  # noqa: F401  as above

from autograder.course import Course
from autograder.verifying import dependencies, kept_trials, trials, verify
from autograder.verifying.kept_trials import FOLDER, keep_trials

pytestmark = pytest.mark.usefixtures("torch_threads")
LAB = "lab0_tiny"
BANK = """from autograder.bank import right, wrong
CASES = [
    right("swapped", ("number + 1", "1 + number")),
    wrong("two more", "LIT900", ("+ 1", "+ 2")),
    wrong("is right", "LIT900", ("number + 1", "number + 1 + 0")),
]
"""


@pytest.fixture
def course(tiny: Course) -> Course:
    (tiny.root / f"autograder/bank/{LAB}/add_one.py").write_text(BANK, encoding="utf-8")
    return tiny


def kept(course: Course) -> Path:
    return course.root / FOLDER / f"{LAB}.jsonl"


def resumed(
    course: Course, capsys: pytest.CaptureFixture[str], seeds: int = 2, *, fresh: bool = False
) -> dict[str, Any]:
    """What a run finds."""
    verify.run(course, [course.lab(LAB)], seeds=seeds, json=True, jobs=2, fresh=fresh)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    del found["seconds"]
    return found


def test_what_is_done_is_not_done_again_and_more_seeds_are_added(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = resumed(course, capsys)
    assert (first["trials"], first["kept"]) == (10, 0)
    assert first["false_passes"] == [f"{LAB}/add_one/is right"]
    ran: list[int] = []
    honest = trials.draw

    def drawn(*of: Any) -> Any:
        ran.append(1)
        return honest(*of)

    monkeypatch.setattr(trials, "draw", drawn)
    assert (resumed(course, capsys), ran) == (first | {"kept": 10}, [])
    more = resumed(course, capsys, seeds=3)
    assert (more["trials"], more["kept"], len(ran)) == (15, 10, 5)
    fewer = resumed(course, capsys, seeds=1)
    assert (fewer["trials"], fewer["kept"]) == (5, 5)
    assert resumed(course, capsys, seeds=1, fresh=True) == fewer | {"kept": 0}
    assert len(ran) == 10


def test_interrupted_it_keeps_what_is_done(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = verify.verdict_on
    judged: list[int] = []

    def interrupted(*of: Any) -> Any:
        judged.append(1)
        if len(judged) == 4:
            raise KeyboardInterrupt
        return honest(*of)

    monkeypatch.setattr(verify, "verdict_on", interrupted)
    with pytest.raises(KeyboardInterrupt):
        resumed(course, capsys)
    assert "what is done is kept" in capsys.readouterr().err
    with kept(course).open("a", encoding="utf-8") as file:
        file.write('{"lab": "lab0_')  # as a kill in the middle of a line leaves it
    found = resumed(course, capsys)
    assert (found["trials"], found["kept"]) == (10, 3)
    monkeypatch.setattr(verify, "verdict_on", None)
    assert resumed(course, capsys) == found | {"kept": 10}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "still"),
    [("answer", 4), ("expected", 4), ("question", 0), ("solution", 2), ("version", 0)],
)
def test_what_has_changed_is_run_again_and_that_alone(
    course: Course,
    changed: str,
    still: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the solution has changed, the stub and an answer in its place are what they were."""
    resumed(course, capsys, seeds=1)
    bank = course.root / f"autograder/bank/{LAB}/add_one.py"
    match changed:
        case "answer":
            edit(bank, '"+ 2"', '"+ 3"')
        case "expected":
            edit(bank, '"two more", "LIT900"', '"two more", "LIT901"')
        case "question":
            edit(course.root / f"litcourse/labs/{LAB}/add_one.py", "QUESTION =", "\nQUESTION =")
        case "solution":
            edit(course.root / f"source/{LAB}/{LAB}.ipynb", "number + 1", "number + 1 ")
            edit(bank, "number + 1", "number + 1 ")
        case _:
            monkeypatch.setattr(dependencies, "version", lambda _: "9.9")
    for name in [name for name in sys.modules if name.startswith(f"autograder.bank.{LAB}")]:
        monkeypatch.delitem(sys.modules, name)  # as a new process, which has not imported it
    found = resumed(course, capsys, seeds=1)
    assert (found["trials"], found["kept"]) == (5, still)
    assert resumed(course, capsys, seeds=1)["kept"] == 5


def test_lines_that_no_longer_count_are_taken_out(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(4):
        resumed(course, capsys, seeds=1, fresh=True)
    assert len(kept(course).read_text("utf-8").splitlines()) <= 3 * 5
    assert resumed(course, capsys, seeds=1)["kept"] == 5


def test_of_two_runs_one_keeps_what_it_finds_and_the_other_runs_all_the_same(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    with keep_trials(course, [course.lab(LAB)]):
        verify.run(course, [course.lab(LAB)], json=True, jobs=2)
    found = capsys.readouterr()
    assert json.loads(found.out)["trials"] == 5
    assert "results of lab0_tiny are not kept: " in found.err
    assert "another run writes it" in found.err
    assert kept(course).read_text("utf-8") == ""


def test_where_nothing_can_be_written_it_runs_all_the_same(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    (course.root / FOLDER).write_text("in the way", encoding="utf-8")
    verify.run(course, [course.lab(LAB)], json=True, jobs=2)
    found = capsys.readouterr()
    assert json.loads(found.out)["trials"] == 5
    assert "are not kept" in found.err


class Full(FileIO):
    """A file on a full disk."""

    def write(self, _: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_on_a_full_disk_it_runs_to_its_end_and_says_so_once(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed(course, capsys, seeds=1)
    monkeypatch.setattr(kept_trials, "open_kept", lambda path: Full(path, "a+"))
    verify.run(course, [course.lab(LAB)], seeds=2, json=True, jobs=2, fresh=False)
    found = capsys.readouterr()
    assert (json.loads(found.out)["trials"], json.loads(found.out)["kept"]) == (10, 5)
    assert found.err.count("results of lab0_tiny are not kept: [Errno 28] No space left") == 1


def test_a_file_that_holds_other_bytes_is_no_hindrance(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(course).parent.mkdir()
    kept(course).write_bytes(b"\xff\xfe\n{]\n")
    assert resumed(course, capsys, seeds=1)["kept"] == 0
    assert resumed(course, capsys, seeds=1)["kept"] == 5
