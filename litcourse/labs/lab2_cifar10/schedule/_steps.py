"""Judges gradients, weights and log of the plain run of `schedule`."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from litcourse.core.comparison import is_count, macro_accuracy
from litcourse.core.evidence import Evidence, MalformedError, have_same_keys, is_close
from litcourse.core.known_errors import error_finding
from litcourse.core.question import Earned, Finding, Inputs, Mark
from litcourse.labs.lab1_mnist._plain_loop import OTHER_LOSSES
from litcourse.labs.lab2_cifar10.schedule._one_cycle import Walk
from litcourse.labs.lab2_cifar10.schedule._rates import read_noted
from litcourse.probing.networks import build_network

GRADIENT_TOLERANCE = 1e-3
"""Relative to one weight's gradient; float32 sums differ in their last digits."""
LOG_TOLERANCE = 1e-5
USUAL_DECAYS = (0.0, 5e-4, 1e-4, 1e-2)
"""Defaults of torch's optimizers and of the task's signature, and a usual value."""
EVAL_MODE = "LIT2148"
"""Code of a network in eval mode, in place of lab 1's LIT116."""


def _batch(inputs: Inputs, step: int) -> list[Tensor]:
    batches = inputs.shown["batches"]
    found: list[Tensor] = batches[step % len(batches)]
    return found


def gradient_of(
    inputs: Inputs, weights: dict[str, Tensor], pair: list[Tensor], **change: Any
) -> dict[str, Tensor]:
    """The gradient of the mean cross-entropy at `weights`, for the images and labels `pair`."""
    model = build_network(inputs.shown["network"]).train(change.get("mode") != "eval")
    model.load_state_dict(weights, strict=False)
    images, labels = pair
    torch.manual_seed(inputs.shown["seed"])
    loss = change.get("loss", F.cross_entropy)(model(images), labels)
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def read_states(
    inputs: Inputs, run: Evidence, *more: Evidence, count: int | None = None
) -> tuple[list[dict[str, Tensor]], list[dict[str, Tensor]]]:
    """Weights and gradients of each step, with the network's names and shapes, in float32.

    Args:
        inputs: the inputs of the check.
        run: evidence of a run.
        more: further dicts of tensors that must have these shapes too.
        count: how many steps were recorded; None for all.

    Raises:
        MalformedError: a step is missing, or a name, shape or dtype differs.
    """
    shapes = {n: p.shape for n, p in build_network(inputs.shown["network"]).named_parameters()}
    weights = [step.tensors() for step in run["weights"]]
    gradients = [step.tensors() for step in run["gradients"]]
    steps = len(list(run["groups"])) if count is None else count
    complete = len(weights) == len(gradients) == steps > 0
    for state in (*weights, *gradients, *(each.tensors() for each in more)):
        complete = complete and have_same_keys(state, shapes)
        complete = complete and all(
            state[n].shape == shapes[n] and state[n].dtype == torch.float32 for n in shapes
        )
    if not complete:
        raise MalformedError(run.path, "walk of the network's weights")
    return weights, gradients


def _read_walk(inputs: Inputs, plain: Evidence) -> Walk:
    return Walk(*read_states(inputs, plain, plain["final"]), plain["final"].tensors())


def furthest(seen: dict[str, Tensor], right: dict[str, Tensor]) -> tuple[float, str]:
    """The largest difference of one tensor's gradient, relative to its norm, and the tensor's name.

    The norm counts as at least a hundredth of the whole gradient's norm.
    """
    complete = torch.stack([value.norm() for value in right.values()]).norm()
    gaps = {}
    for name, value in right.items():
        gap = float((seen[name] - value).norm() / torch.maximum(value.norm(), 1e-2 * complete))
        gaps[name] = gap if gap == gap else float("inf")  # noqa: PLR0124 (NaN)
    worst = max(gaps, key=lambda name: gaps[name])
    return gaps[worst], worst


