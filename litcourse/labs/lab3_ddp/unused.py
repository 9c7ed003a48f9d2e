"""unused: a strategy for networks whose batches skip branches, at no cost for other networks.

Two real ranks train drawn networks with branches, under the strategy that the student's function
returns; each rank skips other branches. The evidence is the weights and the settings of
DistributedDataParallel in the fit.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from litcourse.core.comparison import largest_gap
from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, Question
from litcourse.labs.lab3_ddp._ranks import ddp_trainer, run_findings
from litcourse.probing.class_bases import bases
from litcourse.probing.networks import make_generator
from litcourse.probing.trainers import copy_tensors, make_loader
from litcourse.ranks import all_done, part_of_run, read_rank_values, run_ranks

WORLD = 2
STEPS = 3
FEATURES = 6
TOLERANCE = 1e-5
_PARTS = ("_parameters", "_buffers", "_modules")
_OFTEN_SET = ("training",)
"""Attributes that may change: eval() and train() set it, and so does the Trainer."""
_KNOWN = (
    ("LIT3603", r"strategy `\w+` requires a GPU accelerator"),
    ("LIT3608", r"accelerator set through both strategy class and accelerator flag"),
)
"""Messages of lightning 2.6."""
_CALL = "strategy_for_branches(module"
SKIPPING = ("several", "one")
ALL = ("ends", "free")
_NAMES = ("adapter", "gate", "left", "right", "extra.deep", "extra.wide", "expert", "aside")


def draw(rng: Random) -> Inputs:
    """Networks whose batches skip several branches, one or none, with states and batches."""
    names = {"several": rng.sample(_NAMES, rng.choice([2, 3])), "one": rng.sample(_NAMES, 1)}
    cases = {kind: _draw_case(rng, names.get(kind, [])) for kind in ("none", *SKIPPING)}
    return Inputs({"cases": cases, "lr": rng.uniform(0.05, 0.2)})


def _draw_case(rng: Random, names: list[str]) -> dict[str, Any]:
    source = make_generator(rng)
    network = Branching(rng.randrange(4, 9), names)
    state = {
        n: 0.5 * torch.randn(v.shape, generator=source) for n, v in network.state_dict().items()
    }
    size = rng.randrange(3, 7)
    batches = [
        [
            [torch.randn(size, FEATURES, generator=source), torch.randn(size, 1, generator=source)]
            for _ in range(STEPS)
        ]
        for _ in range(WORLD)
    ]
    return {
        "width": network.width,
        "names": names,
        "state": state,
        "batches": batches,
        "used": _draw_plan(rng, names),
    }


def _draw_plan(rng: Random, names: list[str]) -> list[list[list[str]]]:
    """The branches that each rank uses in each step.

    Plain DDP hangs if one rank skips a branch that the other uses, raises in the next step if both
    skip different ones, and does not notice that in the last step. The plan has all three in order.
    """
    first = rng.randrange(WORLD)
    some, rest = names[:1], names[1:]
    plans = [[list(names), some, rest], [rest, rest, some]]
    return plans if first else plans[::-1]


class Branching(nn.Module):
    """A trunk, a head and branches between them, which a batch may skip.

    Args:
        width: width of the hidden layer.
        names: names of the branches, with dots for nested ones.

    Attributes:
        skippable: the names, as submodules of this network.
    """

    def __init__(self, width: int, names: list[str]) -> None:
        super().__init__()
        self.width = width
        self.skippable = tuple(names)
        self.trunk = nn.Linear(FEATURES, width)
        for name in names:
            *path, last = name.split(".")
            module: nn.Module = self
            for part in path:
                if not hasattr(module, part):
                    module.add_module(part, nn.Module())
                module = module.get_submodule(part)
            module.add_module(last, nn.Linear(width, width))
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor, used: list[str]) -> Tensor:
        """Return (N, 1) for inputs (N, FEATURES), through the branches `used`."""
        hidden: Tensor = torch.tanh(self.trunk(x))
        for name in used:
            hidden = hidden + torch.tanh(self.get_submodule(name)(hidden))
        output: Tensor = self.head(hidden)
        return output


# --- probe ------------------------------------------------------------------------------


class Trained(L.LightningModule):
    """Plain regression with SGD, which records the settings of DDP."""

    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__()
        self.model = model
        self.rate = lr
        self.ddp: dict[str, Any] = {}

    def on_train_batch_start(self, *_: Any) -> None:
        """Record the settings of the DistributedDataParallel that wraps this module."""
        wrapped = self.trainer.strategy.model
        if isinstance(wrapped, DistributedDataParallel):
            self.ddp = {
                "searches": bool(wrapped.find_unused_parameters),
                "static": bool(wrapped.static_graph),
            }

    def training_step(self, batch: list[Any], _: int) -> Tensor:
        """Squared error."""
        x, target, used = batch
        return F.mse_loss(self.model(x, used), target)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Train the network without branches, then the two with branches.

    One job trains all, where all goes well; if not, each kind has a job of its own.
    """
    function = student["strategy_for_branches"]

    def train(rank: int, kind: str) -> dict[str, Any]:
        case = shown["cases"][kind]
        print(_format_call(case))  # noqa: T201 (a rank that hangs leaves nothing but its output)
        return _train(function, case, shown["lr"], rank)

    def work(rank: int, kinds: tuple[str, ...]) -> dict[str, Any]:
        return {kind: train(rank, kind) for kind in kinds}

    every = run_ranks(lambda rank: work(rank, ("none", *SKIPPING)), WORLD)
    if all_done(every):
        return {"none": part_of_run(every, ("none",)), "skipping": part_of_run(every, SKIPPING)}
    none = run_ranks(lambda rank: work(rank, ("none",)), WORLD)
    return {"none": none, "skipping": run_ranks(lambda rank: work(rank, SKIPPING), WORLD)}


