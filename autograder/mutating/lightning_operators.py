"""Changes of modules, data modules and callbacks: mode, gradient, samples, seeds, ranks.

Written as python_operators: a function for each kind, and `OPERATORS` with an example of each.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.mutating.answer_text import AnswerText, Change, Function, Operator

BATCH_SIZES = (16, 64)
"""Sizes to which a batch is cut."""
_STEPS = {"training_step", "validation_step", "test_step"}
_TRAIN = "training_step"


def modes(answer: AnswerText) -> Iterator[Change]:
    """`eval()` or `train()` where the network is kept, and in a step."""
    for node in answer.nodes:
        if isinstance(node, ast.Assign) and answer.source(node.targets[0]) == "self.model":
            yield answer.insert_after(node, "self.model.eval()")
            yield answer.insert_after(node, "self.model.requires_grad_(False)")
    for step, body in _steps(answer):
        other = "eval" if step.name == _TRAIN else "train"
        yield answer.insert_before(body[0], f"self.{other}()")
        yield answer.insert_before(body[0], f"torch.set_grad_enabled({step.name != _TRAIN})")


def gradients(answer: AnswerText) -> Iterator[Change]:
    """Logits without their gradient, in double or half precision; a loss that is scaled."""
    for name, call in answer.calls():
        source = answer.source(call)
        if name in {"self", "model"} or source.startswith(("self(", "self.model(")):
            for more in (".detach()", ".double()", ".bfloat16().float()", ".softmax(dim=1)"):
                yield answer.replace(call, source + more)
    for node in _returns(answer, _TRAIN):
        loss = answer.source(node.value) if node.value else ""
        for text in ("{} * 2", "{} / 2", "{}.detach()", "{}.clamp(max=5)"):
            if loss:
                yield answer.replace(node, "return " + text.format(loss))


def short_learning(answer: AnswerText) -> Iterator[Change]:
    """A loss without a gradient from some step or epoch on, or in the first ones."""
    conditions = (
        "self.global_step >= 3", "self.global_step >= 100", "self.current_epoch > 0",
        "self.current_epoch == 0", "batch_idx >= 50",
    )  # fmt: skip
    for node in _returns(answer, _TRAIN):
        if node.value:
            loss = answer.source(node.value)
            for condition in conditions:
                yield answer.replace(node, f"return {loss} * (0 if {condition} else 1)")


def cut_batches(answer: AnswerText) -> Iterator[Change]:
    """The first samples of a batch alone; fewer classes; the first batches alone."""
    for step, body in _steps(answer):
        for node in body:
            names = _unpacked(answer, node)
            if names:
                for size in BATCH_SIZES:
                    cut = ", ".join(f"{name}[:{size}]" for name in names)
                    yield answer.insert_after(node, f"{', '.join(names)} = {cut}")
                yield answer.insert_after(node, f"{names[1]} = {names[1]} % 10")
                yield answer.insert_after(node, f"{names[1]} = {names[1]}.clamp(max=8)")
        if step.name != _TRAIN:
            for number in (8, 100):
                yield answer.insert_before(body[0], f"if batch_idx >= {number}:", "    return None")


def schedules(answer: AnswerText) -> Iterator[Change]:
    """A schedule behind an optimizer: each epoch, or from a step on."""
    for node in _returns(answer, "configure_optimizers"):
        if isinstance(node.value, ast.Call):
            made = answer.source(node.value)
            each_epoch = "torch.optim.lr_scheduler.StepLR(kept, 1, 0.1)"
            each_step = "torch.optim.lr_scheduler.StepLR(kept, 100, 0.1)"
            by_step = f'{{"scheduler": {each_step}, "interval": "step"}}'
            for schedule in (each_epoch, by_step):
                yield answer.replace(node, f"return [kept := {made}], [{schedule}]")


def rates(answer: AnswerText) -> Iterator[Change]:
    """Half of the learning rate, or as many times as there are ranks."""
    for name, call in answer.calls():
        if name in {"Adam", "AdamW", "SGD"}:
            for keyword in call.keywords:
                if keyword.arg == "lr":
                    for factor in ("0.5", "getattr(self.trainer, 'world_size', 1)"):
                        yield answer.replace(
                            keyword, f"lr={answer.source(keyword.value)} * {factor}"
                        )


def seeds(answer: AnswerText) -> Iterator[Change]:
    """A seed shifted by rank or epoch."""
    shifts = (
        'int(__import__("os").environ.get("RANK", 0))',
        "(self.trainer.global_rank if self.trainer else 0)",
        "(self.trainer.current_epoch if self.trainer else 0)",
    )
    for node in answer.nodes:
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and node.attr == "seed"
        ):
            for shift in shifts:
                yield answer.replace(node, f"({answer.source(node)} + {shift})")
    for name, call in answer.calls():
        if name == "seed_everything" and call.args:
            yield answer.replace(call.args[0], f"{answer.source(call.args[0])} % 1000")


def ranks(answer: AnswerText) -> Iterator[Change]:
    """A hook on rank 0 alone."""
    for function in answer.functions():
        body = answer.body(function)
        named = function.name.startswith(("on_", "configure_", "validation_", "training_"))
        if not named or not body:
            continue
        decorator = "@L.pytorch.utilities.rank_zero_only\n" + " " * function.col_offset
        start = answer.span(function)[0]
        yield Change(start, start, decorator)


def data(answer: AnswerText) -> Iterator[Change]:
    """A part of the data, another folder, data of the other part."""
    for name, call in answer.calls():
        if name not in {"mnist", "cifar10"}:
            continue
        source = answer.source(call)
        if any(keyword.arg == "transform" for keyword in call.keywords):
            for size in (500, 5000):
                cut = (
                    f"(lambda d: torch.utils.data.Subset(d, range(min({size}, len(d)))))({source})"
                )
                yield answer.replace(call, cut)
        for keyword in call.keywords:
            if keyword.arg == "root":
                yield answer.replace(keyword, "root=None")
                yield answer.replace(keyword, 'root="elsewhere"')


def metrics(answer: AnswerText) -> Iterator[Change]:
    """Sums over epochs that are never reset, and a value of another stage."""
    for node in answer.nodes:
        if isinstance(node, ast.Compare) and ".argmax(" in answer.source(node):
            source = answer.source(node)
            yield answer.replace(node, f"({source} & (labels < 10))")
            yield answer.replace(node, f"{source}[:32]")


def _steps(answer: AnswerText) -> Iterator[tuple[Function, list[ast.stmt]]]:
    """Steps, and functions that take a batch, with what they do."""
    for function in answer.functions():
        takes = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
        body = answer.body(function)
        if body and (function.name in _STEPS or {"self", "batch"} <= takes):
            yield function, body


def _unpacked(answer: AnswerText, node: ast.stmt) -> list[str]:
    """The two names of `images, labels = batch`."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        names = [answer.source(name) for name in node.targets[0].elts]
        if answer.source(node.value) == "batch" and len(names) == len(("images", "labels")):
            return names
    return []


