"""Fixtures: a course with one tiny lab that needs no Lightning, in a folder of its own."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder import bank
from autograder.building.scaffold import scaffold
from autograder.course import Course, Lab
from autograder.engine.judge_server import handle_request
from autograder.nbgrader_plugins.judge_client import JudgeClient
from litcourse import labs

LAB, QUESTION = "lab0_tiny", "add_one"


@pytest.fixture
def tiny(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    """A course with the lab `lab0_tiny`, whose only question `add_one` has a real judge."""
    places = {labs: tmp_path / "litcourse/labs", bank: tmp_path / "autograder/bank"}
    for package, place in places.items():
        place.mkdir(parents=True)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(place)])
    (tmp_path / "source").mkdir()
    shutil.copy(root / "nbgrader_config.py", tmp_path)
    course = Course(tmp_path)
    scaffold(course, LAB, QUESTION)
    _write_judge(tmp_path / f"litcourse/labs/{LAB}/{QUESTION}.py")
    yield course
    for name in [name for name in sys.modules if LAB in name]:
        del sys.modules[name]


def _write_judge(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    text = text.replace("Criterion, Finding", "Criterion, Earned, Finding")
    test = 'if evidence["value"].integer() == inputs.shown["number"] + 1:'
    condition = f"    {test}\n        return [Earned(every)]\n"
    place = "    # Nobody earns points"
    path.write_text(text.replace(place, condition + place), encoding="utf-8")


@pytest.fixture
def torch_threads() -> Iterator[None]:
    """Restore torch's number of threads: `warm_up` sets it to one."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def lab(tiny: Course) -> Lab:
    """The tiny lab, freshly read."""
    return tiny.lab(LAB)


def reply_in_process(
    _: JudgeClient, request: dict[str, Any], parts: list[bytes]
) -> tuple[Any, list[bytes]]:
    """The reply of a judge server, made in this process."""
    reply, reply_parts = handle_request(json.loads(json.dumps(request)), parts)
    return json.loads(json.dumps(reply)), reply_parts