def _train(function: Any, case: dict[str, Any], lr: float, rank: int) -> dict[str, Any]:
    model = Branching(case["width"], case["names"])
    model.load_state_dict(case["state"])
    module = Trained(model, lr)
    before = _fingerprint(module)
    returned = function(module)
    changed = sorted({name.strip(".") for name, _ in before.items() ^ _fingerprint(module).items()})
    trainer = ddp_trainer(WORLD, strategy=returned, max_epochs=1)
    method = str(getattr(trainer.strategy, "_start_method", ""))
    seen = {
        "returned": type(returned).__name__,
        "strategy": [type(trainer.strategy).__name__, *bases(type(trainer.strategy))],
        "start_method": method,
        "changed": changed,
    }
    if method not in {"", "popen"}:  # this strategy would start further processes
        return {**seen, "ddp": {}, "weights": {}}
    # NCCL, if it is asked for, would find no GPU here; None leaves the choice to the device.
    strategy: Any = trainer.strategy
    strategy._process_group_backend = None  # noqa: SLF001 (no public way)
    batches = zip(case["batches"][rank], case["used"][rank], strict=True)
    trainer.fit(module, make_loader([[x, target, used] for (x, target), used in batches]))
    return {**seen, "ddp": module.ddp, "weights": copy_tensors(model.state_dict())}


def _fingerprint(module: nn.Module) -> dict[str, str]:
    """Parts, methods, hooks and attributes of a module, to find out whether a call changes it."""
    found = {}
    for name, part in module.named_modules():
        methods = [getattr(type(part), method, None) for method in ("forward", "training_step")]
        found[f"{name}.forward"] = str([id(type(part)), *map(id, methods)])
        for key, value in vars(part).items():
            if key in _PARTS or key.endswith("_hooks"):
                found[f"{name}.{key}"] = str([f"{k} {id(v)}" for k, v in value.items()])
            elif not key.startswith("_") and key not in _OFTEN_SET:
                found[f"{name}.{key}"] = str(id(value))
    frozen = {name: str(value.requires_grad) for name, value in module.named_parameters()}
    return found | {f"{name}.requires_grad": value for name, value in frozen.items()}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the network that needs no search for unused parameters, then those that do."""
    free = _judge_run(inputs, "none", evidence["none"], "free")
    return [*free, *_judge_run(inputs, "skipping", evidence["skipping"], "ends")]


def _judge_run(inputs: Inputs, run: str, seen: Evidence, cost: str) -> list[Mark]:
    failed = run_findings(seen, (cost,), WORLD, _KNOWN)
    if failed:
        return [
            replace(_refine_code(found, cost), called=_read_last_call(seen)) for found in failed
        ]
    for kind in ("none",) if run == "none" else SKIPPING:
        ranks = [rank[kind] for rank in read_rank_values(seen)]
        found = _judge_case(inputs.shown, kind, ranks, cost)
        if found:
            return [found]
    return [Earned((cost,))]


def _refine_code(finding: Finding, cost: str) -> Finding:
    """The finding with a more exact code for ranks that wait, or for DDP's exceptions."""
    if "You selected an invalid strategy name" in finding.got:
        return replace(finding, code="LIT3600")
    if "incompatible constructor arguments" in finding.got and "Reducer" in finding.got:
        got = "TypeError, from DistributedDataParallel"
        return replace(finding, code="LIT3607", expected="True or False", got=got)
    waits = finding.code == "LIT932"
    if cost == "ends" and (waits or "were not used in producing the loss" in finding.got):
        return replace(finding, code="LIT3601")
    return finding


