"""What the tests of ranks have in common: a notebook's class, a short training, a verdict."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding
from litcourse.core.serialization import decode, encode
from litcourse.probing.trainers import quiet_trainer
from litcourse.ranks import rank_findings

NOTEBOOK = """
import lightning as L
import torch
from torch import nn

class Base(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Linear(4, 2)

class Student(Base):
    def training_step(self, batch, index):
        images, labels = batch
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        images, labels = batch
        right = (self.model(images).argmax(1) == labels).float().mean()
        self.log("val_acc", right, sync_dist=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""
CRITERIA = ("a",)


def data(count: int = 32) -> TensorDataset:
    torch.manual_seed(1)
    return TensorDataset(torch.randn(count, 4), torch.randint(0, 2, (count,)))


def fit(cls: Any, batch_size: int = 4, **arguments: Any) -> Any:
    torch.manual_seed(0)
    module, samples = cls(), data()
    trainer = quiet_trainer(max_epochs=1, use_distributed_sampler=False, **arguments)
    place: dict[str, Any] = {"num_replicas": trainer.world_size, "rank": trainer.global_rank}
    dealt: Any = DistributedSampler(samples, **place, shuffle=False)  # Lightning's own shuffles
    loader = DataLoader(samples, batch_size, sampler=dealt)
    trainer.fit(module, loader, loader)
    return trainer


def join() -> None:
    distributed.init_process_group("gloo")


def finding(seen: dict[str, Any]) -> Finding:
    """The one finding, of evidence that went the way it goes in grading."""
    (found,) = rank_findings(Evidence(decode(encode(seen))), CRITERIA)
    return found
