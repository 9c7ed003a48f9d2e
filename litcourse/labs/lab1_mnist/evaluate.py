"""evaluate: exact epoch metrics in validation and test.

In the probe a real Trainer validates, tests and validates again on drawn samples whose last batch
is smaller; the evidence is the logged values and the logits of the student's module. The judge
computes the metrics from those logits, so a wrong `forward` costs nothing here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from litcourse.core.comparison import is_count, macro_accuracy
from litcourse.core.evidence import Evidence, is_close
from litcourse.core.known_errors import error_finding, waiting_finding
from litcourse.core.marks import merge, without_repeats
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.probing.attempts import attempt
from litcourse.probing.class_bases import bases, first_base
from litcourse.probing.networks import (
    CLASSES,
    build_network,
    draw_batch,
    draw_networks,
    make_generator,
)
from litcourse.probing.trainers import (
    late_batches,
    logged_values,
    make_sample_loader,
    quiet_trainer,
)

SIDE = 6
METHODS = {"val": "validation_step", "test": "test_step"}
RUNS = (("val", "first"), ("test", "test"), ("val", "second"))
TOLERANCE = 1e-5
SHAPES = {
    "dropout": ((9, 11, 13), range(4, 7)),
    "conv": ((131, 137, 139), (2, 3)),
    "deep": ((5,), range(20, 26)),
}
"""Sizes and numbers of whole batches: of few, large and many ones. No mean is a round decimal."""


def draw(rng: Random) -> Inputs:
    """Three networks; for each, three sets in uneven batches."""
    networks = draw_networks(rng, SIDE)
    cases = {}
    for kind, (sizes, counts) in SHAPES.items():
        size = rng.choice(sizes)
        sets = {n: _draw_set(rng, networks[kind], size, rng.choice(counts)) for _, n in RUNS}
        cases[kind] = {"network": networks[kind], "sets": sets, "batch_size": size}
    return Inputs({"cases": cases})


def _draw_set(rng: Random, network: dict[str, Any], size: int, count: int) -> dict[str, Tensor]:
    """Samples of which the network gets about half right, but all in the last, smaller batch.

    So each wrong average gives a different number.
    """
    last = rng.randrange(1, size // 2)
    images, labels = draw_batch(rng, size * count + last, (1, SIDE, SIDE))
    with torch.no_grad():
        ranked = build_network(network).eval()(images).argsort(dim=1, descending=True)
    easy = torch.rand(len(labels), generator=make_generator(rng)) < rng.uniform(0.3, 0.7)
    easy[:2] = torch.tensor([True, False])
    easy[-last:] = True
    second_or_third = ranked[torch.arange(len(labels)), 1 + labels % 2]
    return {"images": images, "labels": torch.where(easy, ranked[:, 0], second_or_third)}


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Validate, test and validate again with each network."""
    cls = student["EvaluatedClassifier"]
    base_cls = student["LitClassifier"]
    cases = {
        kind: _probe_case(cls, case, case["batch_size"]) for kind, case in shown["cases"].items()
    }
    first = next(iter(shown["cases"].values()))
    base = attempt(lambda: _probe_base(base_cls, first), "LitClassifier(model)(images)")
    is_subclass = _is_subclass(cls, base_cls)
    return {"bases": bases(cls), "is_subclass": is_subclass, "base": base, "cases": cases}


def _probe_base(base_cls: Any, case: dict[str, Any]) -> dict[str, Any]:
    """Build and call the class from which the answer derives; it may be unsolved."""
    module = base_cls(build_network(case["network"])).eval()
    with torch.no_grad():
        module(case["sets"]["first"]["images"])
    return {}


def _is_subclass(cls: object, base: object) -> bool:
    return isinstance(cls, type) and isinstance(base, type) and issubclass(cls, base)


def _probe_case(cls: Any, case: dict[str, Any], size: int) -> dict[str, Any]:
    def run() -> dict[str, Any]:
        module = cls(build_network(case["network"]))
        modes: list[list[bool]] = []
        module.model[-1].register_forward_hook(
            lambda layer, *_: modes.append([layer.training, torch.is_grad_enabled()])
        )
        sets = case["sets"]
        return {n: _probe_run(module, sets[n], size, step, modes) for step, n in RUNS}

    return attempt(run, "EvaluatedClassifier(model)")


