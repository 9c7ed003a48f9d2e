"""Activation checkpointing: forwards are counted, and all else is as without it."""

from __future__ import annotations

import copy
import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from litcourse.models import BasicBlock, Block, ResNet
from litcourse.sharding import KeptForBackward
from reference.cifar10.cifar10_train import main
from reference.recompute import recompute
from tests.reference.fits import Ranks, arguments

STEPS, BLOCKS = 2, 3
"""Of a run; smoke.yaml's network has so many blocks."""


def step(network: nn.Module, images: Tensor) -> tuple[int, int]:
    """A training step; how often block 0 went forward, and the bytes kept for backward."""
    calls: list[nn.Module] = []
    block = next(module for module in network.modules() if isinstance(module, BasicBlock))
    handle = block.conv1.register_forward_hook(lambda module, *_: calls.append(module))
    with KeptForBackward(network) as kept:
        loss = network(images).square().sum()
    loss.backward()
    handle.remove()
    return len(calls), kept.bytes


def test_gradients_and_statistics_are_those_of_one_forward() -> None:
    torch.manual_seed(0)
    plain, images = ResNet([1, 1], 4), torch.randn(2, 3, 8, 8)
    twice = copy.deepcopy(plain)
    recompute(twice, [BasicBlock])
    assert twice.state_dict().keys() == plain.state_dict().keys()
    (once, whole), (more, kept) = step(plain, images), step(twice, images)
    assert (once, more) == (1, 2)
    assert kept < whole / 2
    for (name, one), other in zip(plain.named_parameters(), twice.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad), name
    for name, seen in plain.named_buffers():  # of batch norms, and how many batches they saw
        assert torch.equal(seen, twice.get_buffer(name)), name
    with torch.no_grad():
        assert torch.equal(plain.eval()(images), twice.eval()(images))


def test_a_class_that_the_network_lacks_is_named() -> None:
    with pytest.raises(ValueError, match=r"no Block is in the network.*some of BasicBlock"):
        recompute(ResNet([1, 1], 4), [Block])


def forwards(ranks: Ranks, config: str, folder: Path, *more: str) -> int:
    """Train; return how often a block of rank 0 went forward with gradients on data."""
    count = 1 if config == "cpu" else 2
    short = ("--trainer.max_epochs=1", f"--trainer.limit_train_batches={STEPS}")
    args = arguments("cifar10", config, folder, count, *short, *more)

    def program() -> int:
        calls: list[bool] = []
        forward = BasicBlock.forward

        def counted(self: BasicBlock, x: Tensor) -> Tensor:
            calls.append(torch.is_grad_enabled() and not x.is_meta)  # meta: arithmetic is counted
            return forward(self, x)

        BasicBlock.forward = counted  # type: ignore[method-assign]  # in a fork
        main(args)
        return sum(calls)

    seen: list[int] = ranks(program, count)
    return seen[0]


def measured(folder: Path) -> list[float]:
    """All losses of a run: of training, validation and test."""
    with (folder / "csv/version_0/metrics.csv").open() as table:
        rows = list(csv.DictReader(table))
    return [float(row[name]) for row in rows for name in row if "loss" in name and row[name]]


@pytest.mark.slow
@pytest.mark.parametrize("config", ["cpu", "fsdp_blocks", "fsdp2"])
def test_the_flag_of_the_command_line(ranks: Ranks, tmp_path: Path, config: str) -> None:
    flag = "--activation_checkpointing=[litcourse.models.BasicBlock]"
    assert forwards(ranks, config, tmp_path / "without") == STEPS * BLOCKS
    assert forwards(ranks, config, tmp_path / "with", flag) == 2 * STEPS * BLOCKS
    losses = measured(tmp_path / "without")
    assert len(losses) == STEPS + 2
    assert measured(tmp_path / "with") == losses