def _returns(answer: AnswerText, name: str) -> Iterator[ast.Return]:
    """What a function returns."""
    for function in answer.functions():
        if function.name == name:
            for node in ast.walk(function):
                if isinstance(node, ast.Return):
                    yield node


_KEPT = "def configure_optimizers(self):\n"
_STEP = "def training_step(self, batch):\n    x, y = batch\n    return f(x)\n"
OPERATORS: dict[str, tuple[Operator, str, str]] = {
    "mode": (modes, "self.model = m\n", "self.model = m\nself.model.eval()\n"),
    "gradient": (gradients, "self(x)", "self(x).detach()"),
    "short learning": (
        short_learning, _STEP,
        _STEP.replace("f(x)", "f(x) * (0 if self.current_epoch > 0 else 1)"),
    ),
    "batch cut": (
        cut_batches, _STEP, _STEP.replace("batch\n", "batch\n    x, y = x[:16], y[:16]\n", 1)
    ),
    "schedule": (
        schedules, _KEPT + "    return f()\n",
        _KEPT + "    return [kept := f()], [torch.optim.lr_scheduler.StepLR(kept, 1, 0.1)]\n",
    ),
    "rate": (rates, "Adam(p, lr=a)", "Adam(p, lr=a * 0.5)"),
    "seed": (
        seeds, "f(self.seed)",
        "f((self.seed + (self.trainer.global_rank if self.trainer else 0)))",
    ),
    "rank": (
        ranks, "def on_train_end(self): f()\n",
        "@L.pytorch.utilities.rank_zero_only\ndef on_train_end(self): f()\n",
    ),
    "data": (data, "mnist(root=a)", 'mnist(root="elsewhere")'),
    "metric": (metrics, "x.argmax(dim=1) == y", "x.argmax(dim=1) == y[:32]"),
}  # fmt: skip
