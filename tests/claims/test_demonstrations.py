"""Demonstrations print the same each time, and what the sentences beside them say."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.claims.lessons import plain, run_cells, said

pytestmark = pytest.mark.filterwarnings("ignore")
LAB1, LAB2, LAB3 = "lab1_mnist", "lab2_cifar10", "lab3_ddp"


@pytest.fixture(autouse=True)
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder for a notebook, whose first cell quietens Lightning for the whole process."""
    monkeypatch.chdir(tmp_path)
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    levels, threads = [logger.level for logger in loggers], torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def twice(lab: str, *cells: str) -> str:
    """What the last of `cells` prints, which is the same whatever was drawn before."""
    first = run_cells(lab, *cells)
    torch.rand(3)
    assert run_cells(lab, *cells) == first, "seed it: readers compare what they see with the text"
    return first


def sentence(text: str) -> None:
    """Check that a lesson still says what a test holds a demonstration to."""
    assert plain(text) in said(), "the lesson says it in other words: mend the test, or the lesson"


def floats(printed: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d+", printed)]


def test_line() -> None:
    printed = twice(LAB1, "demo-line")
    sentence("the value of each batch, as you see in the output above")
    assert "steps: 80" in printed
    assert "logged with the last batch: {'train_mae'" in printed


def test_uneven_batches() -> None:
    printed = twice(LAB1, "demo-line", "demo-uneven")
    weighted, exact, of_means = floats(printed)
    sentence("Lightning therefore weights each value by the size of its batch")
    assert weighted == exact != of_means


def test_series() -> None:
    assert "val_mae of the last epoch" in twice(LAB1, "demo-line", "demo-uneven", "demo-series")


def test_kept_checkpoint() -> None:
    printed = twice(LAB1, "demo-line", "demo-uneven", "demo-checkpoint")
    sentence("here the checkpoint with the *smallest* `val_mae` is kept")
    assert re.search(r"best val_mae [\d.]+ in line-epoch=\d\.ckpt", printed)
    assert printed.count(".ckpt") == 2


def test_file_and_counter() -> None:
    assert "arguments of the class: {'inputs': 4}" in twice(LAB1, "demo-line", "demo-file")
    printed = twice(LAB1, "demo-line", "demo-counter")
    assert "epoch 2: 12 batches, 300 samples\nlogged: 300.0" in printed


def test_warm_up() -> None:
    printed = twice(LAB2, "demo-warmup")
    sentence("With `accumulate_grad_batches=2` two batches share a rate")
    assert "accumulate 2: 20 batches, 10 steps, 10 estimated" in printed
    assert "0.0005 0.0005 0.0010 0.0010" in printed


def test_noise() -> None:
    printed = twice(LAB2, "demo-noise")
    sentence("with fresh noise in training and none in validation")
    assert re.findall(r"twice the same: (\w+)", printed) == ["False", "True"]


def test_flags() -> None:
    printed = twice(LAB2, "demo-warmup", "demo-flags")
    sentence(
        "Clipped to a norm of 1, each step of SGD is as long as the rate says, 0.01, since each "
        "gradient here is longer than 1; without a limit it is as long as 0.01 times the gradient. "
        "With four batches to a step there are three steps in place of ten, and the last of them, "
        "of two batches, is a short one."
    )
    runs = re.findall(
        r"accumulate (\d), clip (\S+): (\d+) steps\n.*last: (.*)\n.*last: (.*)\n", printed
    )
    assert [run[:3] for run in runs] == [
        ("1", "None", "10"), ("1", "1.0", "10"), ("4", "None", "3"), ("4", "1.0", "3"),
    ]  # fmt: skip
    for _, clip, _, *rows in runs:
        gradients, moves = map(floats, rows)
        expected = [0.01 * (1 if clip == "1.0" else gradient) for gradient in gradients]
        assert moves == pytest.approx(expected, abs=1e-4)
    assert floats(runs[2][3])[-1] < floats(runs[2][3])[1] / 2


def test_seeds() -> None:
    """The one demonstration that shows numbers which nobody can repeat."""
    lines = run_cells(LAB2, "demo-warmup", "demo-seeds").splitlines()
    numbers = [floats(line) for line in lines]
    sentence("a seed has to be set before the first number is drawn")
    assert numbers[0] == numbers[1] != numbers[2]
    assert numbers[3] != numbers[4]


def test_half_a_batch() -> None:
    first, second, whole = twice(LAB3, "demo-by-hand").splitlines()
    sentence("The averaged gradient is that of *one* process on the whole batch.")
    assert floats(first)[3:] == floats(second)[3:] == floats(whole)
    assert floats(first)[:3] != floats(second)[:3]


def test_who_is_who_and_steps() -> None:
    assert re.search(r" 1 +2 +5 +6  DDPStrategy", twice(LAB3, "demo-who"))
    assert re.search(r" 8 +4 +49", twice(LAB3, "demo-steps"))


def test_two_shards() -> None:
    printed = twice(LAB3, "demo-metrics")
    sentence("`synced` is the same on both: exact for 5 + 3 samples, and *not* exact for 5 + 2.")
    synced = [float(value) for value in re.findall(r"'synced': ([\d.]+)", printed)]
    exact = [float(value) for value in re.findall(r"over all samples: ([\d.]+)", printed)]
    assert synced[0] == synced[1] == exact[0]
    assert synced[2] == synced[3] != exact[1]
    own = re.findall(r"'own': ([\d.]+)", printed)
    assert len(set(own[:2])) == len(set(own[2:])) == 2


def test_dealing_out() -> None:
    rows = re.findall(r"epoch (\d), rank \d: \[(.*)\]", twice(LAB3, "demo-sampler"))
    sentence("so that each rank has three")
    for epoch in "01":
        dealt = [number for row in rows if row[0] == epoch for number in row[1].split(", ")]
        assert (len(dealt), len(set(dealt))) == (12, 10)


def test_the_worst_batch_is_another_ranks() -> None:
    printed = twice(LAB3, "demo-metrics", "demo-deadlock", "demo-announce")
    said_by_rank_0 = re.search(r"output of rank 0: (.*)", printed)
    assert said_by_rank_0
    own, of_all = floats(said_by_rank_0[1])
    assert own < of_all
    assert "output of rank 1: []" in printed


def test_different_collectives() -> None:
    printed = twice(LAB3, "demo-detail")
    sentence("torch can also compare the collectives of the ranks before it runs them")
    assert "OpType=ALLREDUCE" in printed
    assert "OpType=BROADCAST" in printed


def test_a_branch_that_all_skip() -> None:
    printed = twice(LAB3, "demo-metrics", "demo-unused")
    sentence("parameters that were not used in producing the loss")
    assert printed.count("parameters that were not used in producing the loss") == 2
    assert printed.count("find_unused_parameters=True") == 2
