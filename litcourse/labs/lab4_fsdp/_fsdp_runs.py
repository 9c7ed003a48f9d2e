"""The trainings of `fsdp_strategy`: with which policies, and what is seen of each."""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.strategies import FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.fsdp.wrap import CustomPolicy, ModuleWrapPolicy

from litcourse.labs.lab4_fsdp._sharded_training import WORLD, Trained, make_network, sharded_trainer
from litcourse.labs.lab4_fsdp._strategies import read_strategy
from litcourse.models import Block, Head
from litcourse.probing.trainers import make_loader
from litcourse.sharding import (
    StepCollectives,
    checkpointed_modules,
    clean_name,
    count_kinds,
    fsdp1_units,
    train_on_cpu,
)

RUNS: dict[str, dict[str, Any]] = {
    "full": {"tie": True, "policy": "{Block}", "sharding": "FULL_SHARD", "again": False},
    "grad_op": {"tie": False, "policy": "ModuleWrapPolicy({Block, Head})",
                "sharding": "SHARD_GRAD_OP", "again": True},
    "none": {"tie": False, "policy": "CustomPolicy(...)", "sharding": "NO_SHARD", "again": False},
}  # fmt: skip
"""The trainings; "again" is checkpoint_blocks. The first one leaves everything to defaults."""


class Forwards(L.Callback):
    """Counts the forwards of each block and head, the recomputed ones too."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def on_train_start(self, _: L.Trainer, pl_module: L.LightningModule) -> None:
        """Hook each of them."""
        for name, part in pl_module.named_modules():
            if isinstance(part, (Block, Head)):
                part.register_forward_pre_hook(self._counter(clean_name(name)))

    def _counter(self, name: str) -> Any:
        self.counts[name] = 0

        def count(*_: Any) -> None:
            self.counts[name] += 1

        return count


def _policy(run: str) -> Any:
    both = (Block, Head)
    policies: dict[str, Any] = {
        "full": {Block},
        "grad_op": ModuleWrapPolicy(set(both)),
        "none": CustomPolicy(lambda module: isinstance(module, both)),
    }
    return policies[run]


def train(make: Any, name: str, case: dict[str, Any], rank: int) -> dict[str, Any]:
    """Train as one of two ranks, under the strategy that the student makes."""
    run = RUNS[name]
    more = (
        {} if name == "full" else {"sharding": run["sharding"], "checkpoint_blocks": run["again"]}
    )
    strategy = make(_policy(name), **more)
    told = {k: v for k, v in read_strategy(strategy).items() if k in {"kinds", "value"}}
    if not isinstance(strategy, FSDPStrategy):
        return {"told": told}
    steps, forwards = StepCollectives(), Forwards()
    trainer = sharded_trainer(WORLD, train_on_cpu(strategy), steps, forwards)
    module = Trained(make_network(case), case["lr"])
    trainer.fit(module, make_loader(case["batches"][rank]))
    root: Any = trainer.strategy.model
    units, again = fsdp1_units(root), checkpointed_modules(root)
    with FullyShardedDataParallel.summon_full_params(root, writeback=False):
        weights = {
            clean_name(n).removeprefix("model."): p.detach().clone()
            for n, p in root.named_parameters()
        }
    return {
        "told": told,
        "units": units,
        "again": again,
        "steps": [count_kinds(step.forward + step.backward) for step in steps.steps],
        "forwards": forwards.counts,
        "weights": weights,
    }
