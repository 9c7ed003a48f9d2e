"""A torch that is too old to grade a lab is told before anything runs."""

from __future__ import annotations

import importlib
import sys

import pytest
from typer.testing import CliRunner

from autograder import course
from autograder.cli import app
from autograder.course import AuthorError, Course
from autograder.verifying import verify
from litcourse.core.exit_codes import ExitCode
from tests.course import LABS

TINY = "lab0_tiny"


def install(monkeypatch: pytest.MonkeyPatch, torch: str) -> None:
    """Have this environment say that it has such a torch."""
    monkeypatch.setattr(course, "version", {"torch": torch}.__getitem__)


@pytest.mark.parametrize("torch", ["2.6.0", "2.7.1+cpu", "2.8.0", "2.9.0", "2.9.1rc1"])
def test_an_old_torch_is_too_old_for_lab_4(monkeypatch: pytest.MonkeyPatch, torch: str) -> None:
    install(monkeypatch, torch)
    done = CliRunner().invoke(app, ["verify", "lab4_fsdp"])
    assert done.exit_code == ExitCode.MISTAKE
    assert f"grading needs torch 2.9.1 or newer, and {sys.prefix} has {torch}" in done.stderr
    assert "Next: make setup" in done.stderr


@pytest.mark.parametrize("torch", ["2.9.1", "2.9.1+cpu", "2.10.0", "2.13.0+cu126", "3.0.0"])
def test_a_new_one_is_not(monkeypatch: pytest.MonkeyPatch, torch: str) -> None:
    install(monkeypatch, torch)
    LABS["lab4_fsdp"].check_versions()


def test_other_labs_are_graded_with_any(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "2.6.0")
    for name in LABS.keys() - {"lab4_fsdp"}:
        LABS[name].check_versions()


def test_verify_says_so_before_it_looks_at_anything(
    tiny: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = importlib.import_module(f"litcourse.labs.{TINY}")
    monkeypatch.setattr(package, "GRADING_NEEDS", {"torch": "99.1"}, raising=False)
    monkeypatch.setattr(verify, "load", None)
    with pytest.raises(AuthorError, match=r"needs torch 99\.1 or newer"):
        verify.look_ahead(tiny.lab(TINY))
