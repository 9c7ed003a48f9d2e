"""What a sharded run saved: made into one file, and gone on with on another number of ranks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from litcourse.core.exit_codes import ExitCode
from litcourse.models import MLP
from reference.convert import main as convert
from reference.mnist.mnist_model import DigitClassifier
from reference.resuming.whole_checkpoints import newest_whole
from tests.reference.fits import PROGRAMS, Ranks, arguments, fit, losses

SHORT = ("--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1",
         "--last.save_top_k=-1", "--last.filename={epoch}")  # fmt: skip
"""Two epochs of two steps; a checkpoint for each."""
NETWORK = partial(MLP, hidden=[512, 64])
"""That of smoke.yaml."""
Saved = Callable[[str], Path]


@pytest.fixture(scope="module")
def saved(ranks: Ranks, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """The folder of checkpoints of a run on two ranks; each config runs once."""
    known: dict[str, Path] = {}

    def run(config: str) -> Path:
        if config not in known:
            folder = tmp_path_factory.mktemp(config)
            fit(ranks, "mnist", config, folder, 2, *SHORT)
            known[config] = folder / "checkpoints"
        return known[config]

    return run


def converted(ranks: Ranks, checkpoint: Path, out: Path) -> dict[str, Tensor]:
    """The weights of `checkpoint`, by the command; in a fork, for it imports DeepSpeed."""
    (code,) = ranks(lambda: int(convert([str(checkpoint), "--out", str(out)])), 1)
    assert code == ExitCode.DONE
    weights: dict[str, Tensor] = torch.load(out, weights_only=True)["state_dict"]
    return weights


def furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest difference of a weight; a step of Adam is 0.001."""
    assert list(one) == list(other)
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize("config", ["fsdp2", "fsdp_blocks", "zero2", "zero3"])
def test_one_file_holds_the_weights(
    ranks: Ranks, saved: Saved, tmp_path: Path, config: str
) -> None:
    out = tmp_path / "one.ckpt"
    weights = converted(ranks, saved(config) / "epoch=1.ckpt", out)
    whole = torch.load(saved("ddp") / "epoch=1.ckpt", weights_only=True)
    assert furthest(weights, whole["state_dict"]) < 1e-6
    module = DigitClassifier.load_from_checkpoint(out)  # the network is in its arguments
    assert furthest(dict(module.state_dict()), weights) == 0
    held = torch.load(out, weights_only=True)
    assert held.keys() < whole.keys(), "nothing that Lightning's own file would not have"
    assert held["global_step"] == 4


@pytest.mark.parametrize(("world_size", "batch_size"), [(4, 8), (1, 32)])
def test_fsdp2_goes_on_with_its_optimizer_on_other_ranks(
    ranks: Ranks, saved: Saved, tmp_path: Path, world_size: int, batch_size: int
) -> None:
    """The same global batches, so the same weights as those of the run that was not stopped."""
    batch = f"--data.batch_size={batch_size}"
    half = f"--ckpt_path={saved('fsdp2') / 'epoch=0.ckpt'}"
    fit(ranks, "mnist", "fsdp2", tmp_path, world_size, *SHORT, batch, half)
    assert len(losses(tmp_path)) == 2
    files = len(list((tmp_path / "checkpoints/epoch=1.ckpt").glob("*.distcp")))
    assert files == world_size, "a file for each rank"
    weights = converted(ranks, tmp_path / "checkpoints/epoch=1.ckpt", tmp_path / "one.ckpt")
    whole = torch.load(saved("ddp") / "epoch=1.ckpt", weights_only=True)["state_dict"]
    # With a new optimizer they differ by more than a step: 0.001.
    assert furthest(weights, whole) < 1e-5


def test_the_file_of_zero_starts_a_new_optimizer(
    ranks: Ranks, saved: Saved, tmp_path: Path
) -> None:
    """Under ZeRO-3 again, where a rank holds flat shards, and without it."""
    out = tmp_path / "one.ckpt"
    converted(ranks, saved("zero3") / "epoch=0.ckpt", out)
    short = (*SHORT, "--trainer.max_epochs=1", f"--weights={out}", "--data.batch_size=32")
    for config in ("zero3", "ddp"):
        fit(ranks, "mnist", config, tmp_path / config, 1, *short)
    begun = losses(tmp_path / "ddp")
    assert losses(tmp_path / "zero3") == pytest.approx(begun, rel=1e-4)
    assert begun[0] < 0.98 * losses(saved("ddp").parent)[0], "not from random weights"
    last = torch.load(tmp_path / "ddp/checkpoints/epoch=0.ckpt", weights_only=True)
    assert {int(of["step"]) for of in last["optimizer_states"][0]["state"].values()} == {2}


# --- what is no checkpoint ----------------------------------------------------------------------


