"""Finds out whether an exception of `converge` is that of an earlier question."""

from __future__ import annotations

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Finding

_OF_THE_TRAINER = "in make_trainer:"
_OF_THE_MODULE = ("configure_optimizers", "training_step", "validation_step")


def waiting_finding(error: Evidence, cost: tuple[str, ...]) -> Finding:
    """LIT904, which names the earlier question that the exception waits for."""
    found = error_finding(error, cost)
    expected = "question schedule solved: a LitResNet that trains and logs"
    if _OF_THE_TRAINER in found.where:
        expected = (
            "question engineer solved: a make_trainer that gives one; or another Trainer here"
        )
    return Finding("LIT904", cost, found.called, expected, found.got, found.where)


def exception_finding(error: Evidence, cost: tuple[str, ...]) -> Finding:
    """The finding on an exception, of this question or of an earlier one that it needs."""
    found = error_finding(error, cost)
    elsewhere = _OF_THE_TRAINER in found.where
    unsolved = found.code == "LIT900" and "in train_cifar10:" not in found.where
    module = any(f"in {name}:" in found.where for name in _OF_THE_MODULE)
    if unsolved or elsewhere or module or found.code in {"LIT010", "LIT130"}:
        return waiting_finding(error, cost)
    return found


def judge_hardware(main: Evidence, cost: tuple[str, ...]) -> list[Finding]:
    """Judge that no Trainer was told of hardware; one of `make_trainer`'s own waits for that."""
    own = _hardware_of(main["by_make_trainer"])
    for told in _hardware_of(main["arguments"]):
        called, expected = "train_cifar10(...)", "accelerator, devices and strategy left out"
        if told in own:
            expected = "question engineer solved: a make_trainer that names no hardware"
            return [Finding("LIT904", cost, called, expected, told)]
        code = "LIT013" if told in {"accelerator=gpu", "accelerator=cuda"} else "LIT440"
        return [Finding(code, cost, called, expected, told)]
    return []


def _hardware_of(trainers: Evidence) -> list[str]:
    pairs = [(name, each[name].text()) for each in trainers for name in each.keys()]  # noqa: SIM118
    neutral = {("num_nodes", "1"), ("devices", "1"), ("accelerator", "cpu")}
    return [f"{n}={value}" for n, value in pairs if value != "auto" and (n, value) not in neutral]