def judge_gradients(inputs: Inputs, plain: Evidence) -> Mark:
    """Judge each step's gradient, at the weights that the run itself had."""
    walk = _read_walk(inputs, plain)
    # Weights in no optimizer keep old gradients, for which there is another finding.
    unmoved = {name for name, end in walk.final.items() if torch.equal(end, walk.weights[0][name])}
    for step, (weights, seen) in enumerate(zip(walk.weights, walk.gradients, strict=True)):
        right = gradient_of(inputs, weights, _batch(inputs, step))
        moved = {name: value for name, value in right.items() if name not in unmoved}
        gap, name = furthest(seen, moved or right)
        if gap > GRADIENT_TOLERANCE:
            code = _explain_gradient(inputs, walk, step)
            where = f"step {step}, gradient of {name}, relative difference {gap:.2g}"
            expected = "the gradient of the batch's mean cross-entropy"
            return Finding(code, ("loss",), "fit, each step", expected, "another", where)
    return Earned(("loss",))


def has_gradient(inputs: Inputs, plain: Evidence) -> bool:
    """Whether any step had a gradient other than 0."""
    return any(bool(g.any()) for step in _read_walk(inputs, plain).gradients for g in step.values())


def change_of(loss: Mark) -> dict[str, Any] | None:
    """The mistake that `judge_gradients` found, as for `gradient_of`; None for an unknown one."""
    if not isinstance(loss, Finding):
        return {}
    return OTHER_LOSSES.get("LIT116" if loss.code == EVAL_MODE else loss.code)


def _explain_gradient(inputs: Inputs, walk: Walk, step: int) -> str:
    for code, change in OTHER_LOSSES.items():
        other = gradient_of(inputs, walk.weights[step], _batch(inputs, step), **change)
        if furthest(walk.gradients[step], other)[0] <= GRADIENT_TOLERANCE:
            return EVAL_MODE if code == "LIT116" else code
    right = gradient_of(inputs, walk.weights[step], _batch(inputs, step))
    if step and _is_sum(walk.gradients[step - 1], right, walk.gradients[step]):
        return "LIT2147"
    return "LIT2146" if _is_clipped(walk.gradients[step], right) else "LIT2130"


def _is_sum(before: dict[str, Tensor], right: dict[str, Tensor], seen: dict[str, Tensor]) -> bool:
    both = {name: before[name] + value for name, value in right.items()}
    return furthest(seen, both)[0] <= GRADIENT_TOLERANCE


