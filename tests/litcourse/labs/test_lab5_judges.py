"""The judges of lab 5, on evidence of the pocket: the same verdict each time, none for nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from litcourse.core.tree import Tree
from litcourse.labs.lab5_slurm._broken_scripts import KINDS
from litcourse.labs.lab5_slurm.diagnose import examples

from .contract import Answered, JudgeContract, earned, replaced

LAB = "lab5_slurm"
_TOLD = ("command", "asked*", "reason", "log", "unread*")
_NOT_USED = ("gpus_asked*", "total_tasks", "cores_per_task", "partition", "requeue", "signal")


def submission(
    place: str, every: str, *, ranks: str = "", log: str = "", **more: str
) -> dict[str, str]:
    """What each part of the evidence of a submission serves.

    Args:
        place: its path.
        every: all criteria.
        ranks: those that a rank's own numbers serve.
        log: those that the log serves.
        more: other parts that not all criteria need.
    """
    return {
        f"{place}/submit/command": "",
        **{f"{place}/{name}": "" for name in _TOLD[1:]},
        **{f"{place}/allocation/{name}": "" for name in _NOT_USED},
        f"{place}/allocation/nodes/*": "",
        **{f"{place}/{name}": criteria for name, criteria in more.items()},
        f"{place}/processes/exit/*": ranks,
        f"{place}/processes/environment/SLURM_PROCID/*": ranks,
        f"{place}/processes/environment/SLURM_LOCALID/*": ranks,
        f"{place}/processes/environment/*/*": "",  # what is not set is None
        f"{place}/processes/host/*": "",
        f"{place}/processes/step/*": "",
        f"{place}/logs/*/*": "",  # one line of many
        f"{place}/logs*": log,
        f"{place}/clock/what/*": "",  # that it started and that it ended
        f"{place}*": every,
    }


FILE = "accepted allocation ranks cores log"
MANY = "ranks allocation cores log"
LONG = "warned requeued resumed log own_folder"
OF_JOB = {"allocation/job_name": "allocation", "allocation": "allocation ranks", "ended": "ranks"}
OF_RANKS = {"processes/program/*": "", "processes/words/*": ""}


class TestJudges(JudgeContract):
    """All of the contract, without exceptions."""

    ENDS = True
    SERVES = {  # noqa: RUF012  never written
        "one_gpu": submission("job", FILE, ranks="ranks", log="log", **OF_JOB),
        "one_node": submission("job", FILE, ranks="ranks", log="log", **OF_JOB, **OF_RANKS),
        "many_nodes": {
            **submission("jobs/?", MANY, ranks="ranks", log="log", **OF_JOB, **OF_RANKS),
            "jobs": MANY,
        },
        "requeue": {
            **submission("first", LONG, log="log", ended="requeued resumed", **OF_RANKS,
                         **{"allocation/job_name": "log", "allocation/minutes": "warned"}),
            **submission("second", LONG, ended="", **OF_RANKS,
                         **{"allocation": "", "allocation/job_name": ""}),
        },
        "from_env": {
            "cases/*/trainer/accelerator": "",  # of each process: its own criterion
            "cases/*/trainer/kinds*": "",
            "cases*": "under_srun single interactive outside",
        },
        "diagnose": {
            "cases/?/type": "",  # of each script: its own criterion
            **submission("cases/?/job", " ".join(KINDS), ended="", **OF_RANKS,
                         **{"allocation": "", "allocation/job_name": ""}),
            "cases/1?/type": "",
            **submission("cases/1?/job", " ".join(KINDS), ended="", **OF_RANKS,
                         **{"allocation": "", "allocation/job_name": ""}),
            "cases*": " ".join(KINDS),
        },
    }  # fmt: skip


FILES = {
    "one_gpu": ("job",),
    "one_node": ("job",),
    "many_nodes": ("jobs", 0),
    "requeue": ("first",),
}


@pytest.mark.parametrize("name", FILES)
def test_a_starved_machine_gives_no_score(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    verdict = of.judged(replaced(of.solution, (*FILES[name], "stopped"), "time"))
    assert verdict.score is None
    assert "busy" in verdict.undecided


@pytest.mark.parametrize("name", FILES)
def test_what_the_pocket_lacks_gives_no_score(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    verdict = of.judged(replaced(of.solution, (*FILES[name], "beyond"), ["--array"]))
    assert verdict.score is None
    assert "--array" in verdict.undecided


@pytest.mark.parametrize("name", FILES)
def test_a_loop_of_the_script_is_the_scripts(name: str, answers: dict[str, Answered]) -> None:
    of = answers[name]
    verdict = of.judged(replaced(of.solution, (*FILES[name], "stopped"), "processor"))
    assert (verdict.score, verdict.findings[0].code) == (0.0, "LIT5007")


def test_ranks_follow_from_the_environment_and_not_from_the_log(
    answers: dict[str, Answered],
) -> None:
    of = answers["one_node"]
    way = ("job", "processes", "environment", "SLURM_PROCID")
    verdict = of.judged(replaced(of.solution, way, ["0"] * 4))
    assert earned(verdict) == {"accepted", "allocation", "cores", "log"}
    assert verdict.findings[0].code == "LIT5030"


def test_submissions_that_are_missing_earn_nothing(answers: dict[str, Answered]) -> None:
    of = answers["many_nodes"]
    jobs: list[Any] = of.solution["jobs"]
    assert of.judged({"jobs": jobs[:3]}).score == 0


def test_a_healthy_script_alone_earns_nothing(answers: dict[str, Answered]) -> None:
    of = answers["diagnose"]
    cases: list[Any] = of.solution["cases"]
    kinds = [wanted["kind"] for wanted in of.inputs.withheld["wanted"]]
    broken: Tree = {"type": "NoneType"}
    tree: Tree = {"cases": [case if kind == "healthy" else broken
                            for case, kind in zip(cases, kinds, strict=True)]}  # fmt: skip
    assert of.judged(tree).score == 0


def test_the_examples_are_always_the_same_and_speak_of_no_folder_of_ours() -> None:
    first, again = examples(), examples()
    assert first == again
    assert set(first) == set(KINDS)
    assert not any("pocket" in log for _, log in first.values())
