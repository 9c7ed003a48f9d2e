"""Every demonstration of every lab runs in a kernel, and prints what its lesson says of it.

The lab is the solved one, without its checks. `test_demonstrations` looks closer at those that are
quick, on every change.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.course import is_demo
from tests.claims.lessons import plain, said
from tests.course import LABS

pytestmark = [pytest.mark.release, pytest.mark.slow]
SECONDS = 300

PRINTS = {
    "lab1_mnist": {
        "demo-digits": r"1438 images to train on, 359 to test on",
        "demo-plain-loop": r"epoch 3: loss of the last batch 0\.\d+\ntest accuracy 9\d\.\d%",
        "demo-line": r"steps: 80\n",
        "demo-uneven": r"weighted by batch size",
        "demo-series": r"val_mae of the last epoch: 0\.\d+",
        "demo-checkpoint": r"best val_mae 0\.\d+ in line-epoch=\d\.ckpt",
        "demo-fit": r"   best\n(epoch.*\n){3}trained on \w+, \d+ steps",
        "demo-file": r"the same weights: True",
        "demo-test": r"\{'test_loss': 0\.\d+, 'test_acc': 0\.9\d*\}",
        "demo-counter": r"epoch 2: 12 batches, 300 samples\nlogged: 300\.0",
        "demo-timer": r"the last epoch took \d+\.\d\d s",
    },
    "lab2_cifar10": {
        "demo-shapes": r"disc, ring, .*, two dots",
        "demo-warmup": r"accumulate 2: 20 batches, 10 steps, 10 estimated",
        "demo-noise": r"training: .* False\nvalidation: .* True",
        "demo-flags": r"accumulate 4, clip 1\.0: 3 steps",
        "demo-run": r"last\.ckpt\n(.*\n)*.*metrics\.csv\n(.*\n)*  val_acc: 0\.[23]\d*\n  lr-SGD: 0",
        "demo-classes": r"class LitResNet\((.*\n)*class CIFAR10DataModule\(",
        "demo-seeds": r"(seed 1 before the network: .*\n)\1",
        "demo-cli": r"8 steps; left behind:\n.*\.ckpt\n.*config\.yaml",
    },
    "lab3_ddp": {
        "demo-by-hand": r"one process on all 8: ",
        "demo-who": r" 1 +2 +5 +6  DDPStrategy",
        "demo-steps": r" 8 +4 +49",
        "demo-metrics": r"shards of 5 and 2: rank 1 has",
        "demo-sampler": r"epoch 1, rank 3: \[(\d, ){2}\d\]\n\[\[1, 3\], \[5, 7\], \[9\]\]",
        "demo-deadlock": r"rank 0 waits in (?P<one>.+); inn(.*\n)*.*rank 1 waits in (?!(?P=one);)",
        "demo-detail": r"OpType=ALLREDUCE",
        "demo-announce": r"output of rank 1: \[\]",
        "demo-unused": r"not used in producing the loss",
        "demo-greet": r"Writing greet_ranks\.py",
        "demo-greet-run":
            r"imported: notebook here, process (\d+)\n"
            r"as a program: program here, process (?!\1\n)\d",
    },
    "lab4_fsdp": {
        "demo-by-hand": r"row 3 of the gradient: (\[.*\]); one process: \1",
        "demo-units": r"good +\['blocks\.2', 'blocks\.4'\]\nforgetful +no unit at all",
        "demo-conversation": r" 256  True(.*\n)+.*216  True\n.*Sequential  a unit\? .*40  False",
        "demo-custom": r"blocks\.1 SHARD_GRAD_OP\nblocks\.2 FULL_SHARD",
        "demo-checkpointing": r"15,\d\d\d MiB of activations, 26\.8 (.*\n)checkpointed +640 MiB of "
        r"activations, 33\.0",
        "demo-fully-shard": r"'after': 'DTensor of \[8, 6\]', 'own part': '\[4, 6\]'",
        "demo-same-data": r"defaults: +\[(\[.*\]), \1\]\nall data-parallel: \[\[(\d, ){3}\d\], ",
        "demo-peaks": r"alone +8,\d+(.*\n).*block +1,1\d+(.*\n).*backward +4,\d+(.*\n).*1,9",
        "demo-three-worlds": r"'end': ([\d.]+), (.*\n)+4 .* 'start': \1,.*\n1 .* \1,.*\n.* \1",
        "demo-zero": r"DeepSpeedStrategy\(\) +stage 2, (.*\n)+config beside stage=1 +stage None",
        "demo-strategies": r"DDP +loss of rank 0 ([\d.]+), (.*\n.* rank 0 \1, .*){4}6 gathers",
        "demo-seven-billion": r"are held: 1/64\.00\nweights +0\.42 (.*\n).* 0\.42 (.*\n).* 0\.84 ",
        "demo-hybrid": r"block +12\.4 GB leave each node\n.* +7\.5 GB leave each node",
        "demo-two-dimensions": r"loss ([\d.]+); .*has \[8, 16\]\nrank 1: loss \1;",
        "demo-async": r"'handed over': 0\.\d+, 'written': \d+\.\d+",
    },
    "lab5_slurm": {
        "demo-job": r"script runs on n5\n(task \d of 6, number \d on n[56]\n){6}--- COMPLETED",
        "demo-srun": r"MEMBER: 3/3\n(.*\n)--- COMPLETED(.*\n)+.*MEMBER: 1/3\n.*TIME LIMIT",
        "demo-bound": r"your machine only has: \[0\](.*\n)+--- FAILED 1:0",
        "demo-clock": r"ready\n +1800 s  run 0  limit\n +1800 s  run 0  ended\nTIMEOUT",
        "demo-variables": r"'world_size': 6, 'global_rank': 4, 'environment': 'SLURM(.*\n)"
        r".*'world_size': 3, 'global_rank': 0, 'environment': 'Lightning",
        "demo-look": r" R +0:00 +2 n\[5-6\]\n(.*\n)+.*JobState=RUNNING",
        "demo-broken": r"log of bad_time\nsbatch: error: Invalid --time specification",
    },
}  # fmt: skip
"""Of each demonstration, what is found in what it prints."""

SENTENCES = (
    "about 1,400 images to train on and 360 to test on",
    "one of ours has 18 steps",
    "patience ends the run three epochs later",
    "So short a run gets some 30 % of the images right",
    "In which collective does each rank wait? If they differ, the ranks have taken different ways",
    "`forgetful` says no to",
    "The inner one came with 256 parameters; 216 of them are in a unit by the time it is asked",
    "A 24th of the memory for 23 % more operations",
    "`ModelParallelStrategy()` with its defaults trains every rank of a node on the same data",
    "Where 4 ranks and 1 rank start is where 2 ranks have ended, and the one file has the same",
    "The first is the very number that rank 0 has under DDP above",
    "the batch script ran once, the step's command six times",
    "takes itself for rank 0, and waits for the others, which nobody starts",
)
"""What the lessons say of these numbers: who changes one of them looks at `PRINTS` as well."""


def printed_by(lab: str, folder: Path) -> dict[str, str]:
    """What each demonstration of a solved lab prints; an exception ends the test."""
    source = deepcopy(LABS[lab].notebook)
    cells = [c for c in source.cells if c.cell_type == "code" and not c.id.endswith("-check")]
    for cell in cells:
        cell.metadata["tags"] = [
            t for t in cell.metadata.get("tags", []) if t != "raises-exception"
        ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=place).execute()
    return {
        cell.id: "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
        for cell in notebook.cells
        if is_demo(cell)
    }


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_lesson_still_says_so(sentence: str) -> None:
    assert plain(sentence) in said()


@pytest.mark.parametrize("lab", LABS)
def test_every_demonstration_prints_what_the_lesson_says(lab: str, tmp_path: Path) -> None:
    printed = printed_by(lab, tmp_path)
    assert set(printed) == set(PRINTS[lab]), "each has a line in PRINTS"
    other = {
        cell: printed[cell]
        for cell, text in PRINTS[lab].items()
        if not re.search(text, printed[cell])
    }
    assert not other
