"""`check.wrap()` and `check("wrap")`: whose names they see, what they offer, whom they answer."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import lightning as L
import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from otter.check.notebook import Notebook

from litcourse import Check
from litcourse.check import METHODS
from litcourse.core.names import UnknownNameError
from litcourse.core.question import Inputs
from litcourse.core.registry import find_question
from litcourse.feedback.rendering import Report
from litcourse.frontends.notebook import PUBLIC_SEED, check_question
from tests.course import questions

LAB = "lab1_mnist"
QUESTIONS = sorted(questions(LAB))


def called_in(namespace: dict[str, Any], expression: str) -> Report:
    """What a notebook with these names gets from its check cell."""
    namespace["check"] = Check(LAB)
    report = eval(expression, namespace)  # noqa: S307 (what a kernel does)
    assert isinstance(report, Report)
    return report


FORMS = ['check("timer")', "check.timer()", "(lambda: check.timer())()"]


@pytest.mark.parametrize("form", FORMS)
def test_both_forms_look_into_the_callers_names(form: str) -> None:
    report = called_in({"EpochTimer": int}, form)
    assert report.verdict is not None
    assert [finding.code for finding in report.verdict.findings] == ["LIT600"]
    assert report.verdict.findings[0].got == "builtins.object"


@pytest.mark.parametrize("form", FORMS)
def test_names_of_this_file_are_not_the_callers(form: str) -> None:
    globals()["EpochTimer"] = L.Callback
    try:
        report = called_in({}, form)
    finally:
        del globals()["EpochTimer"]
    assert report.verdict is not None
    assert report.verdict.findings[0].code == "LIT901"
    assert report.verdict.score == 0


def test_a_students_own_check_draws_the_public_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Inputs] = []
    timer = find_question(LAB, "timer")

    def note(inputs: Inputs, *_: object) -> list[Any]:
        seen.append(inputs)
        return []

    monkeypatch.setitem(timer.__dict__, "judge", note)
    called_in({"EpochTimer": int}, "check.timer()")
    assert seen == [timer.draw(Random(PUBLIC_SEED))]


def test_a_verdict_says_which_question_it_is() -> None:
    verdict = check_question(LAB, "timer", {}, Random(1))
    assert (verdict.lab, verdict.question_id) == (LAB, "timer")


# --- names ------------------------------------------------------------------------------------


def test_dir_lists_the_questions_and_the_checks_own_methods() -> None:
    assert dir(Check(LAB)) == sorted([*QUESTIONS, *METHODS])


def test_the_repr_says_how_to_ask() -> None:
    text = repr(Check(LAB))
    assert all(f"check.{name}()" in text for name in QUESTIONS)


def test_without_parentheses_it_says_what_to_type() -> None:
    assert repr(Check(LAB).wrap).startswith("Call it: check.wrap()")


def test_an_unknown_lab_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no lab 'lab1_minst'\. Nearest first: lab1_mnist"):
        Check("lab1_minst")


def test_an_unknown_question_lists_the_known_ones_nearest_first() -> None:
    check = Check(LAB)
    with pytest.raises(UnknownNameError, match=f"^{LAB} has no question 'warp'"):
        check("warp")
    with pytest.raises(AttributeError, match="Nearest first: wrap, "):
        check.warp  # noqa: B018 (the look-up is what raises)


@pytest.mark.parametrize("name", ["_samples", "__wrapped__", "_ipython_canary_method_x"])
def test_private_names_are_plain_attribute_errors(name: str) -> None:
    assert not hasattr(Check(LAB), name)


def test_pickle_and_copy_do_not_loop() -> None:
    import copy

    assert dir(copy.copy(Check(LAB))) == dir(Check(LAB))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[InteractiveShell]:
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell(config=settings, ipython_dir=str(tmp_path))
    shell.user_ns["check"] = Check(LAB)
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.parametrize(
    ("typed", "wanted"), [("check.", sorted([*QUESTIONS, *METHODS])), ("check.wr", ["wrap"])]
)
def test_the_tab_key_offers_the_questions(
    shell: InteractiveShell, jedi: bool, typed: str, wanted: list[str]
) -> None:
    completer = shell.Completer
    assert isinstance(completer, IPCompleter)
    completer.use_jedi = jedi
    with provisionalcompleter():
        offered = {found.text for found in completer.completions(typed, len(typed))}
    assert {text.rsplit(".", 1)[-1] for text in offered} >= set(wanted)


# --- otter -------------------------------------------------------------------------------------


def test_under_otter_a_check_answers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notebook, "_grading_mode", True)
    monkeypatch.setattr(
        "litcourse.frontends.student_check.check_question", lambda *_: pytest.fail("asked twice")
    )
    report = called_in({}, "check.wrap()")
    assert report.verdict is None
    assert repr(report) == "graded by otter"
    assert report._repr_html_() is None


def test_otter_in_a_students_notebook_changes_nothing() -> None:
    assert Notebook._grading_mode is False
    assert called_in({}, "check.wrap()").verdict is not None


def test_a_real_sbatch_is_named_beside_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sbatch = tmp_path / "sbatch"
    sbatch.write_text("#!/bin/sh\nexit 1\n")
    sbatch.chmod(0o755)
    for path, named in ((str(tmp_path), True), ("/nowhere", False)):
        monkeypatch.setenv("PATH", path)
        report = Check("lab5_slurm").one_gpu()
        assert ("sbatch --test-only one_gpu.sbatch" in repr(report)) is named
        assert ("--test-only" in str(report._repr_html_())) is named
        assert report.verdict is not None
        assert report.verdict.score == 0
