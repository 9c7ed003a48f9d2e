"""Records the losses and gradients of a student's module for `wrap`'s probe."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from litcourse.probing.trainers import copy_tensors, returned_loss


class Recorder(L.Callback):
    """Seeds each step as `plain_loop` does, and copies losses and first gradients."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.losses: list[float | str | None] = []
        self.gradients: dict[str, Tensor] = {}

    def on_train_batch_start(self, *_: Any) -> None:
        """Seed dropout on the CPU alone: torch.manual_seed keeps a stack trace for each GPU."""
        torch.default_generator.manual_seed(self.seed)

    def on_before_optimizer_step(self, _: Any, module: Any, __: Any) -> None:
        """Copy the gradients of the first step."""
        if not self.gradients:
            grads = {n: p.grad for n, p in module.model.named_parameters() if p.grad is not None}
            self.gradients = copy_tensors(grads)

    def on_train_batch_end(self, _: Any, __: Any, outputs: Any, *___: Any) -> None:
        """Record the loss that `training_step` returned."""
        self.losses.append(returned_loss(outputs))
