"""The scratch folder of a probe, and errors of student code as data."""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Inputs, Question
from litcourse.probing.attempts import attempt, describe
from litcourse.probing.probe_runner import take_evidence
from litcourse.probing.silenced import scratch_folder


def state() -> dict[str, Any]:
    """Whatever a check must leave as it was."""
    return {
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index]  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "logging": logging.root.manager.disable,
        "streams": (sys.stdout, sys.stderr),
        "filters": list(warnings.filters),
        "running": threading.active_count(),
    }


def mess() -> None:
    os.environ["LEFT_BEHIND"] = "1"
    os.environ.pop("PATH")
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 (what Lightning seeds)
    torch.manual_seed(5)
    torch.set_num_threads(2)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(mode=True)
    logging.disable(logging.INFO)
    warnings.simplefilter("error")
    Path("left behind").write_text("x")
    Path("below").mkdir()
    os.chdir("below")


@pytest.fixture(autouse=True)
def _changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that "as before" is not simply the default."""
    for name in ("SLURM_NTASKS", "SLURM_JOB_NAME", "RANK", "WORLD_SIZE", "MASTER_ADDR",
                 "TORCHELASTIC_RUN_ID", "LITCOURSE_DATA", "PL_GLOBAL_SEED"):  # fmt: skip
        monkeypatch.setenv(name, "4")


def test_the_quiet_room_leaves_everything_as_it_was() -> None:
    before = state()
    with scratch_folder() as folder:
        mess()
        assert folder.is_dir()
    assert state() == before
    assert not folder.exists()


def test_also_when_the_body_raises() -> None:
    before = state()
    with pytest.raises(SystemExit), scratch_folder() as folder:  # noqa: PT012 (two is the point)
        mess()
        raise SystemExit
    assert state() == before
    assert not folder.exists()


def test_nothing_of_a_job_and_no_data_root_is_seen_inside() -> None:
    with scratch_folder() as folder:
        found = [n for n in os.environ if n.startswith(("SLURM_", "TORCHELASTIC_", "PL_"))]
        assert not found + [n for n in ("RANK", "WORLD_SIZE", "LITCOURSE_DATA") if n in os.environ]
        assert Path.cwd() == folder.resolve()
        assert not list(folder.iterdir())
        assert torch.get_num_threads() == 1
        assert os.environ["PATH"]


def test_the_quiet_room_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught, scratch_folder():
        print("out")  # noqa: T201 (must not be seen)
        print("err", file=sys.stderr)  # noqa: T201 (as above)
        logging.getLogger("lightning.pytorch").warning("logged")
        warnings.warn("warned", stacklevel=1)
    assert capfd.readouterr() == ("", "")
    assert not caught


def test_a_trainer_inside_is_one_process() -> None:
    with scratch_folder():
        trainer = L.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    assert (trainer.world_size, trainer.global_rank) == (1, 0)


# --- errors as data --------------------------------------------------------------------------


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message for you")


class Text(str):
    __slots__ = ()


class TextError(Exception):
    """Whose message is no plain string, and far too long."""

    def __str__(self) -> str:
        return Text("x" * 10**5)


def raising(error: BaseException) -> Callable[[], dict[str, Any]]:
    def action() -> dict[str, Any]:
        raise error

    return action


def test_what_an_action_returns_is_handed_on() -> None:
    assert attempt(lambda: {"a": 1}, "f()") == {"a": 1}


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [(ValueError("no"), "ValueError", "no"), (SystemExit(3), "SystemExit", "3"),
     (GeneratorExit(), "GeneratorExit", ""), (MemoryError("m"), "MemoryError", "m"),
     (HostileError(), "HostileError", "(its message could not be made)")],
)  # fmt: skip
def test_whatever_student_code_raises_becomes_data(
    error: BaseException, kind: str, message: str
) -> None:
    assert attempt(raising(error), "f()") == {
        "error": {"type": kind, "message": message, "line": "", "called": "f()"}
    }


def test_long_messages_are_cut_and_plain_strings() -> None:
    found = describe(TextError(), "f()")["message"]
    assert type(found) is str
    assert len(found) <= 2000


def test_a_person_may_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        attempt(raising(KeyboardInterrupt()), "f()")


CELL = """
def helper(x):
    return 1 / x

def train():
    model = 3
    return sorted([2, 1], key=lambda x: helper(x - x))
"""


def student(source: str, name: str = "<cell>") -> dict[str, Any]:
    import linecache

    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), namespace)  # noqa: S102 (what a kernel does)
    return namespace


def test_the_students_own_innermost_line_is_found() -> None:
    found = attempt(student(CELL)["train"], "train()")["error"]
    assert found["line"] == "line 3 of the cell, in helper: return 1 / x"


def test_lines_of_libraries_are_not_the_students() -> None:
    source = "import torch\ndef train():\n    return torch.zeros(2) @ torch.zeros(3)\n"
    found = attempt(student(source)["train"], "train()")["error"]
    assert "in train: return torch.zeros(2) @ torch.zeros(3)" in found["line"]


# --- the whole of a student's side ------------------------------------------------------------


def question(probe: Callable[..., dict[str, Any]], *defines: str) -> Question:
    criteria = (Criterion("all", "all of it", 1.0),)
    return Question("a question", defines, criteria, lambda _: Inputs({}), probe, lambda *_: [])


def test_a_name_that_is_missing_is_answered_with_those_that_are_there() -> None:
    namespace = student("class LitClasifier: ...\ndef fit(): ...\ndef _own(): ...\nnumber = 3\n")
    namespace["Path"] = Path
    found = take_evidence(question(lambda *_: {}, "LitClassifier"), {}, namespace)
    assert found == {"missing": {"name": "LitClassifier", "defined": ["LitClasifier", "fit"]}}


def test_the_probe_sees_the_inputs_and_the_names() -> None:
    asked = question(lambda shown, own: {"sum": shown["a"] + own["b"]}, "b")
    assert take_evidence(asked, {"a": 1}, {"b": 2}) == {"sum": 3}


def test_a_probe_that_raises_leaves_an_error_and_no_trace() -> None:
    def probe(*_: object) -> dict[str, Any]:
        mess()
        sys.exit("bye")

    before = state()
    found = take_evidence(question(probe), {}, {})
    assert found["error"]["type"] == "SystemExit"
    assert state() == before
    finding = error_finding(Evidence(found["error"]), ("all",))
    assert (finding.code, finding.got) == ("LIT902", "SystemExit: bye")


def test_a_students_names_are_not_copied() -> None:
    value = object()
    assert Student({"a": value})["a"] is value
    with pytest.raises(KeyError):
        Student({})["a"]