def _probe_run(
    module: Any,
    drawn: dict[str, Tensor],
    size: int,
    step: str,
    modes: list[list[bool]],
) -> dict[str, Any]:
    images = drawn["images"]
    batches = make_sample_loader(images, drawn["labels"], size)
    called = f"Trainer.{'validate' if step == 'val' else 'test'}"

    def run() -> dict[str, Any]:
        module.eval()
        with torch.no_grad():
            logits = module(images)
        module.train()
        modes.clear()
        trainer = quiet_trainer()
        entry = trainer.validate if step == "val" else trainer.test
        late = late_batches(module, METHODS[step], len(batches))
        with late, _record_keys(module) as keys:
            entry(module, batches, verbose=False)
        return {
            "logits": logits if isinstance(logits, Tensor) else None,
            "logged": logged_values(trainer),
            "keys": {hook: sorted(names) for hook, names in sorted(keys.items())},
            "trained": any(mode[0] for mode in modes),
            "with_gradient": any(mode[1] for mode in modes),
            "forwards": len(modes),
        }

    return attempt(run, called)


@contextlib.contextmanager
def _record_keys(module: Any) -> Iterator[dict[str, set[str]]]:
    """The keys that each hook logs while the context lasts."""
    keys: dict[str, set[str]] = {}
    original = module.log

    def log(name: Any, *arguments: Any, **keywords: Any) -> None:
        hook = str(module._current_fx_name)  # noqa: SLF001 (Lightning's own note of it)
        keys.setdefault(hook, set()).add(str(name))
        original(name, *arguments, **keywords)

    module.log = log  # `log_dict` calls it too
    try:
        yield keys
    finally:
        del module.log


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Compare the logged values with the metrics of the student's own logits."""
    every = tuple(criterion.id for criterion in QUESTION.criteria)
    if not evidence["is_subclass"].flag():
        got = first_base(evidence["bases"])
        return [Finding("LIT200", every, "class EvaluatedClassifier", "of LitClassifier", got)]
    if "error" in evidence["base"]:
        return [waiting_finding(evidence["base"]["error"], every, "wrap, check.wrap()")]
    cases = inputs.shown["cases"]
    parts = [
        _judge_case(case["sets"], case["batch_size"], evidence["cases"][kind], every)
        for kind, case in cases.items()
    ]
    return without_repeats(merge(parts))


def _judge_case(
    sets: dict[str, Any], size: int, seen: Evidence, every: tuple[str, ...]
) -> list[Mark]:
    if "error" in seen:
        return [error_finding(seen["error"], every)]
    metrics = {
        name: _judge_metrics(sets[name], size, step, name, seen[name]) for step, name in RUNS
    }
    keys = merge(_judge_keys(step, name, seen[name]) for step, name in RUNS)
    val = merge(metrics[name] for step, name in RUNS if step == "val")
    return [*val, *merge([metrics["test"]]), *keys]


def _judge_metrics(
    drawn: dict[str, Tensor], size: int, step: str, name: str, seen: Evidence
) -> list[Mark]:
    """The marks for a run's loss and accuracy; an exception costs "keys" too."""
    cost = f"{step}_loss", f"{step}_acc"
    if "error" in seen:
        return [error_finding(seen["error"], (*cost, "keys"))]
    if seen["logits"].is_none:
        got = "module(images) is no tensor"
        return [Finding("LIT904", (*cost, "keys"), "EvaluatedClassifier", "wrap solved", got)]
    marks: list[Mark] = []
    if seen["trained"].flag():
        called, expected = f"{step} step", "the network in eval mode"
        marks.append(Finding("LIT204", cost, called, expected, "train mode"))
    if seen["with_gradient"].flag():
        expected = "no gradient is recorded"
        marks.append(Finding("LIT205", cost, f"{step} step", expected, "gradients are recorded"))
    if seen["forwards"].integer() <= 0:
        marks.append(NotLookedAt(cost, f"the network never ran in {_name_call(step, name)}"))
    return [
        *_judge_missing(cost, step, name, seen),
        *marks,
        *_judge_values(drawn["labels"], size, step, name, seen),
    ]


