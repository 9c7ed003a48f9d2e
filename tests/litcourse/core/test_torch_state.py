"""Global settings of a notebook's torch neither reach a check nor are lost by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest
import torch
import torchmetrics  # noqa: F401  as above

from autograder.verifying.solutions import solved_cells
from litcourse.core.registry import find_question
from litcourse.core.serialization import decode, encode
from litcourse.core.torch_state import keep_torch_state
from litcourse.frontends.kernel_entry import write_evidence
from litcourse.frontends.notebook import check_question
from tests.course import LABS

LAB = "lab1_mnist"
SETTINGS: dict[str, Callable[[], Any]] = {
    "cpu": lambda: torch.set_default_device("cpu"),
    "meta": lambda: torch.set_default_device("meta"),
    "cuda": lambda: torch.set_default_device("cuda"),
    "second GPU": lambda: torch.set_default_device("cuda:1"),
    "float64": lambda: torch.set_default_dtype(torch.float64),
    "no gradients": lambda: torch.set_grad_enabled(False),
    "deterministic": lambda: torch.use_deterministic_algorithms(mode=True),
    "warned": lambda: torch.use_deterministic_algorithms(mode=True, warn_only=True),
}


def solved_names(question_id: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    for source in solved_cells(LABS[LAB], question_id):
        exec(source, names)  # noqa: S102 (the instructor's cells)
    return names


def modes() -> tuple[object, ...]:
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return (
        getattr(context, "device", None),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the labs' first cell may set it
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(mode=False)


@pytest.mark.parametrize("name", SETTINGS)
def test_they_are_torchs_own_within_and_as_before_after(name: str) -> None:
    plain = modes()
    SETTINGS[name]()
    before = modes()
    with keep_torch_state():
        assert modes() == plain
        assert torch.ones(1).device.type == "cpu"
        torch.set_default_device("meta")
    assert modes() == before


@pytest.mark.parametrize("question_id", ["wrap", "evaluate", "fit"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_right_answer_stays_right(name: str, question_id: str, tmp_path: Any) -> None:
    names = solved_names(question_id)
    SETTINGS[name]()
    verdict = check_question(LAB, question_id, names, Random(1))
    assert [(f.code, f.got) for f in verdict.findings] == []
    inbox, outbox = tmp_path / "inputs", tmp_path / "evidence"
    with keep_torch_state():
        inbox.write_bytes(encode(find_question(LAB, question_id).draw(Random(2)).shown))
    write_evidence(LAB, question_id, str(inbox), str(outbox), names)
    assert "error" not in decode(outbox.read_bytes())
