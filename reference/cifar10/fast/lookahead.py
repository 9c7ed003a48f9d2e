"""Lookahead: every few steps the weights jump back to a slower average of themselves."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor


class Lookahead(L.Callback):
    """Keeps slow weights, and puts them in the network's place every `every` steps.

    The slow weights remember more towards the end: their decay rises with the cube of the
    progress, up to `decay`. After the last step the network keeps them.
    Source: Zhang et al. 2019, Lookahead Optimizer; the schedule is cifar10-airbench's.

    Args:
        every: number of steps.
        decay: share of the slow weights that stays, at the end.
    """

    def __init__(self, every: int = 5, decay: float = 0.95**5) -> None:
        self.every, self.decay = every, decay
        self.slow: dict[str, Tensor] = {}

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Start from the weights as they are, unless a checkpoint brought the slow ones."""
        if not self.slow:
            self.slow = {name: value.clone() for name, value in _floats(module).items()}

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Take a slow step, if it is time for one."""
        step, total = trainer.global_step, trainer.estimated_stepping_batches
        if step % self.every == 0:
            self._meet(module, self.decay * (step / total) ** 3)
        if step == total:
            self._meet(module, 1.0)

    @torch.no_grad()
    def _meet(self, module: L.LightningModule, decay: float) -> None:
        for name, value in _floats(module).items():
            value.copy_(self.slow[name].lerp_(value, 1 - decay))

    def state_dict(self) -> dict[str, Any]:
        """The slow weights, for a checkpoint."""
        return {"slow": self.slow}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them from one."""
        self.slow = state_dict["slow"]


def _floats(module: L.LightningModule) -> dict[str, Tensor]:
    """Weights, and the statistics of batch norms; not the counters."""
    return {name: v for name, v in module.state_dict().items() if v.is_floating_point()}