def _judge_missing(wanted: tuple[str, ...], step: str, name: str, seen: Evidence) -> list[Finding]:
    logged = seen["logged"].keys()
    got = f"logged: {', '.join(sorted(logged)) or 'nothing'}"
    called = _name_call(step, name)
    return [
        Finding("LIT201", (key,), called, key, got) for key in sorted(wanted) if key not in logged
    ]


def _judge_keys(step: str, name: str, seen: Evidence) -> list[Mark]:
    """The mark for a run's other keys; [] if it logged no key, or none that the probe saw."""
    if "error" in seen or seen["logits"].is_none:
        return []
    hooks = {hook: set(seen["keys"][hook].texts()) for hook in seen["keys"].keys()}  # noqa: SIM118 (not a dict)
    wanted, every = {f"{step}_loss", f"{step}_acc"}, set().union(*hooks.values())
    extra = sorted(hooks.get(METHODS[step], set()) - wanted)  # other hooks may log what they like
    if extra:
        expected = " and ".join(sorted(wanted))
        called = _name_call(step, name)
        return [Finding("LIT202", ("keys",), called, expected, ", ".join(extra))]
    unseen = wanted.intersection(seen["logged"].keys()) - every
    return [Earned(("keys",))] if every & wanted and not unseen else []


def _name_call(step: str, name: str) -> str:
    call = "Trainer.validate" if step == "val" else "Trainer.test"
    return f"{call}, once more" if name == "second" else call


def _judge_values(labels: Tensor, size: int, step: str, name: str, seen: Evidence) -> list[Mark]:
    logits = seen["logits"].tensor()
    if logits.shape != (len(labels), CLASSES) or not logits.is_floating_point():
        expected = f"logits of shape {(len(labels), CLASSES)}"
        cost, shape = (f"{step}_loss", f"{step}_acc"), f"shape {tuple(logits.shape)}, see wrap"
        return [Finding("LIT904", cost, "module(images)", expected, shape)]
    logits = logits.float()
    loss = F.cross_entropy(logits, labels, reduction="none")
    predicted = logits.argmax(1)
    hit = (predicted == labels).float()
    marks: list[Mark] = []
    for key, values in ((f"{step}_loss", loss), (f"{step}_acc", hit)):
        if key not in seen["logged"]:
            continue
        got = seen["logged"][key].number()
        right = float(values.mean())
        if is_close(got, right, TOLERANCE * max(1.0, abs(right))):
            marks.append(Earned((key,)))
            continue
        code, note = _explain_value(key, got, values, size, hit, macro_accuracy(predicted, labels))
        expected = f"{key} = {right:.5f}"
        marks.append(Finding(code, (key,), _name_call(step, name), expected, f"{got:.5f}", note))
    return marks


def _explain_value(
    key: str, got: float, values: Tensor, size: int, hit: Tensor, macro: float
) -> tuple[str, str]:
    """The code of the mistake that gives exactly this value, and a note."""
    right = float(values.mean())
    means = torch.stack([chunk.mean() for chunk in values.split(size)])
    candidates = [
        ("LIT203", float(means.mean()), "the mean of the batches' means"),
        ("LIT206", float(means[-1]), "the value of the last batch alone"),
    ]
    if key.endswith("acc"):
        candidates += [
            ("LIT207", macro, "the mean over classes"),
            ("LIT208", 100 * right, "in percent"),
        ]
    if key.endswith("acc") and is_count(got, hit, size, TOLERANCE):
        return "LIT209", "a count of right answers: divide by their number"
    for code, value, note in candidates:
        if abs(got - value) <= TOLERANCE * max(1.0, abs(value)):
            return code, note
    return "LIT210", f"difference {got - right:+.5f}"


QUESTION = Question(
    title="Measure it",
    defines=("LitClassifier", "EvaluatedClassifier"),
    criteria=(
        Criterion("val_loss", "val_loss is exact", 0.2),
        Criterion("val_acc", "val_acc is exact", 0.3),
        Criterion("test_loss", "test_loss is exact", 0.2),
        Criterion("test_acc", "test_acc is exact", 0.2),
        Criterion("keys", "no other key is logged", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