def _read_last_call(seen: Evidence) -> str:
    """The last call that the ranks printed."""
    lines = [line for entry in seen["ranks"] for line in entry["output"].text().splitlines()]
    return next((line for line in reversed(lines) if line.startswith(_CALL)), f"{_CALL})")


def _format_call(case: dict[str, Any]) -> str:
    return f"{_CALL}), skippable = {tuple(case['names'])!r}"


def _judge_case(
    shown: dict[str, Any], kind: str, ranks: list[Evidence], cost: str
) -> Finding | None:
    called = _format_call(shown["cases"][kind])
    for rank in ranks:
        found = _judge_strategy(called, rank, cost)
        if found:
            return found
    right = _train_alone(shown, kind)
    for number, rank in enumerate(ranks):
        gap = largest_gap(right, rank["weights"].tensors())
        if gap > TOLERANCE:
            where = f"rank {number}, relative difference {gap:.2g}"
            expected = "the weights of one process on all batches"
            return Finding("LIT3605", (cost,), called, expected, "others", where)
    return _judge_search(called, ranks, cost) if kind == "none" else None


def _judge_search(called: str, ranks: list[Evidence], cost: str) -> Finding | None:
    """The finding on ranks that search for unused parameters, or that DDP does not wrap."""
    if any("searches" not in rank["ddp"] for rank in ranks):
        got = "a strategy that does not wrap the module"
        return Finding("LIT3603", (cost,), called, "DistributedDataParallel", got)
    if any(rank["ddp"]["searches"].flag() for rank in ranks):
        got = "find_unused_parameters=True"
        return Finding("LIT3602", (cost,), called, "no search for unused parameters", got)
    return None


def _judge_strategy(called: str, rank: Evidence, cost: str) -> Finding | None:
    """The finding on a strategy that is not DDP, or on a call that changed the module."""
    names, method = rank["strategy"].texts(), rank["start_method"].text()
    if not any(name.endswith("DDPStrategy") for name in names):
        return Finding("LIT3603", (cost,), called, "a DDP strategy", (names or ["none"])[0])
    if method != "popen":
        got = f"processes started by {method}"
        return Finding("LIT3107", (cost,), called, "processes that run the program", got)
    changed = rank["changed"].texts()
    if changed:
        return Finding("LIT3606", (cost,), called, "the module as it was", ", ".join(changed))
    return None


def _train_alone(shown: dict[str, Any], kind: str) -> dict[str, Tensor]:
    """Weights after plain steps on the mean of the ranks' losses; unused parts have no gradient."""
    case = shown["cases"][kind]
    model = Branching(case["width"], case["names"])
    model.load_state_dict(case["state"])
    optimizer = torch.optim.SGD(model.parameters(), lr=shown["lr"])
    for step in range(STEPS):
        optimizer.zero_grad()
        for batches, used in zip(case["batches"], case["used"], strict=True):
            x, target = batches[step]
            (F.mse_loss(model(x, used[step]), target) / WORLD).backward()
        optimizer.step()
    return copy_tensors(model.state_dict())


QUESTION = Question(
    title="Branches that batches skip",
    defines=("strategy_for_branches",),
    criteria=(
        Criterion("ends", "trains where ranks skip different branches", 0.6),
        Criterion("free", "searches for nothing where nothing is skipped", 0.4),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