def refusal(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    """What the command says to something that it can't convert; nothing is written."""
    assert convert([str(arg) for arg in args]) == ExitCode.MISTAKE
    said = capsys.readouterr()
    assert not said.out
    assert "\n  Next: " in said.err
    return said.err


def test_what_is_no_folder_of_shards(
    saved: Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = saved("fsdp2"), ("--out", tmp_path / "one.ckpt")
    none = refusal(capsys, folder / "epoch=7.ckpt", *out)
    assert "there is no such folder" in none
    assert "epoch=1.ckpt" in none, "those that there are"
    assert "take one of" in refusal(capsys, folder, *out)
    assert "it holds no checkpoint" in refusal(capsys, tmp_path, *out)
    plain = saved("ddp") / "epoch=1.ckpt"
    assert "it is one file already" in refusal(capsys, plain, *out)
    assert "exists already" in refusal(capsys, folder / "epoch=1.ckpt", "--out", plain)
    assert "mkdir -p" in refusal(capsys, folder / "epoch=1.ckpt", "--out", tmp_path / "no/a.ckpt")
    assert not list(tmp_path.iterdir())


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [Path.unlink, empty, cut])
@pytest.mark.parametrize("config", ["fsdp2", "fsdp_blocks", "zero2", "zero3"])
def test_a_folder_that_lacks_a_file_or_its_end_is_no_checkpoint(
    saved: Saved,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    config: str,
    damage: Callable[[Path], None],
) -> None:
    """Each file in turn: it is named, and a job goes on from an older checkpoint."""
    whole, half = saved(config) / "epoch=1.ckpt", tmp_path / "checkpoints/last.ckpt"
    older = shutil.copytree(whole, tmp_path / "hpc_ckpt_1.ckpt")
    os.utime(older, (1000, 1000))
    files = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file()]
    files = [path for path in files if path.suffix != ".py"]  # DeepSpeed leaves two scripts
    assert len(files) >= 4
    for file in files:
        shutil.copytree(whole, half)
        assert newest_whole(tmp_path) == half
        damage(half / file)
        message = refusal(capsys, half, "--out", tmp_path / "one.ckpt")
        assert f"{half}: it is half of a checkpoint: " in message
        assert file.name in message or "no file checkpoint/*_model_states.pt" in message
        assert newest_whole(tmp_path) == older
        shutil.rmtree(half)


def test_a_part_of_what_zero_saved_is_no_checkpoint(
    saved: Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = saved("zero3") / "epoch=1.ckpt/checkpoint"
    message = refusal(capsys, part, "--out", tmp_path / "one.ckpt")
    assert f"take {part.parent}" in message


def test_a_file_without_weights_starts_nothing(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pt")
    module = DigitClassifier(network=NETWORK)
    module.weights = tmp_path / "other.pt"
    with pytest.raises(ValueError, match="no state_dict is in it"):
        module.configure_model()


# --- weights alone ------------------------------------------------------------------------------


def test_weights_alone_are_converted_and_nobody_goes_on_from_them(
    ranks: Ranks, saved: Saved, tmp_path: Path
) -> None:
    weights_only = (*SHORT, "--last.save_weights_only=true")
    fit(ranks, "mnist", "fsdp2", tmp_path, 2, *weights_only)
    folder, out = tmp_path / "checkpoints/epoch=1.ckpt", tmp_path / "one.ckpt"
    weights = converted(ranks, folder, out)
    assert furthest(weights, torch.load(saved("ddp") / "epoch=1.ckpt")["state_dict"]) < 1e-6
    for path, step in ((out, f"--weights {out}"), (folder, "python -m reference.convert")):
        with pytest.raises(AssertionError, match="holds weights and no optimizer") as caught:
            fit(ranks, "mnist", "fsdp2", tmp_path / "again", 1, f"--ckpt_path={path}")
        assert f"Next: {step}" in str(caught.value)


def test_zero_goes_on_with_as_many_ranks_as_before(
    ranks: Ranks, saved: Saved, tmp_path: Path
) -> None:
    named = f"--ckpt_path={saved('zero3') / 'epoch=0.ckpt'}"
    with pytest.raises(AssertionError, match="was written by 2 ranks, and ZeRO goes on with"):
        fit(ranks, "mnist", "zero3", tmp_path, 1, named)


# --- the subcommands ----------------------------------------------------------------------------


@pytest.mark.parametrize("config", ["zero2", "zero3", "fsdp_blocks", "fsdp2"])
def test_what_was_trained_in_shards_is_measured_in_shards(
    ranks: Ranks, tmp_path: Path, config: str
) -> None:
    """By programs of their own; what the summary counts is the whole network, not a shard."""
    fit(ranks, "mnist", config, tmp_path, 2, *SHORT)
    best = f"--ckpt_path={tmp_path / 'checkpoints/best.ckpt'}"
    args = arguments("mnist", config, tmp_path, 2, best)[1:]
    for subcommand in ("test", "validate"):
        ranks(partial(PROGRAMS["mnist"], [subcommand, *args]), 2)

    def told(name: str) -> dict[str, float]:
        found: dict[str, float] = json.loads((tmp_path / f"summaries/{name}.json").read_text())
        return found

    assert told("test-0")["test_acc"] == told("fit-0")["test_acc"]
    assert "val_acc" in told("validate-0")
    assert told("fit-0")["parameters"] == 784 * 512 + 512 + 512 * 64 + 64 + 64 * 10 + 10


@pytest.mark.parametrize("config", ["zero2", "fsdp2"])
def test_a_folder_is_refused_by_who_cannot_read_it(
    ranks: Ranks, saved: Saved, tmp_path: Path, config: str
) -> None:
    folder = saved(config) / "epoch=1.ckpt"
    alone = ["test", f"--ckpt_path={folder}", f"--run_dir={tmp_path}", "--trainer.devices=1",
             "--trainer.accelerator=cpu"]  # fmt: skip
    with pytest.raises(AssertionError, match="which SingleDeviceStrategy does not read") as caught:
        ranks(partial(PROGRAMS["mnist"], alone), 1)
    assert f"Next: python -m reference.convert {folder} --out FILE.ckpt" in str(caught.value)
