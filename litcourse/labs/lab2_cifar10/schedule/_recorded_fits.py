"""Fits a student's LitResNet in the ways that `schedule` asks for, and records each step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from litcourse.labs.lab2_cifar10.schedule._rates import RANKS
from litcourse.labs.lab2_cifar10.schedule._step_recorder import Recorder
from litcourse.probing.attempts import attempt
from litcourse.probing.fake_gpu import GPU_FIT, run_on_fake_gpu
from litcourse.probing.networks import build_network
from litcourse.probing.step_lines import steps_by_hand
from litcourse.probing.trainers import (
    copy_tensors,
    late_batches,
    logged_values,
    make_loader,
    quiet_trainer,
)

ARGUMENTS = ("max_lr", "weight_decay")
"""LitResNet's arguments after the network."""
REPEATS = 6
"""How often the drawn batches make up an epoch of the run with `max_steps`."""
PLAIN = "Trainer.fit(LitResNet(model, ...))"


def build(cls: Any, shown: dict[str, Any], names: tuple[str, ...] = ARGUMENTS) -> Any:
    return cls(build_network(shown["network"]), **{name: shown[name] for name in names})


def read_start(cls: Any, shown: dict[str, Any]) -> dict[str, Any]:
    build(cls, shown)  # an earlier object, of which nothing is to be kept
    given = build_network(shown["network"])
    model = cls(given, **{name: shown[name] for name in ARGUMENTS}).model
    state = copy_tensors(model.state_dict()) if isinstance(model, torch.nn.Module) else {}
    return {"state": state, "same": model is given}


def run_plain(cls: Any, shown: dict[str, Any]) -> dict[str, Any]:
    """Fit with a validation, else without one, so that its fault hides nothing; then test."""
    seen = _fit_plainly(cls, shown, validates=True)
    if "error" not in seen:
        return seen
    without = _fit_plainly(cls, shown, validates=False)
    return seen if "error" in without else {**without, "fit": {"error": seen["error"]}}


def _fit_plainly(cls: Any, shown: dict[str, Any], *, validates: bool) -> dict[str, Any]:
    recorder = Recorder(shown["seed"])

    def run() -> dict[str, Any]:
        module = build(cls, shown)
        sets = {name: _make_loader(shown, name) for name in ("val", "test")}
        trainer = quiet_trainer(max_epochs=shown["epochs"], callbacks=[recorder])
        with late_batches(module, "validation_step", len(shown["sizes"]["val"])):
            trainer.fit(module, make_loader(shown["batches"]), sets["val"] if validates else None)
        evidence = {
            "final": copy_tensors(dict(module.model.named_parameters())),
            "optimizers": [type(optimizer).__name__ for optimizer in trainer.optimizers],
            "automatic": bool(module.automatic_optimization),
            "by_hand": steps_by_hand(cls),
            "fit": logged_values(trainer),
            "val_logits": _compute_logits(module.model, shown["val"][0]),
        }

        def test() -> dict[str, Any]:
            with late_batches(module, "test_step", len(shown["sizes"]["test"])):
                trainer.test(module, sets["test"], verbose=False)
            return logged_values(trainer)

        tested = attempt(test, "Trainer.test(LitResNet(model, ...))")
        logits = _compute_logits(module.model, shown["test"][0])
        return {**evidence, "test": tested, "test_logits": logits}

    return {**_collect_evidence(run, recorder, PLAIN), "losses": recorder.losses}


def run_on_gpu(cls: Any, shown: dict[str, Any]) -> dict[str, Any]:
    """A short fit with network and batches on a fake GPU."""

    def fit(arguments: dict[str, Any]) -> dict[str, Any]:
        trainer = quiet_trainer(**arguments, max_epochs=-1, max_steps=2)
        trainer.fit(build(cls, shown), make_loader(shown["batches"]))
        return {}

    return attempt(lambda: run_on_fake_gpu(fit), GPU_FIT)


def _make_loader(shown: dict[str, Any], name: str) -> Any:
    parts = (part.split(shown["sizes"][name]) for part in shown[name])
    return make_loader([list(pair) for pair in zip(*parts, strict=True)])


def _compute_logits(model: Any, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model.eval()(images)
    model.train()
    return logits.detach().clone()


def _collect_evidence(
    run: Callable[[], dict[str, Any]], recorder: Recorder, called: str
) -> dict[str, Any]:
    """What `run` returns or raises, and the recorder's lists."""
    evidence = attempt(run, called)
    records: dict[str, Any] = {"groups": recorder.groups}
    if recorder.steps != ():
        records |= {"weights": recorder.weights, "gradients": recorder.gradients}
    return {**evidence, **records}


def run_other(
    cls: Any,
    shown: dict[str, Any],
    fit: Callable[..., None],
    *,
    steps: Collection[int] | None = None,
    arguments: tuple[str, ...] = ARGUMENTS,
) -> dict[str, Any]:
    """The evidence of a run by `fit`, other than the plain one; of `steps` alone, or of none."""
    recorder = Recorder(shown["seed"], steps)

    def run() -> dict[str, Any]:
        fit(build(cls, shown, arguments), shown, recorder)
        return {}

    return _collect_evidence(run, recorder, PLAIN)


def fit_accumulated(module: Any, shown: dict[str, Any], recorder: Recorder) -> None:
    trainer = quiet_trainer(
        max_epochs=shown["epochs"],
        accumulate_grad_batches=shown["accumulate"],
        callbacks=[recorder],
    )
    trainer.fit(module, make_loader(shown["batches"]))


def fit_max_steps(module: Any, shown: dict[str, Any], recorder: Recorder) -> None:
    """Fit for so many steps that one hundred are over, in epochs of more than fifty batches."""
    trainer = quiet_trainer(max_epochs=-1, max_steps=shown["max_steps"], callbacks=[recorder])
    trainer.fit(module, make_loader([pair for _ in range(REPEATS) for pair in shown["batches"]]))


def fit_few_steps(module: Any, shown: dict[str, Any], recorder: Recorder) -> None:
    trainer = quiet_trainer(max_epochs=-1, max_steps=shown["few_steps"], callbacks=[recorder])
    trainer.fit(module, make_loader(shown["batches"]))


def fit_rank(module: Any, shown: dict[str, Any], recorder: Recorder, *, rank: int) -> None:
    """Fit on this rank's share of "test", in order; Lightning's own sampler would shuffle."""
    trainer = quiet_trainer(
        max_epochs=shown["epochs"], strategy="ddp", devices=RANKS, callbacks=[recorder]
    )
    data = TensorDataset(*shown["test"])
    shard: DistributedSampler[Any] = DistributedSampler(
        data, num_replicas=RANKS, rank=rank, shuffle=False
    )
    trainer.fit(module, DataLoader(data, batch_size=shown["size"], sampler=shard))
