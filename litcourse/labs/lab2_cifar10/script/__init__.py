"""script: `train.py` is a LightningCLI program that its command line controls.

The probe runs the same file several times in one folder: in one process, in two under DDP, in
bf16, and in a run that is interrupted and then resumed. The evidence is the records of the
Trainers and the checkpoints that each run wrote.

Read in this order:

1. `litcourse.scripts`: runs a script and records its Trainers.
2. `_script_runs`: judges the Trainers and checkpoints of a run.
3. `_program_text`: reads what no run shows off the program itself.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.marks import find_findings
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, Question
from litcourse.embedded.sets import EmbeddedCIFAR10
from litcourse.labs.lab2_cifar10.script._program_text import name_cause, read_program
from litcourse.labs.lab2_cifar10.script._script_runs import (
    judge_cycle,
    judge_program,
    judge_resumed,
)
from litcourse.scripts import run_script

FILE = "train.py"
LIMIT = 40.0
"""Seconds that a run may take, in a process that has imported Lightning already."""
CUT_OFF = ("interrupted", "resumed")
RUNS = ("one", "two", "bf16", *CUT_OFF)
BATCHES = 2
"""Batches in an epoch. Not 1, which limit_train_batches may read as 1.0, all batches."""
FEW = [
    f"--trainer.limit_train_batches={BATCHES}",
    f"--trainer.limit_val_batches={BATCHES}",
    "--trainer.num_sanity_val_steps=0",
]
CUT = "--trainer.callbacks+=litcourse.scripts.interruption.Interruption"


def draw(rng: Random) -> Inputs:
    """Epochs of the short runs, and of the run that is interrupted in its third epoch."""
    return Inputs({"short": 1, "long": rng.randrange(3, 5)})


def arguments(shown: dict[str, Any]) -> dict[str, list[str]]:
    """The arguments of each run; "resumed" gets the checkpoint's path later."""
    short, long = (["fit", f"--trainer.max_epochs={shown[run]}", *FEW] for run in ("short", "long"))
    ranks = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"]
    return {
        "one": short,
        "two": [*short, *ranks],
        "bf16": [*short, "--trainer.precision=bf16-mixed"],
        "interrupted": [*long, CUT],
        "resumed": long,
    }


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Run the script in each way, in one folder; stop after a first run that trains nothing."""
    for train in (True, False):  # drawn once; the processes of all runs inherit the cache
        EmbeddedCIFAR10(train)
    source = student.file(FILE)
    evidence: dict[str, Any] = {"program": read_program(source)}
    left: list[str] = []
    for name, argv in arguments(shown).items():
        more = [f"--ckpt_path={left[-1]}"] if name == "resumed" and left else []
        if name == "resumed" and not left:
            evidence[name] = None
            continue
        epochs = shown["long" if name in CUT_OFF else "short"]
        ranks = 2 if name == "two" else 1
        evidence[name], left = _run(source, [*argv, *more], ranks, epochs)
        if name == "one" and not _has_trained(evidence[name]):  # the others would fail too
            return {**evidence, **dict.fromkeys(RUNS[1:])}
    return evidence


def _run(source: str, argv: list[str], ranks: int, epochs: int) -> tuple[dict[str, Any], list[str]]:
    before = _list_checkpoints()
    run = run_script(source, FILE, argv, world_size=ranks, limit=LIMIT, most_epochs=epochs)
    after = _list_checkpoints()
    written = [path for path in after if before.get(path) != after[path]]
    left = sorted(written, key=lambda path: after[path])
    return {"run": run, "checkpoints": left}, left


def _list_checkpoints() -> dict[str, int]:
    """The modification time in nanoseconds of each checkpoint below the working folder."""
    return {str(path): path.stat().st_mtime_ns for path in Path().rglob("*.ckpt")}


def _has_trained(seen: dict[str, Any]) -> bool:
    ranks = seen["run"]["ranks"]
    ended = not any("stuck" in entry for entry in ranks)
    records = [one for entry in ranks for one in entry["trainers"]]
    return ended and any(one["fitted"] and not one["endless"] for one in records)


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge each run by the records of its Trainers and by its checkpoints."""
    every = tuple(criterion.id for criterion in QUESTION.criteria)
    epochs = inputs.shown["short"]
    one = judge_program(evidence["one"], "one", epochs, BATCHES, {})
    if evidence["two"].is_none:
        first = next(iter(find_findings([one])), Finding("LIT903", every))
        first = name_cause(first, evidence["program"])
        return [Finding(first.code, every, *_details(first))]
    if isinstance(one, Earned):
        one = judge_cycle(epochs, inputs.shown["long"], BATCHES, evidence)
    wanted = {"precision": "bf16-mixed"}
    marks = [
        one,
        judge_program(evidence["two"], "two", epochs, BATCHES, {"strategy": "DDPStrategy"}),
        judge_program(evidence["bf16"], "bf16", epochs, BATCHES, wanted),
        *judge_resumed(inputs.shown["long"], BATCHES, evidence),
    ]
    program = evidence["program"]
    return [name_cause(mark, program) if isinstance(mark, Finding) else mark for mark in marks]


def _details(finding: Finding) -> tuple[str, str, str, str]:
    return finding.called, finding.expected, finding.got, finding.where


QUESTION = Question(
    title="A program for the command line",
    defines=(),
    files=(FILE,),
    criteria=(
        Criterion("one", "trains on one process, and leaves a checkpoint", 0.3),
        Criterion("two", "on two ranks under DDP", 0.2),
        Criterion("bf16", "in bf16-mixed", 0.2),
        Criterion("resumed", "goes on from the checkpoint of a run that was cut off", 0.3),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
