"""What the flags of the programs promise: a result, or one clear line."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from tests.reference.fits import PROGRAMS, Ranks

pytestmark = pytest.mark.slow
SMOKE = ("--config", "reference/mnist/configs/smoke.yaml", "--trainer.accelerator=cpu",
         "--trainer.devices=1")  # fmt: skip


def told(program: str | Callable[[list[str]], object], args: list[str]) -> list[Any]:
    """How a program ended, what it printed, and its last lines on standard error."""
    main = PROGRAMS[program] if isinstance(program, str) else program
    out, error = io.StringIO(), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            main(args)
        except SystemExit as end:
            code = end.code
    return [code, out.getvalue(), error.getvalue()]


Run = Callable[..., list[Any]]


@pytest.fixture
def run(ranks: Ranks, tmp_path: Path) -> Run:
    """`run("fit", ...)` on a tiny network: its exit code, output and standard error."""

    def start(subcommand: str, *args: str, program: str = "mnist") -> list[Any]:
        smoke = [arg.replace("mnist", program) for arg in SMOKE]
        given = [subcommand, f"--run_dir={tmp_path}/run", *smoke, *args]
        (found,) = ranks(partial(told, program, given), 1)
        result: list[Any] = found
        return result

    return start


@pytest.fixture(scope="module")
def trained(ranks: Ranks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("trained")
    ranks(partial(told, "mnist", ["fit", f"--run_dir={folder}", *SMOKE]), 1)
    return folder


def summary(folder: Path, name: str = "fit-0") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"run/summaries/{name}.json").read_text())
    return found


# --- a result -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "tested"),
    [
        (["--trainer.fast_dev_run=1"], False),
        (["--trainer.max_steps=3"], True),
        (["--trainer.logger=false"], True),
        (["--trainer.enable_checkpointing=false"], False),
        (["--test_after_fit=false"], False),
        (["--optimizer=AdamW", "--optimizer.lr=0.01"], True),
        (["--optimizer=SGD", "--optimizer.lr=0.01", "--lr_scheduler=StepLR",
          "--lr_scheduler.step_size=1"], True),
    ],
)  # fmt: skip
def test_a_flag_gives_a_result(run: Run, tmp_path: Path, flags: list[str], tested: bool) -> None:
    code, out, error = run("fit", *flags)
    assert code == 0, error
    found = summary(tmp_path)
    assert found["steps"] == {"--trainer.fast_dev_run=1": 1, "--trainer.max_steps=3": 3}.get(
        flags[0], 16
    )
    assert ("test_acc" in found) == tested
    assert "written to" in out


def test_a_bare_trainer_trains(ranks: Ranks, tmp_path: Path) -> None:
    """Without the settings that `barebones` refuses."""
    args = ["fit", f"--run_dir={tmp_path}/run", *SMOKE[2:], "--trainer.barebones=true",
            "--trainer.max_epochs=1", "--data.batch_size=256"]  # fmt: skip
    ((code, _, error),) = ranks(partial(told, "mnist", args), 1)
    assert code == 0, error
    assert "test_acc" not in summary(tmp_path)


@pytest.mark.parametrize("kept", [3, -1])
def test_several_best_checkpoints_carry_their_epoch(run: Run, tmp_path: Path, kept: int) -> None:
    code, _, error = run("fit", f"--best.save_top_k={kept}", "--best.monitor=epoch")
    assert code == 0, error
    names = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert names == {"best-epoch=0.ckpt", "best-epoch=1.ckpt", "last.ckpt"}


def test_words_for_the_checkpoints_of_a_run(run: Run) -> None:
    """`last` may stand there from the first start on."""
    missing = run("test", "--ckpt_path=best")
    assert "checkpoints/best.ckpt: there is no such checkpoint" in refusal(missing)
    fit = ("fit", "--ckpt_path=last", "--trainer.max_epochs=1", "--model.lr=0.1")
    assert [run(*fit)[0], run("test", "--ckpt_path=best")[0], run(*fit)[0]] == [0, 0, 0]


def test_each_subcommand_and_run_has_a_summary_of_its_own(
    run: Run, tmp_path: Path, trained: Path
) -> None:
    best = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
    for subcommand in ("test", "validate", "test"):
        assert run(subcommand, best)[0] == 0
    names = {path.name for path in (tmp_path / "run/summaries").iterdir()}
    assert names == {"test-0.json", "test-1.json", "validate-0.json"}
    assert "val_acc" in summary(tmp_path, "validate-0")
    whole = json.loads((trained / "summaries/fit-0.json").read_text())
    assert summary(tmp_path, "test-1")["test_acc"] == whole["test_acc"]


class SlowValidation(L.Callback):
    """Half a second for each validation."""

    def on_validation_epoch_start(self, *_: object) -> None:
        """Wait."""
        time.sleep(0.5)


def test_validation_within_an_epoch_is_not_training(run: Run, tmp_path: Path) -> None:
    """Four of them in each epoch, of a model whose eight steps take less than that."""
    slow = "--trainer.callbacks+=tests.reference.test_flags.SlowValidation"
    code, _, error = run("fit", slow, "--trainer.val_check_interval=2", "--test_after_fit=false")
    assert code == 0, error
    found = summary(tmp_path)
    assert 2 * found["epoch_seconds"] < found["fit_seconds"] - 4, "eight validations"
    assert found["step_ms"] == pytest.approx(1000 * found["epoch_seconds"] / 8, rel=0.01)
    assert 0 <= found["waiting"] < 1


# --- one clear line -----------------------------------------------------------------------------


def refusal(found: list[Any]) -> str:
    """The line by which a program refused; it is the last one."""
    code, _, error = found
    assert code == 2, error
    last: str = error.strip().splitlines()[-1]
    assert "Traceback" not in error
    assert "usage:" not in error
    assert last.startswith("python -m reference.")
    return last


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["predict"], "invalid choice"),
        (["test"], "would measure random weights. Next: --ckpt_path"),
        (["validate"], "would measure random weights. Next: --ckpt_path"),
        (["fit", "--trainer.max_epoch=3"], "--trainer.max_epoch"),
        (
            ["fit", "--trainer.strategy=reference.strategies.FSDP2"],
            "Next: --trainer.strategy.class_path=reference.strategies.FSDP2",
        ),
        (["fit", "--trainer.strategy=fsdp"], "needs GPUs, and there are none. Next: --config"),
        (["fit", "--trainer.strategy=deepspeed_stage_2"], "zero2.yaml"),
        (["fit", "--ckpt_path=no.ckpt"], "there is no such checkpoint"),
        (["fit", "--model.network=x.y"], "x.y"),
        (["fit", "--best.monitor=nothing"], "nothing"),
        (
            ["fit", "--best.monitor=val_eec"],
            "val_eec, which validation_step does not log. Next: one of val_acc, val_loss",
        ),
        (["fit", "--trainer.max_epochs=many"], "max_epochs"),
        (["fit", "--lr_scheduler=StepLR", "--lr_scheduler.step_size=1"], "Next: --optimizer"),
        (
            ["fit", "--model.lrr=1"],
            "'lrr' is not accepted. Next: python -m reference.mnist fit --print_config",
        ),
        (["fit", "--trainer.devices=two"], "an int > 0"),
        (
            ["fit", "--model.network=torchvision.models.resnet18", "--model.network.weights=no"],
            "stands in a file, as arguments of reference.classifier.Function",
        ),
        (["fit", "--activation_checkpointing=[torch.nn.Liner]"], "no attribute 'Liner'"),
        (["fit", "--data.batch_size=0"], "Next: --data.batch_size, from 1"),
        (["fit", "--data.batch_size=100000"], "make no batch of 100000 on each of 1 ranks"),
        (["fit", "--model.classes=9"], "and there are 9 classes. Next: --model.classes"),
        (
            [
                "fit",
                "--model.classes=7",
                "--model.network=litcourse.models.MLP",
                "--model.network.classes=7",
            ],
            "Next: labels from 0 to 6, or --model.classes",
        ),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(run: Run, args: list[str], says: str) -> None:
    assert says in refusal(run(*args))


def test_a_checkpoint_that_is_none_of_this_strategy(
    run: Run, tmp_path: Path, trained: Path
) -> None:
    best = trained / "checkpoints/best.ckpt"
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(best.read_bytes()[:-1000])
    assert "it is half of a checkpoint" in refusal(run("test", f"--ckpt_path={cut}"))
    folder = tmp_path / "folder.ckpt"
    folder.mkdir()
    assert "it holds no checkpoint" in refusal(run("test", f"--ckpt_path={folder}"))
    weights = tmp_path / "weights.ckpt"
    torch.save({"state_dict": torch.load(best)["state_dict"]}, weights)
    assert f"Next: --weights {weights}" in refusal(run("fit", f"--ckpt_path={weights}"))


@pytest.mark.parametrize("program", ["mnist", "cifar10"])
def test_more_epochs_than_the_schedule_has(run: Run, tmp_path: Path, program: str) -> None:
    assert run("fit", program=program)[0] == 0
    last = shutil.copy(tmp_path / "run/checkpoints/last.ckpt", tmp_path / "old.ckpt")
    more = run("fit", f"--ckpt_path={last}", "--trainer.max_epochs=4", program=program)
    assert "ends after 16 steps" in refusal(more)


def test_weights_that_are_none_of_this_network(run: Run, tmp_path: Path, trained: Path) -> None:
    best = trained / "checkpoints/best.ckpt"
    other = tmp_path / "other.ckpt"
    weights = torch.load(best)["state_dict"]
    name, last = weights.popitem()
    torch.save({"state_dict": {**weights, name: last[:-1]}}, other)
    said = refusal(run("fit", f"--weights={other}"))
    assert f"{name} is [9], and [10] in this one. Next: --model.network" in said
    held = torch.load(best)
    torch.save({**held, "state_dict": {**weights, name: last[:-1]}}, other)
    assert "that of another network" in refusal(run("test", f"--ckpt_path={other}"))
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(best.read_bytes()[:-1])
    assert "can't be read (RuntimeError)" in refusal(run("test", f"--weights={cut}"))
