"""What the strategies do to a network: its units, and what a rank holds while it is built."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import torchvision
from torch import nn
from torch.distributed import destroy_process_group, init_process_group
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.tensor import DTensor

from litcourse.models import MLP, ResNet
from reference.devices.on_meta import built_on_meta
from reference.policies import ByClass
from reference.strategies import build_sharded
from tests.reference.fits import Ranks, arguments, fit
from tests.reference.test_flags import told

pytestmark = pytest.mark.slow


class Units(L.Callback):
    """Writes how many units FSDP1 made of the network.

    Args:
        path: file to write to.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Count them."""
        wrapped: nn.Module = trainer.strategy.model  # type: ignore[assignment]
        found = sum(isinstance(m, FullyShardedDataParallel) for m in wrapped.modules())
        self.path.write_text(str(found))


@pytest.mark.parametrize(
    ("config", "units"), [("fsdp_blocks", 9), ("fsdp_size", 7), ("fsdp_custom", 5)]
)
def test_fsdp1_makes_the_units_of_its_policy(
    ranks: Ranks, tmp_path: Path, config: str, units: int
) -> None:
    """On ResNet-18; batch norms stay in the unit of their block."""
    count = [
        "--trainer.callbacks+=tests.reference.test_strategies.Units",
        f"--trainer.callbacks.path={tmp_path}/units",
        "--model.network=litcourse.models.ResNet", "--model.network.blocks=[2,2,2,2]",
        "--model.network.width=64", "--trainer.max_steps=1",
        "--data.batch_size=2", "--trainer.limit_val_batches=0", "--test_after_fit=false",
    ]  # fmt: skip
    fit(ranks, "cifar10", config, tmp_path, 1, *count)
    assert (tmp_path / "units").read_text() == str(units)


WIDE = partial(MLP, hidden=[3000] * 8)
"""Seven equal layers of 34 MiB, and small ones: 250 MiB."""
POLICY = ByClass([nn.Linear])


def built() -> list[float]:
    """MiB that building takes at most on a rank, and how far its weights are from plain ones."""
    init_process_group("gloo")
    mesh = init_device_mesh("cpu", (2,))
    torch.manual_seed(0)
    before = peak(anew=True)
    network = build_sharded(WIDE, POLICY, mesh, torch.device("cpu"))
    most = peak() - before
    torch.manual_seed(0)
    plain = dict(WIDE().named_parameters())
    away = 0.0
    for name, parameter in network.named_parameters():
        assert isinstance(parameter, DTensor)
        away = max(away, float((parameter.full_tensor() - plain[name]).abs().max().detach()))
    destroy_process_group()
    return [most, away]


def peak(*, anew: bool = False) -> float:
    """Most memory, in MiB, that this process has held, or holds now."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def test_fsdp2_builds_a_network_that_no_rank_ever_holds(ranks: Ranks) -> None:
    whole = sum(p.numel() for p in WIDE().parameters()) * 4 / 2**20
    for most, away in ranks(built, 2):
        assert most < 0.75 * whole, "half of it, and one layer"
        assert away == 0


class Tied(nn.Module):
    """Two layers that share their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4)
        self.other.weight = self.one.weight


class Own(nn.Module):
    """A parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(4, 4), nn.Parameter(torch.rand(4))


class Masked(nn.Linear):
    """A buffer of which the `reset_parameters` that it inherits knows nothing."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.register_buffer("mask", torch.ones(4))


class OtherOrder(nn.Module):
    """Drawn in another order than that of its modules."""

    def __init__(self) -> None:
        super().__init__()
        last = nn.Linear(4, 4)
        self.first = nn.Linear(4, 4)
        self.last = last


class Prepared(nn.Linear):
    """Its weights get what `prepare` does to them in the constructor."""

    def __init__(self, prepare: Callable[[nn.Linear], Any]) -> None:
        super().__init__(4, 4)
        prepare(self)


TRAINED = {"weight": torch.full((4, 4), 2.0), "bias": torch.zeros(4)}
WHOLE: dict[str, Callable[[], nn.Module]] = {
    "tied": Tied,
    "own": Own,
    "masked": Masked,
    "order": OtherOrder,
    "init": partial(Prepared, lambda layer: nn.init.trunc_normal_(layer.weight, std=0.02)),
    "data": partial(Prepared, lambda layer: layer.weight.data.normal_(0, 0.02)),
    "replaced": partial(Prepared, lambda layer: setattr(layer, "bias", None)),
    "trained": partial(Prepared, lambda layer: layer.load_state_dict(TRAINED)),
    "numpy": partial(Prepared, lambda layer: layer.weight.detach().numpy().fill(3.0)),
    "drawn": partial(Prepared, lambda _: torch.randn(3)),
    "torchvision": torchvision.models.resnet18,  # other weights than `reset_parameters` draws
}
"""Networks that `reset_parameters` of their modules does not give what the constructor does."""
FILLED: dict[str, Callable[[], nn.Module]] = {
    "MLP": partial(MLP, hidden=[8]),
    "ResNet": partial(ResNet, blocks=[1, 1, 1], width=8),
    "layers": lambda: nn.Sequential(
        nn.Embedding(4, 4), nn.LSTM(4, 4), nn.LayerNorm(4), nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)
    ),
}
"""Those of which no rank has to hold all."""


@pytest.mark.parametrize("name", WHOLE | FILLED)
def test_which_networks_are_built_on_meta(name: str) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert (built_on_meta((WHOLE | FILLED)[name]) is None) == (name in WHOLE)
    assert torch.equal(torch.get_rng_state(), state)


def test_any_network_has_the_weights_that_it_has_under_ddp(ranks: Ranks) -> None:
    for differ in ranks(all_built, 2):
        assert differ == []


def all_built() -> list[str]:
    """Which networks came out otherwise than their constructors make them."""
    init_process_group("gloo")
    mesh, differ = init_device_mesh("cpu", (2,)), []
    for name, make in (WHOLE | FILLED).items():
        torch.manual_seed(0)
        network: Any = build_sharded(make, ByClass([]), mesh, torch.device("cpu"))
        torch.manual_seed(0)
        plain = make().state_dict()
        found = {
            key: value.full_tensor() if isinstance(value, DTensor) else value
            for key, value in network.state_dict().items()
        }
        if found.keys() != plain.keys() or any(not found[k].equal(plain[k]) for k in plain):
            differ.append(name)
        if name == "tied" and network.one.weight is not network.other.weight:
            differ.append("not tied any more")
    destroy_process_group()
    return differ


@pytest.mark.parametrize(("program", "code"), [("mnist", 0), ("cifar10", 2)])
def test_parameters_are_gathered_in_bfloat16_where_torch_can(
    ranks: Ranks, tmp_path: Path, program: str, code: int
) -> None:
    """The ResNet has batch norms, which it can't."""
    flags = ("--trainer.strategy.gather_in=bfloat16", "--trainer.max_epochs=1")
    args = arguments(program, "fsdp2", tmp_path, 2, *flags)
    for ended, _, error in ranks(partial(told, program, args), 2):
        assert ended == code, error
        assert ("batch norms can't be computed in torch.bfloat16" in error) == bool(code)
