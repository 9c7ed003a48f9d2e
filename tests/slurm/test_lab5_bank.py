"""Every right and wrong answer of lab 5 that is a job script, submitted to the real Slurm.

The pocket has to agree with it: on the answer of sbatch, the nodes, cores, GPUs and memory of the
job, the environment of every process, its end and its log. In place of `train.py` both run a
program that records itself. Where they differ, `DIFFERENT` says why; such a case has to differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.litcourse.pocket.corpus import differences, replay
from tests.slurm.bank_scripts import all_cases, answers, cases_of_diagnose
from tests.slurm.remaking import remake, remake_warned
from tests.slurm.rootless import RootlessSlurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

STUDENT = ("student", 1000, 1000)
DIFFERENT = {
    "one_gpu: a loop without an end":
        "the pocket stops it after 10 s of processor time, Slurm at the job's limit",
    "gone before it is done":
        "a minute of sleep, which is not waited for; the pocket's clock jumps",
    "one_node: a training that takes too long":
        "fifty minutes of sleep, which are not waited for; the pocket's clock jumps",
    "one_node: srun in srun":
        "srun waits for the nodes for ever; the pocket says so once, and ends it",
    "one_node: four steps":
        "steps that wait for each other: how often srun says so depends on the machine",
    "one_node: all that does not count":
        "its port follows from the job's id",
    "requeue: a shell that stays":
        "with cgroups the signal ends the shell in each task; this Slurm has none, and spares it",
    "requeue: a clock of the script's own":
        "most of an hour of sleep, which is not waited for; the pocket's clock jumps",
    "requeue: after a while, from the script":
        "most of an hour of sleep, which is not waited for; the pocket's clock jumps",
    "requeue: a partition of 30 minutes":
        "refused by both, but the test names a node, and Slurm first says that it is not in there",
    **dict.fromkeys(
        [f"requeue: a folder by {what}" for what in ("the time", "the second", "the day")],
        "the time of the day is in an argument; the pocket has a day of its own",
    ),
    **dict.fromkeys(
        [f"requeue: a folder by {what}" for what in ("chance", "the process")],
        "a number by chance is in an argument",
    ),
    "submits another job":
        "the pocket takes any sbatch inside of a job, and does not look whether the file is there",
    "submits from within":
        "the same: the other job's log is not there",
    "over ssh":
        "there is no ssh in the pocket; this machine has one, which nobody answers",
    "a login shell and modules":
        "`bash -l` resets PATH, and this machine has no module that sets it again",
    "one_gpu: conda":
        "HOME is another folder, which an error of bash names",
    "one_gpu: an environment of one's own":
        "HOME is another folder, which an error of bash names",
    "from the home":
        "HOME is another folder, which is named where train.py is not found",
    "the program of the home":
        "HOME is another folder, which is in the arguments",
    "another folder for the job":
        "its log lies in a folder that the test does not look into",
    "an address in numbers":
        "all nodes of this Slurm have one address",
}  # fmt: skip
"""Answers with which the pocket does otherwise, and why; some belong to several questions."""


def differs(name: str) -> bool:
    """Whether a case is known to differ."""
    return bool({*_names(name)} & {*DIFFERENT})


def _names(case: str) -> tuple[str, str, str]:
    """A case without its options, its answer alone, and that of a repaired script."""
    answer = case.partition(" --nodes=")[0]
    return answer, answer.partition(": ")[2], answer.partition(", by ")[2]


CASES = all_cases()
ENDLESS = "requeue: queued again by the script in any case"
"""The pocket stops it after eight restarts, and Slurm never does."""
WARNED = [name for name in CASES if name.startswith("requeue: ") and name != ENDLESS]
"""Jobs that are warned before their limit: what follows takes Slurm a minute."""
SOON = [f"requeue: {name}" for name in (
    "solution", "to the batch shell, handed on by scancel", "to the batch shell, without a trap",
    "TERM", "queued again before it has saved", "a log of srun's",
)]  # fmt: skip
"""Some of them, of those that do not run into the limit."""
PLAIN = [name for name in CASES if not name.startswith("requeue: ")]
SAMPLE = 15
"""Each change runs every fifteenth case; `make check-release` all of them."""


def some(names: list[str]) -> list[Any]:
    """The cases as parameters; those that only a release runs are marked."""
    sample = {*[name for name in names if not differs(name)][::SAMPLE]}
    return [
        name if name in sample else pytest.param(name, marks=pytest.mark.release) for name in names
    ]


def disagreement(made: Mapping[str, Any], folder: Path) -> list[str]:
    """What the pocket does otherwise."""
    folder.mkdir(exist_ok=True)
    outcome, program = replay(dict(made), folder, STUDENT)
    return differences(dict(made), outcome, program, folder)


@pytest.mark.parametrize("name", some(PLAIN))
def test_slurm_and_the_pocket_agree(rootless: RootlessSlurm, name: str, tmp_path: Path) -> None:
    made = remake(rootless, CASES[name], tmp_path.name)
    found = disagreement(made, tmp_path)
    assert bool(found) == differs(name), "\n".join(found)


def test_slurm_and_the_pocket_agree_on_repaired_scripts(
    rootless: RootlessSlurm, tmp_path: Path
) -> None:
    """Those that the solution of `diagnose` returns, and the broken ones."""
    cases = cases_of_diagnose(("solution",))
    _agree_on_all(rootless, cases, tmp_path)


@pytest.mark.release
def test_slurm_and_the_pocket_agree_on_what_other_answers_return(
    rootless: RootlessSlurm, tmp_path: Path
) -> None:
    cases = cases_of_diagnose()
    assert len(cases) > 60
    _agree_on_all(rootless, cases, tmp_path)


def _agree_on_all(
    rootless: RootlessSlurm, cases: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    found = {}
    for number, (name, case) in enumerate(cases.items()):
        made = remake(rootless, case, f"{folder.name}-{number}")
        found[name] = disagreement(made, folder / str(number))
    _as_expected(found)


def _as_expected(found: Mapping[str, list[str]]) -> None:
    """Only what is known to differ does."""
    wrong = {name: lines for name, lines in found.items() if bool(lines) != differs(name)}
    texts = ["\n  ".join([name, *(lines or ["agrees"])]) for name, lines in wrong.items()]
    assert not wrong, "\n".join(texts)


@pytest.mark.timeout(5400)  # all of them take some forty minutes, which are limits and requeues
@pytest.mark.parametrize(
    "names", [pytest.param(SOON, id="some"),
              pytest.param(WARNED, id="all", marks=pytest.mark.release)],
)  # fmt: skip
def test_slurm_and_the_pocket_agree_on_warned_jobs(
    rootless: RootlessSlurm, names: list[str], tmp_path: Path
) -> None:
    """Signals as `--signal` asks for them, restarts and the limit are the real ones."""
    cases = {name: CASES[name] for name in names}
    made = remake_warned(rootless, cases, tmp_path.name)
    found = {
        name: disagreement(made[name], tmp_path / str(number)) for number, name in enumerate(cases)
    }
    _as_expected(found)


def test_what_differs_is_in_the_bank() -> None:
    names = {name for case in CASES for name in _names(case)}
    assert {*DIFFERENT} <= names | {*answers("diagnose")}
