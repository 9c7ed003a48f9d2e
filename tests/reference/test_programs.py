"""Each config of both programs trains, on two ranks where it is about ranks, to the same loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reference import fits
from tests.reference.fits import PROGRAMS, Ranks, losses

pytestmark = pytest.mark.slow

SINGLE = ("cpu", "gpu", "smoke")
REPLICATED = ("ddp",)
SHARDED = ("fsdp_blocks", "fsdp_size", "fsdp_custom", "fsdp2", "fsdp2_hybrid", "zero2", "zero3")
STEPS = 16


def fit(ranks: Ranks, program: str, config: str, folder: Path, *more: str) -> None:
    """Train a tiny network as `config` says; two ranks where it is about ranks."""
    fits.fit(ranks, program, config, folder, 1 if config in SINGLE else 2, *more)


@pytest.fixture(scope="module")
def replicated(
    ranks: Ranks, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], list[float]]:
    """The losses of a program under DDP; it runs once."""
    known: dict[str, list[float]] = {}

    def run(program: str) -> list[float]:
        if program not in known:
            folder = tmp_path_factory.mktemp("ddp")
            fit(ranks, program, "ddp", folder)
            known[program] = losses(folder)
        return known[program]

    return run


def test_every_config_is_tried(root: Path) -> None:
    for program in PROGRAMS:
        found = {path.stem for path in (root / "reference" / program / "configs").iterdir()}
        assert found == {*SINGLE, *REPLICATED, *SHARDED}


@pytest.mark.parametrize("config", SINGLE)
@pytest.mark.parametrize("program", PROGRAMS)
def test_one_process_trains_and_reports(
    ranks: Ranks, tmp_path: Path, program: str, config: str
) -> None:
    fit(ranks, program, config, tmp_path)
    told = json.loads((tmp_path / "summaries/fit-0.json").read_text())
    assert (told["steps"], told["world_size"]) == (STEPS, 1)
    assert told["precision"] == ("bf16-mixed" if config == "gpu" else "32-true")
    assert told["images_per_second"] > 0
    assert told["peak_memory_mib"] > 100
    assert 0 <= told["test_acc"] <= 1
    assert "torch" in told["versions"]
    assert told["config"]["fit"]["seed_everything"] == 42
    assert (tmp_path / "checkpoints/best.ckpt").is_file()
    assert list(tmp_path.glob("tensorboard/version_0/events*"))
    assert len(losses(tmp_path)) == STEPS


@pytest.mark.parametrize("config", SHARDED)
@pytest.mark.parametrize("program", PROGRAMS)
def test_sharded_ranks_reach_the_loss_of_ddp(
    ranks: Ranks,
    replicated: Callable[[str], list[float]],
    tmp_path: Path,
    program: str,
    config: str,
) -> None:
    fit(ranks, program, config, tmp_path)
    # Sums in another order: the last digits of float32 differ, more with each step.
    assert losses(tmp_path) == pytest.approx(replicated(program), rel=1e-4)
    assert len(losses(tmp_path)) == STEPS
    assert (tmp_path / "checkpoints/last.ckpt").is_dir()
    told = json.loads((tmp_path / "summaries/fit-0.json").read_text())
    assert told["world_size"] == 2
    assert "test_acc" in told  # of the checkpoint, read back in shards


@pytest.mark.parametrize("config", [*REPLICATED, *SHARDED])
def test_a_config_trains_and_tests_in_its_own_precision(
    ranks: Ranks, tmp_path: Path, config: str
) -> None:
    few = ("--trainer.precision=bf16-mixed", "--trainer.max_steps=2")
    fits.fit(ranks, "cifar10", config, tmp_path, 1, *few)
    told = json.loads((tmp_path / "summaries/fit-0.json").read_text())
    assert (told["precision"], told["steps"]) == ("bf16-mixed", 2)
    assert "test_acc" in told


@pytest.mark.parametrize("config", ["ddp", "fsdp_blocks", "fsdp2", "zero3"])
def test_a_run_goes_on_where_it_stopped(ranks: Ranks, tmp_path: Path, config: str) -> None:
    # MNIST, since nothing is drawn there but the order of samples, which an epoch's number fixes.
    keep = ("--last.save_top_k=-1", "--last.filename={epoch}")
    fit(ranks, "mnist", config, tmp_path / "whole", *keep)
    half = tmp_path / "whole/checkpoints/epoch=0.ckpt"
    fit(ranks, "mnist", config, tmp_path / "again", f"--ckpt_path={half}")
    assert losses(tmp_path / "again") == pytest.approx(losses(tmp_path / "whole")[8:], rel=1e-5)


def test_another_strategy_is_a_flag(run_in: Callable[..., Any], root: Path, tmp_path: Path) -> None:
    """As a person types it: Lightning starts the second rank."""
    command = ("python", "-m", "reference.mnist", "fit", f"--run_dir={tmp_path}")
    smoke = ("--config", "reference/mnist/configs/smoke.yaml")
    flags = ("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp")
    done = run_in(root, *command, *smoke, *flags, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "summaries/fit-0.json").read_text())["world_size"] == 2
    # In a log file: a line for each epoch, then the report, and no progress bar.
    lines = [line for line in done.stdout.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2 step 8", "epoch 2/2 step 16"]
    assert "it/s" not in done.stdout + done.stderr
    assert "written to" in done.stdout
