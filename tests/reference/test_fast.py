"""The tuned network of CIFAR10: its parts, and that it learns."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from litcourse.data import cifar10
from reference.cifar10.fast.fast_data import SHIFT, Epoch, FastData, shifted
from reference.cifar10.fast.fast_model import FastClassifier, triangle
from reference.cifar10.fast.fast_train import main
from reference.cifar10.fast.network import FILTERS, KERNEL, WhitenedNet

Ranks = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    data = FastData()
    data.setup("fit")
    return data.images


def test_whitening_leaves_no_correlation_and_unit_variance(images: torch.Tensor) -> None:
    network = WhitenedNet((4, 4, 4))
    network.fit_whitening(images[:1000], eps=0.0)
    out = network.whiten(images[:1000])[:, : FILTERS // 2].movedim(1, 0).flatten(1)
    moments = out @ out.T / out.shape[1]
    torch.testing.assert_close(moments, torch.eye(FILTERS // 2), atol=1e-2, rtol=0)
    # The largest variance first, and each filter's negative in the second half.
    size = network.whiten.weight.flatten(1).norm(dim=1)
    assert bool((size[: FILTERS // 2].diff() >= 0).all())
    torch.testing.assert_close(
        network.whiten.weight[FILTERS // 2 :], -network.whiten.weight[: FILTERS // 2]
    )
    assert network.whiten.kernel_size == (KERNEL, KERNEL)


def test_only_directions_that_learn_are_trained() -> None:
    names = {name for name, p in WhitenedNet().named_parameters() if not p.requires_grad}
    assert names == {"whiten.weight"} | {
        f"body.{group}.norm{n}.weight" for group in (1, 2, 3) for n in (1, 2)
    }
    assert sum(p.numel() for p in WhitenedNet().parameters()) == 1_972_792


def test_an_epoch_is_fixed_by_seed_and_number() -> None:
    padded, labels = torch.randn(64, 3, 36, 36), torch.arange(64)

    def epoch(number: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        batches = list(Epoch(padded, labels, 16, seed, number))
        return torch.cat([b[0] for b in batches]), torch.cat([b[1] for b in batches])

    first, again = epoch(3), epoch(3)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1].sort().values, labels)
    assert not torch.equal(first[1], epoch(4)[1])
    assert not torch.equal(first[1], epoch(3, seed=1)[1])


def test_two_epochs_show_both_sides_of_each_image() -> None:
    # The same at all shifts, so that only sides differ: a ramp from left to right.
    ramp = torch.arange(36.0).expand(50, 3, 36, 36)
    rising: list[torch.Tensor] = []
    for number in (0, 1, 2):
        (images, order), *_ = Epoch(ramp, torch.arange(50), 50, 0, number)
        up = images[:, 0, 0, 1] > images[:, 0, 0, 0]
        rising.append(up[order.argsort()])
    assert torch.equal(rising[0], ~rising[1])
    assert torch.equal(rising[0], rising[2])
    assert 10 < int(rising[0].sum()) < 40


def test_shifted_cuts_where_it_is_told() -> None:
    padded = torch.randn(5, 3, 36, 36)
    shifts = torch.tensor([[0, 0], [2, 2], [4, 4], [1, 3], [4, 0]])
    expected = [
        image[:, row : row + 32, column : column + 32]
        for image, (row, column) in zip(padded, shifts.tolist(), strict=True)
    ]
    assert torch.equal(shifted(padded, shifts), torch.stack(expected))
    assert int(shifts.max()) == 2 * SHIFT


def test_rate_rises_and_falls() -> None:
    assert [round(triangle(x), 3) for x in (0, 0.23, 1)] == [0.2, 1.0, 0.07]


def test_six_views_of_a_symmetric_network_are_the_logits() -> None:
    model = FastClassifier(network=torch.nn.Identity)
    model.configure_model()
    model.model = Brightness()
    flat = torch.full((2, 3, 32, 32), 0.5)
    torch.testing.assert_close(model.six_views(flat), model(flat))


class Brightness(torch.nn.Module):
    """Ten times the mean of the image: the same for each of its views, if it is flat."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(1, 2, 3)).unsqueeze(1).expand(-1, 10)


NARROW = (
    "--model.network=reference.cifar10.fast.network.WhitenedNet",
    "--model.network.init_args.widths=[16,32,32]",
    "--data.batch_size=125",
    "--trainer.accelerator=cpu",
)


def fit(ranks: Ranks, folder: Path, *more: str) -> dict[str, Any]:
    """Train; the report."""
    ranks(partial(main, ["fit", f"--run_dir={folder}", *NARROW, *more]), 1, seconds=900)
    told: dict[str, Any] = json.loads((folder / "summaries/fit-0.json").read_text())
    return told


@pytest.mark.slow
def test_it_learns_in_some_hundred_steps(ranks: Ranks, tmp_path: Path) -> None:
    told = fit(ranks, tmp_path, "--trainer.max_epochs=6")
    assert told["steps"] == 6 * len(cifar10()) // 125
    assert told["test_acc"] > 0.9


@pytest.mark.slow
def test_it_goes_on_where_it_stopped(ranks: Ranks, tmp_path: Path) -> None:
    short = ("--trainer.max_epochs=3", "--trainer.limit_train_batches=10")
    each = ("--trainer.log_every_n_steps=1", "--last.save_top_k=-1", "--last.filename={epoch}")
    fit(ranks, tmp_path / "whole", *short, *each)
    shutil.copy(tmp_path / "whole/checkpoints/epoch=0.ckpt", tmp_path / "first.ckpt")
    fit(ranks, tmp_path / "again", *short, *each, f"--ckpt_path={tmp_path}/first.ckpt")
    whole, again = (losses(tmp_path / name) for name in ("whole", "again"))
    assert again == pytest.approx(whole[10:], rel=1e-3)  # bfloat16, and threads
    assert len(again) == 20


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("g++") is None,
    reason="torch.compile needs a C++ compiler; to enable: sudo apt-get install g++",
)
def test_it_can_be_compiled(ranks: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    few = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=4")
    each = ("--trainer.log_every_n_steps=1", "--trainer.limit_test_batches=1")
    fit(ranks, tmp_path / "plain", *few, *each)
    fit(ranks, tmp_path / "compiled", *few, *each, "--compile=true")
    plain, compiled = (losses(tmp_path / name) for name in ("plain", "compiled"))
    assert compiled == pytest.approx(plain, rel=2e-2)  # bfloat16 is rounded in other places


def losses(folder: Path) -> list[float]:
    with (folder / "csv/version_0/metrics.csv").open() as table:
        return [float(row["train_loss"]) for row in csv.DictReader(table) if row["train_loss"]]