def _is_clipped(seen: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    """Whether `seen` is `right` times a positive number, or `right` with clamped values."""
    one, other = (torch.cat([g[n].flatten() for n in right]).double() for g in (seen, right))
    factor = float(one @ other / (other @ other))
    most = float(one.abs().max())
    ways = (
        {name: value * factor for name, value in right.items()},
        {name: value.clamp(-most, most) for name, value in right.items()},
    )
    return any(furthest(seen, way)[0] <= GRADIENT_TOLERANCE for way in ways if factor > 0)


def judge_steps(inputs: Inputs, plain: Evidence) -> Mark:
    """Judge the weights by SGD's steps from the run's own gradients, rates and momenta."""
    walk, cost = _read_walk(inputs, plain), ("step",)
    rates, momenta = read_noted(plain, "lr"), read_noted(plain, "momentum")
    called, decay = "fit, the weights after all steps", inputs.shown["weight_decay"]
    expected = f"SGD with momentum and weight_decay={decay:.4f}"
    names = ", ".join(plain["optimizers"].texts())
    if all(momentum == 0 for momentum in momenta):
        return Finding("LIT2122", cost, called, expected, f"{names} without momentum")
    missed = walk.unexplained(rates, momenta, decay)
    if not missed:
        return Earned(cost)
    if "SGD" not in plain["optimizers"].texts():
        return Finding("LIT2120", cost, called, expected, names)
    unmoved = [n for n, end in walk.final.items() if torch.equal(end, walk.weights[0][n])]
    if unmoved:
        names = ", ".join(unmoved)
        return Finding("LIT136", cost, called, expected, "weights that never move", names)
    for other in USUAL_DECAYS:
        if not walk.unexplained(rates, momenta, other):
            code = "LIT2121" if other == 0 else "LIT2123"
            return Finding(code, cost, called, expected, f"weight_decay={other:g}")
    return Finding("LIT2124", cost, called, expected, "other steps", f"first at {missed}")


# --- the log ------------------------------------------------------------------------------


def judge_log(inputs: Inputs, plain: Evidence) -> Mark:
    """Judge that `train_loss` is a loss of the run, and that the others are exact."""
    broken = [plain[run]["error"] for run in ("fit", "test") if "error" in plain[run]]
    if broken:
        return error_finding(broken[0], ("log",))
    found = _judge_train_loss(plain) or [
        *_judge_values(inputs, plain, "val", "fit", ("val_loss", "val_acc")),
        *_judge_values(inputs, plain, "test", "test", ("test_acc",)),
    ]
    return found[0] if found else Earned(("log",))


def _judge_train_loss(plain: Evidence) -> list[Finding]:
    logged, cost = plain["fit"], ("log",)
    called = 'trainer.callback_metrics["train_loss"]'
    if "train_loss" not in logged:
        got = "logged: " + (", ".join(sorted(logged.keys())) or "nothing")
        return [Finding("LIT140", cost, called, "train_loss", got)]
    losses = [math.nan if loss.is_none else loss.number() for loss in plain["losses"]]
    value = logged["train_loss"].number()
    known = len(losses) == len(list(plain["groups"])) and all(map(math.isfinite, losses))
    if known and min(losses) - LOG_TOLERANCE <= value <= max(losses) + LOG_TOLERANCE:
        return []
    last = next((loss for loss in reversed(losses) if not math.isnan(loss)), math.nan)
    expected = "a loss" if math.isnan(last) else f"a loss, {last:.4f} in the last step"
    return [Finding("LIT141", cost, called, expected, f"{value:.4f}")]


def _judge_values(
    inputs: Inputs, plain: Evidence, part: str, run: str, keys: tuple[str, ...]
) -> list[Finding]:
    logits, labels = plain[f"{part}_logits"].tensor(), inputs.shown[part][1]
    if logits.dim() != 2 or len(logits) != len(labels) or logits.dtype != torch.float32:  # noqa: PLR2004
        raise MalformedError(plain.path, f"logits of the {part} set")
    hit = (logits.argmax(1) == labels).float()
    each = {"loss": F.cross_entropy(logits, labels, reduction="none"), "acc": hit}
    for key in keys:
        called = f"{key} after {run}"
        if key not in plain[run]:
            got = "logged: " + (", ".join(sorted(plain[run].keys())) or "nothing")
            return [Finding("LIT2151", ("log",), called, key, got)]
        values = each[key.removeprefix(part + "_")]
        got_value, right = plain[run][key].number(), float(values.mean())
        if is_close(got_value, right, LOG_TOLERANCE * max(1.0, right)):
            continue
        code = _explain_metric(inputs, key, logits, labels, got_value)
        return [Finding(code, ("log",), called, f"{right:.5f}", f"{got_value:.5f}")]
    return []


def _explain_metric(inputs: Inputs, key: str, logits: Tensor, labels: Tensor, got: float) -> str:
    """The code of the mistake that gives exactly this value."""
    hits = (logits.argmax(1) == labels).float()
    loss = key.endswith("loss")
    values = F.cross_entropy(logits, labels, reduction="none") if loss else hits
    right, sizes = float(values.mean()), inputs.shown["sizes"][key.partition("_")[0]]
    means = float(torch.stack([v.mean() for v in values.split(sizes)]).mean())
    if is_close(got, means, LOG_TOLERANCE * max(1.0, means)):
        return "LIT203"
    if is_close(got, 100 * right, 1e-3):
        return "LIT208"
    if not loss and is_count(got, hits, sizes, LOG_TOLERANCE):
        return "LIT209"
    if loss:
        return (
            "LIT111" if is_close(got, _softmax_loss(logits, labels), LOG_TOLERANCE) else "LIT2140"
        )
    return "LIT207" if is_close(got, macro_accuracy(logits.argmax(1), labels), 1e-5) else "LIT2140"


def _softmax_loss(logits: Tensor, labels: Tensor) -> float:
    return float(F.cross_entropy(logits.softmax(1), labels))
