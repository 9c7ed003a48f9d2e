"""Drawn trainings on two ranks, and what plain torch makes of the same batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from litcourse.core.comparison import distance
from litcourse.models import TransformerClassifier
from litcourse.probing.networks import make_generator
from litcourse.probing.trainers import copy_tensors, quiet_trainer

WORLD = 2
STEPS = 2
TOLERANCE = 1e-5
"""Relative difference of a weight, by norm: float32 sums in another order. Mistakes are off
by 0.07 and more."""
_UNEVEN = 80.0
"""By what the head's bias is raised, so that many a label is very unlikely."""


def draw_training(
    rng: Random, *, tie: bool, large: bool = False, epochs: int = 1
) -> dict[str, Any]:
    """A small transformer with a drawn state, and other batches for each rank.

    Args:
        rng: what is drawn from.
        tie: whether the embedding's weight is used once more.
        large: many samples, tokens and classes, and losses well above those of chance.
        epochs: how often the batches are trained.
    """
    dim, vocab = 2 * rng.choice([4, 6]), rng.randrange(15, 30)
    classes = rng.randrange(20, 60) if large else rng.randrange(3, 8)
    rows, length = (rng.randrange(65, 129), rng.randrange(17, 33)) if large else (4, 5)
    size: list[Any] = [vocab, dim, 2, rng.choice([2, 3]), classes, tie]
    source = make_generator(rng)
    state = {
        name: torch.randn(value.shape, generator=source) * _scale(value) + _is_norm(name, value)
        for name, value in TransformerClassifier(*size).state_dict().items()
    }

    if large:
        state["head.linear.bias"] *= _UNEVEN

    def batch() -> list[Tensor]:
        tokens = torch.randint(vocab, (rows, length), generator=source)
        return [tokens, torch.randint(classes, (rows,), generator=source)]

    batches = [[batch() for _ in range(STEPS)] for _ in range(WORLD)]
    rate = rng.uniform(0.1, 0.3)
    return {"size": size, "state": state, "batches": batches, "lr": rate, "epochs": epochs}


def _scale(value: Tensor) -> float:
    return float(value.shape[-1] ** -0.5) if value.dim() > 1 else 0.1


def _is_norm(name: str, value: Tensor) -> bool:
    """Whether a tensor is the weight of a norm, around 1."""
    return value.dim() == 1 and name.endswith("weight")


def make_network(case: dict[str, Any]) -> TransformerClassifier:
    """The network of a drawn training, in its drawn state."""
    network = TransformerClassifier(*case["size"])
    network.load_state_dict(case["state"])
    return network


def block_names(case: dict[str, Any]) -> list[str]:
    """Names of the blocks of a LightningModule that holds the network."""
    return [f"model.blocks.{number}" for number in range(case["size"][3])]


def format_training(case: dict[str, Any]) -> str:
    """The network in a few words, for findings."""
    _, dim, _, depth, _, tie = case["size"]
    return f"a {'tied ' * tie}TransformerClassifier of {depth} blocks, {dim} wide, on two ranks"


class Trained(L.LightningModule):
    """The network under plain SGD."""

    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__()
        self.model, self.rate = model, lr

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(self.model(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def sharded_trainer(
    devices: int, strategy: Any, *callbacks: L.Callback, epochs: int = 1, begun: int = 0
) -> L.Trainer:
    """A quiet Trainer that joins the job, and leaves the loader as it is.

    Args:
        devices: ranks.
        strategy: the strategy.
        callbacks: its callbacks.
        epochs: how many it trains.
        begun: so many epochs, and a thousand times as many steps, count as trained before.
    """
    trainer = quiet_trainer(
        devices=devices,
        strategy=strategy,
        max_epochs=begun + epochs,
        callbacks=list(callbacks),
        use_distributed_sampler=False,
    )
    loop: Any = trainer.fit_loop
    loop.epoch_progress.current.processed = begun
    optimizer = loop.epoch_loop.automatic_optimization.optim_progress.optimizer
    optimizer.step.total.completed = 1000 * begun
    return trainer


# --- judge ------------------------------------------------------------------------------


def plain_weights(case: dict[str, Any], fits: int = 1, **change: Any) -> dict[str, Tensor]:
    """Weights after plain steps on the mean of the ranks' losses.

    Args:
        case: the drawn training.
        fits: how often the same batches are trained.
        change: one mistake: `loss` (a function of logits and labels), `scale` (of the gradient),
            `optimizer` (a function of parameters and rate), `ranks` (those whose batches count).
    """
    network = make_network(case)
    loss_of: Callable[..., Tensor] = change.get("loss", F.cross_entropy)
    make = change.get("optimizer", lambda parameters, lr: torch.optim.SGD(parameters, lr=lr))
    ranks = [case["batches"][rank] for rank in change.get("ranks", range(WORLD))]
    for _ in range(fits):
        optimizer = make(network.parameters(), case["lr"])
        for step in [*range(STEPS)] * case["epochs"]:
            optimizer.zero_grad()
            for batches in ranks:
                tokens, labels = batches[step]
                loss = loss_of(network(tokens), labels) * change.get("scale", 1.0)
                (loss / len(ranks)).backward()
            optimizer.step()
    return copy_tensors(network.state_dict())


def largest_gap(right: dict[str, Tensor], seen: dict[str, Tensor]) -> float:
    """The largest relative distance of a tensor; infinite if the names differ."""
    if set(right) != set(seen):
        return math.inf
    return max((distance(seen[name], value) for name, value in right.items()), default=math.inf)
