"""`autograder verify --resume`: what is kept, what is done again, and when it starts anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest
import torchmetrics  # noqa: F401  as above

from autograder.course import AuthorError, Course
from autograder.verifying import kept_trials, verify
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
    course: Course, capsys: pytest.CaptureFixture[str], seeds: int = 2
) -> tuple[dict[str, Any], str]:
    """What a run finds, and what it says on standard error."""
    verify.run(course, [course.lab(LAB)], seeds=seeds, json=True, jobs=2, resume=True)
    out, told = capsys.readouterr()
    found: dict[str, Any] = json.loads(out)
    del found["seconds"]
    return found, told


def test_nothing_is_kept_unless_asked(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    verify.run(course, [course.lab(LAB)], json=True, jobs=2)
    assert capsys.readouterr().out
    assert not kept(course).parent.exists()


def test_what_is_done_is_not_done_again_and_more_seeds_are_added(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, told = resumed(course, capsys)
    assert (first["trials"], first["false_passes"]) == (10, [f"{LAB}/add_one/is right"])
    assert "trials are done" not in told
    ran: list[int] = []
    honest = verify.draw

    def drawn(*of: Any) -> Any:
        ran.append(1)
        return honest(*of)

    monkeypatch.setattr(verify, "draw", drawn)
    again, told = resumed(course, capsys)
    assert (again, ran) == (first, [])
    assert f"{kept(course)}: 10 trials are done" in told
    more, _ = resumed(course, capsys, seeds=3)
    assert (more["trials"], len(ran)) == (15, 5)
    fewer, _ = resumed(course, capsys, seeds=1)
    assert fewer["trials"] == 5


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
    found, told = resumed(course, capsys)
    assert "3 trials are done" in told
    assert found["trials"] == 10
    monkeypatch.setattr(verify, "verdict_on", None)
    assert resumed(course, capsys)[0] == found


@pytest.mark.parametrize("changed", ["bank", "question", "notebook", "version"])
def test_other_code_starts_anew_and_says_so(
    course: Course,
    changed: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resumed(course, capsys, seeds=1)
    files = {
        "bank": course.root / f"autograder/bank/{LAB}/add_one.py",
        "question": course.root / f"litcourse/labs/{LAB}/add_one.py",
        "notebook": course.root / f"source/{LAB}/{LAB}.ipynb",
    }
    if changed in files:
        files[changed].write_text(files[changed].read_text("utf-8") + "\n", encoding="utf-8")
    else:
        monkeypatch.setattr(kept_trials, "version", lambda _: "9.9")
    found, told = resumed(course, capsys, seeds=1)
    assert "the code has changed since, so it starts anew" in told
    assert found["trials"] == len(kept(course).read_text("utf-8").splitlines()) - 1 == 5


def test_two_runs_do_not_write_one_file(course: Course) -> None:
    lab = course.lab(LAB)
    with (
        keep_trials(course, [lab]),
        pytest.raises(AuthorError, match="another run writes it"),
        keep_trials(course, [lab]),
    ):
        pass
