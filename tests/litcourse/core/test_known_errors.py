"""Exceptions that have a finding of their own, each raised for real by torch or Lightning."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from litcourse import models
from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import PATTERNS, error_code, error_finding, network_names
from litcourse.probing.attempts import attempt
from litcourse.probing.silenced import scratch_folder
from tests.litcourse.core.raised_errors import REAL, Kept, Module, fit, validate_first
from tests.litcourse.core.resembling_errors import RESEMBLING

WITHOUT_GPU = not torch.cuda.is_available()


@pytest.mark.parametrize(
    ("code", "action"), [(c, a) for c, _, a in REAL], ids=[f"{c} {n}" for c, n, _ in REAL]
)
def test_the_installed_versions_still_say_it_so(code: str, action: Callable[[], Any]) -> None:
    if code in {"LIT007", "LIT013"} and not WITHOUT_GPU:
        pytest.skip("this machine has a GPU, where the call is right; to enable: hide it")
    kind, message = raised(action)
    assert error_code(kind, message) == code, message


def raised(action: Callable[[], Any]) -> tuple[str, str]:
    """Type and message of the exception of `action`."""
    with scratch_folder():
        found = attempt(lambda: action() or {}, "fit")
    assert "error" in found, "nothing was raised"
    return found["error"]["type"], found["error"]["message"]


@pytest.mark.parametrize(
    ("code", "instead", "action"),
    [(code, instead, action) for code, instead, _, action in RESEMBLING],
    ids=[f"{code} {name}" for code, _, name, _ in RESEMBLING],
)
def test_a_message_that_resembles_one_does_not_get_its_code(
    code: str, instead: str, action: Callable[[], Any]
) -> None:
    kind, message = raised(action)
    found = error_code(kind, message)
    assert found != code, message
    assert found == instead, message


def test_every_pattern_is_raised_and_has_a_message_that_it_leaves_alone() -> None:
    codes = {code for code, _ in PATTERNS}
    assert codes == {code for code, _, _ in REAL}
    assert codes == {code for code, _, _, _ in RESEMBLING}


def test_networks_of_the_course_are_known_as_such() -> None:
    kinds = [kind for _, kind in inspect.getmembers(models, inspect.isclass)]
    mine = {kind.__name__ for kind in kinds if issubclass(kind, nn.Module)}
    assert mine <= set(network_names().split("|"))


def test_a_module_without_fault_raises_nothing() -> None:
    with scratch_folder():
        fit(Module())


@pytest.mark.parametrize(
    ("use", "arguments"),
    [
        (lambda m: m.made.add_(1), {}),
        (lambda m: m.kept.clone().mul_(0.9) + m.layer.weight * m.kept.clone(), {}),
        (lambda m: m.kept.mul_(0.9) + m.layer.weight * m.kept.clone(), {"inference_mode": False}),
    ],
    ids=["made in __init__", "a clone", "no inference mode"],
)
def test_what_explain_says_of_tensors_of_validate_helps(
    use: Callable[[Kept], Any], arguments: dict[str, Any]
) -> None:
    with scratch_folder():
        validate_first(use, **arguments)()


def test_validation_inside_of_fit_makes_tensors_that_training_may_change() -> None:
    class Bent(Kept):
        def on_train_end(self) -> None:
            self.kept.mul_(0.9)

    with scratch_folder():
        fit(Bent())


def finding_of(kind: str, message: str) -> Any:
    error = {"type": kind, "message": message, "line": "line 1", "called": "f()"}
    return error_finding(Evidence(error), ("a", "b"))


def test_a_stub_is_no_mistake() -> None:
    found = finding_of("NotImplementedError", "")
    assert (found.code, found.expected, found.got) == (
        "LIT900",
        "a solved cell",
        "NotImplementedError",
    )


def test_other_exceptions_say_their_first_lines() -> None:
    found = finding_of("ValueError", "\nfirst\nsecond\n")
    assert (found.code, found.got, found.where) == ("LIT902", "ValueError: first second", "line 1")
    assert found.criteria == ("a", "b")


@pytest.mark.parametrize("message", ["", "loss", "setup() is right", "the 'loss' of a dict"])
def test_messages_that_only_resemble_one_are_left_alone(message: str) -> None:
    assert error_code("ValueError", message) == "LIT902"


def test_a_message_made_to_be_slow_is_not() -> None:
    import time

    started = time.perf_counter()
    finding_of("ValueError", "a dict " * 10**6)
    assert time.perf_counter() - started < 1
