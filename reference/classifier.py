"""What the models of both programs share: steps, metrics, and how a network is built and cut."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import lightning as L
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from reference.policies import ByClass, WrapPolicy
from reference.recompute import recompute
from reference.refusals import RefusalError
from reference.strategies import build_sharded, data_mesh
from reference.zero import load_weights

if TYPE_CHECKING:
    from torch.optim import Optimizer

Batch = tuple[Tensor, Tensor]
"""Images (N, channels, height, width), float, and their classes (N,), int64."""


class Function(nn.Module):
    """A network that a function makes, one of torchvision's for instance, with arguments.

    network:
      class_path: reference.classifier.Function
      init_args: {name: torchvision.models.resnet18, arguments: {num_classes: 5}}

    A class needs none of this: `--model.network=litcourse.models.ResNet --model.network.width=32`.

    Args:
        name: of the function, with its module.
        arguments: what it is called with.
    """

    def __init__(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        super().__init__()
        module, _, function = name.rpartition(".")
        self.made: nn.Module = getattr(importlib.import_module(module), function)(
            **(arguments or {})
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return what the network does."""
        logits: Tensor = self.made(images)
        return logits


class Classifier(L.LightningModule):
    """A network that classifies images; a subclass says how it is optimised.

    The network is built in `configure_model`, under the strategy that will train it. ZeRO-3 and
    FSDP2 shard each part as soon as it is there (`reference.strategies.build_sharded`); under FSDP1
    each rank builds the whole network on its CPU first.

    Args:
        network: makes the network: images (N, ...) to logits (N, classes).
        policy: the units that FSDP2 gathers together; DDP, FSDP1 and ZeRO do not ask for it.
        classes: how many there are.
    """

    fixed_schedule = True
    """Whether the length of the learning rate's schedule is in a checkpoint."""

    def __init__(
        self, network: Callable[[], nn.Module], policy: WrapPolicy | None = None, classes: int = 10
    ) -> None:
        super().__init__()
        self.network = network
        self.policy = policy or ByClass([])
        self.classes = classes
        self.model: nn.Module | None = None
        self.weights: Path | None = None
        """A file of weights to start from, such as `reference.convert` writes."""
        self.recomputed: Sequence[type[nn.Module]] = ()
        """Classes of the modules whose activations are computed again in backward."""
        self.compiled = False
        """Whether torch.compile makes one program of the network."""
        self.channels_last = False
        """Whether images are laid out channels last, which convolutions on recent GPUs like."""
        # Metrics count on each rank and add the counts up at the end of an epoch, which is exact.
        # An average of averages is not, where ranks got different numbers of samples.
        self.losses = nn.ModuleDict({"val": MeanMetric(), "test": MeanMetric()})
        self.parameter_count = 0
        """Of the whole network, however it is sharded; known once it is built."""
        self._planned_steps: float | None = None
        self.accuracies = nn.ModuleDict(
            {part: MulticlassAccuracy(classes, average="micro") for part in ("val", "test")}
        )

    def configure_model(self) -> None:
        """Build the network; under FSDP2 (`ModelParallelStrategy`), shard it too."""
        if self.model is not None:
            return  # Lightning calls this hook before each of fit, validate and test
        if self.device_mesh is None:
            self.model = self.network()
        else:
            strategy = self.trainer.strategy
            mesh = data_mesh(strategy)
            self.model = build_sharded(
                self.network, self.policy, mesh, strategy.root_device,
                getattr(strategy, "mixed_precision", None),
            )  # fmt: skip
        # Under ZeRO-3 each parameter is sharded as soon as it is made.
        sizes = (getattr(p, "ds_numel", p.numel()) for p in self.parameters())
        self.parameter_count = sum(map(int, sizes))
        if self.weights is not None:
            load_weights(self, self.weights)
            self.weights = None  # a network that is built anew waits for a checkpoint
        recompute(self.model, self.recomputed)
        if self.compiled:
            self.model.compile()

    def discard(self) -> None:
        """Drop the network; the next `configure_model` builds it anew, for a checkpoint to fill.

        FSDP1 leaves a network whose parameters are flat shards, which only its own root can use: to
        test after `fit`, start from a new one.
        """
        self.model = None

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, classes) logits for images (N, ...)."""
        assert self.model is not None, "configure_model has not run"  # noqa: S101
        if self.channels_last and images.dim() == 4:  # noqa: PLR2004  (N, C, H, W)
            images = images.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.model(images)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        loss = self.loss(self(images), labels)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of logits (N, classes), to be minimised."""
        return functional.cross_entropy(logits, labels)

    def on_validation_start(self) -> None:
        """Average what batch norms have seen, so that all ranks validate, and save, one network.

        DDP takes rank 0's statistics for all; FSDP and ZeRO leave each rank with its own.
        """
        self._share_statistics()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Average them before they are saved, since one rank's are; DDP's is rank 0 anyhow.

        Averages are linear: a run that was not cut comes to the same at its next validation.
        """
        if not isinstance(self.trainer.strategy.model, DistributedDataParallel):
            self._share_statistics()
        checkpoint["planned_steps"] = self.trainer.estimated_stepping_batches

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember how long the schedule was planned to be."""
        self._planned_steps = checkpoint.get("planned_steps")

    def on_train_start(self) -> None:
        """Refuse to train on where the schedule has ended: at a rate of zero, or not at all.

        Raises:
            RefusalError: more steps are asked for than the schedule in the checkpoint has.
        """
        planned, wanted = self._planned_steps, self.trainer.estimated_stepping_batches
        if self.fixed_schedule and planned is not None and wanted > planned:
            raise RefusalError(
                f"the schedule in the checkpoint ends after {planned} steps, and "
                f"--trainer.max_epochs={self.trainer.max_epochs} makes {wanted}",
                "the old number of epochs, or --weights FILE.ckpt, which begins a new schedule",
            )

    def _share_statistics(self) -> None:
        if self.trainer.world_size == 1 or self.model is None:
            return
        for buffer in self.model.buffers():
            if buffer.is_floating_point():
                buffer.copy_(cast("Tensor", self.all_gather(buffer)).mean(dim=0))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure `val_loss` and `val_acc`."""
        self._measure("val", self(batch[0]), batch[1])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure `test_loss` and `test_acc`."""
        self._measure("test", self(batch[0]), batch[1])

    def _measure(self, part: str, logits: Tensor, labels: Tensor) -> None:
        if self.trainer.sanity_checking:
            self._check_classes(logits, labels)
        loss = cast("MeanMetric", self.losses[part])
        accuracy = cast("MulticlassAccuracy", self.accuracies[part])
        loss(functional.cross_entropy(logits, labels), weight=len(labels))
        accuracy(logits, labels)
        self.log_dict({f"{part}_loss": loss, f"{part}_acc": accuracy}, prog_bar=part == "val")

    def _check_classes(self, logits: Tensor, labels: Tensor) -> None:
        """Refuse what on a GPU would end in an assertion of a kernel.

        Raises:
            RefusalError: network, data and `classes` are not of one mind.
        """
        if logits.shape[1:] != (self.classes,):
            raise RefusalError(
                f"the network returns {list(logits.shape)} for {len(labels)} samples, and there "
                f"are {self.classes} classes",
                f"--model.classes, or a network that returns (N, {self.classes})",
            )
        if not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
            raise RefusalError(
                f"labels go from {int(labels.min())} to {int(labels.max())}, and there are "
                f"{self.classes} classes",
                f"labels from 0 to {self.classes - 1}, or --model.classes",
            )

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as Lightning does, and by norm under FSDP1 too, which Lightning 2.6 refuses.

        There a rank holds a shard of each gradient: the norm has to be summed over the ranks.
        """
        root: Any = self.trainer.strategy.model
        if isinstance(root, FullyShardedDataParallel) and gradient_clip_algorithm in {None, "norm"}:
            if gradient_clip_val is not None:
                root.clip_grad_norm_(gradient_clip_val)
            return
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
