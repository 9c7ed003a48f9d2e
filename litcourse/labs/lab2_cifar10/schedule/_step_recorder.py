"""Records the optimizer steps of `schedule`'s runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import lightning as L
import torch
from torch import Tensor

from litcourse.probing.trainers import copy_tensors, returned_loss, to_number


class Recorder(L.Callback):
    """Records each optimizer step, and seeds each batch as the judge does.

    Args:
        seed: seed of the random state at the start of each batch.
        steps: those whose weights and gradients are recorded; None for all.
    """

    def __init__(self, seed: int, steps: Collection[int] | None = None) -> None:
        self.seed, self.steps = seed, steps
        self.groups: list[dict[str, list[float | str]]] = []
        self.weights: list[dict[str, Tensor]] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.losses: list[float | str | None] = []

    def on_train_batch_start(self, *_: Any) -> None:
        """Seed dropout."""
        torch.manual_seed(self.seed)

    def on_before_optimizer_step(self, _: Any, module: Any, optimizer: Any) -> None:
        """Record the optimizer's rates, and the weights before the step."""
        keys = ("lr", "momentum", "weight_decay")
        step, groups = len(self.groups), optimizer.param_groups
        self.groups.append({k: [to_number(group.get(k, "none")) for group in groups] for k in keys})
        if self.steps is not None and step not in self.steps:
            return
        named = dict(module.model.named_parameters())
        self.weights.append(copy_tensors(named))
        zero = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in named.items()}
        self.gradients.append(copy_tensors(zero))

    def on_train_batch_end(self, _: Any, __: Any, outputs: Any, *___: Any) -> None:
        """Record the loss that `training_step` returned."""
        self.losses.append(returned_loss(outputs))
