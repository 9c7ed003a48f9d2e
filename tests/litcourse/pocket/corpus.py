"""Replays in the pocket what the real Slurm was given, and holds the two together.

`corpus.jsonl` holds 223 batch scripts and command lines, with what Slurm 22.05.8 made of each: its
answer, the job, the environment of every process, the logs. Its first line says which variables
have the same value nearly everywhere; each run of a case lists what differs from that.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from litcourse.pocket import Machine, Outcome, Partition, Setting, run_script
from litcourse.pocket.job import Job
from litcourse.pocket.machine import expand
from litcourse.pocket.running.launches import Rank

MACHINE = Machine(nodes=8, partitions=(Partition("gpu", 8, 8, 1440), Partition("debug", 2, 2, 30)))
"""The cluster on which the corpus was made."""
NOT_COMPARED = re.compile(
    r"SLURM_(TASK_PID|SRUN_COMM_\w+|STEP_LAUNCHER_PORT|LAUNCH_NODE_IPADDR|TOPOLOGY_ADDR\w*|CONF|"
    r"PRIO_PROCESS|WORKING_CLUSTER|CPU_BIND\w*)|PATH|HOME|USER|LOGNAME|SHELL|LANG|PWD|OLDPWD|SHLVL|_"
)
"""Values that differ from run to run, and variables of the shell."""
ARRAYS = ("array_0_2", "array_throttle")
JOB = 47110
WAITS = ".waits"
"""Programs wait for a signal where a file of this name lies beside the script."""


@cache
def _lines() -> list[dict[str, Any]]:
    text = Path(__file__).with_name("corpus.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def cases() -> dict[str, dict[str, Any]]:
    """All cases, by name."""
    return {line["name"]: line for line in _lines()[1:]}


def usual() -> dict[str, str]:
    """Variables with the same value nearly everywhere."""
    found: dict[str, str] = _lines()[0]["usual"]
    return found


@dataclass
class Recorder:
    """What `python` did on the real cluster: it recorded itself, and with `--wait` it waited.

    Args:
        waits: whether it waits without `--wait`, too.
    """

    waits: bool = False
    seen: list[tuple[Rank, int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: set[Rank] = field(default_factory=set)

    def start(self, rank: Rank, job: Job) -> None:
        step = rank.environment.get("SLURM_STEP_ID", "batch")
        self.seen.append((rank, job.restart, step))
        place = [rank.environment.get(f"SLURM_{name}", "none") for name in ("PROCID", "NTASKS")]
        words = " ".join([rank.program, *rank.words[1:]])
        job.write(rank, f"ran {words} as {place[0]} of {place[1]} on {rank.node}\n")
        words_of = list(rank.words)
        first = "SLURM_RESTART_COUNT" not in rank.environment and "AGAIN" not in rank.environment
        if (self.waits or "--wait" in words_of) and first:
            self.waiting.add(rank)
            return
        code = int(words_of[words_of.index("--exit") + 1]) if "--exit" in words_of else 0
        job.after(0, lambda: job.end(rank, code))

    def signal(self, rank: Rank, number: int, job: Job) -> bool:
        if rank not in self.waiting or number not in {10, 15}:
            return False
        self.note(rank, job, "USR1" if number == 10 else "TERM")
        if number == 15:
            self.waiting.discard(rank)
            job.end(rank, 143)
        elif "--noself" in rank.words:
            job.end(rank, 0)
        elif rank.environment.get("SLURM_PROCID", "0") == "0":
            job.after(1, lambda: self.requeue(rank, job))
        return True

    def requeue(self, rank: Rank, job: Job) -> None:
        if rank.alive:
            number = len(self.notes)
            text = job.requeue()
            note = f"requeue {int(bool(text))} {text}"
            self.note(rank, job, note, at=number)

    def note(self, rank: Rank, job: Job, what: str, at: int | None = None) -> None:
        step = rank.environment.get("SLURM_STEP_ID", "batch")
        place = rank.environment.get("SLURM_PROCID", "none")
        text = f"restart {job.restart} step {step} rank {place} {what}"
        self.notes.insert(len(self.notes) if at is None else at, text)


def replay(
    case: dict[str, Any], folder: Path, user: tuple[str, int, int] = ("root", 0, 0)
) -> tuple[Outcome, Recorder]:
    """Run a case in the pocket, in an empty folder."""
    for name, text in case.get("files", {}).items():
        path = folder / name.rstrip("*/")
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.write_text(text)
            path.chmod(0o755 if name.endswith("*") else 0o644)
    unnamed = case.get("wrap") or case.get("stdin")
    program = Recorder(waits=WAITS in case.get("files", {}))
    acts = {
        "usr1": lambda job: job.signal_steps(10),
        "usr1_batch": lambda job: job.signal_batch(10),
    }
    alarms = [(30.0, acts[case["act"]])] if "act" in case else []
    shell = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "USER": user[0], "LANG": "C"}
    setting = Setting(
        job_id=JOB, first_nodes=first_nodes(case), program=program, machine=MACHINE, alarms=alarms,
        user=user, host="<HOST>",
    )  # fmt: skip
    outcome = run_script(
        None if case["script"] is None else case["script"], folder,
        name="" if unnamed else "job.sbatch", options=case.get("args", ()),
        arguments=case.get("script_args", ()), shell=shell | case.get("env", {}), setting=setting,
    )  # fmt: skip
    return outcome, program


def first_nodes(case: dict[str, Any]) -> list[str]:
    """The first node of each run: the real cluster does not always begin at n1."""
    found: dict[int, str] = {}
    begins = re.search(r"on nodes (\S+) in", case["answer"][2])
    if begins:
        found[0] = expand(begins[1])[0]
    for run in case.get("runs", []):
        variables = environment(run, run["tasks"][0])
        found.setdefault(int(run["restart"]), expand(variables["SLURM_JOB_NODELIST"])[0])
    return [found.get(number, "n1") for number in range(max(found, default=0) + 1)]


def environment(run: dict[str, Any], task: dict[str, Any]) -> dict[str, str]:
    """The variables of one process of the real cluster."""
    if run["unset"] is None:  # a case that was made anew says all
        return dict(task["env"])
    kept = {name: value for name, value in usual().items() if name not in run["unset"]}
    found: dict[str, str] = kept | run["env"] | task.get("env", {})
    return found


# --- what differs --------------------------------------------------------------------------------


def clean(text: str, folder: Path) -> str:
    """A text without what is of this run alone."""
    text = re.sub(r"\S*/pocket-\w+/(?=job\d+/)", "<CLUSTER>/spool.n1/", text)
    text = text.replace(str(folder), "<DIR>")
    text = re.sub(rf"(?<!\d)0*{JOB}(?!\d)", "<JOB>", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "<TIME>", text)


def differences(
    case: dict[str, Any], outcome: Outcome, program: Recorder, folder: Path
) -> list[str]:
    """What the pocket does otherwise than the real Slurm, a line each."""
    said = outcome.submit
    answer = [said.rc, clean(said.stdout, folder), clean(said.stderr, folder)]
    found = [] if answer == case["answer"] else [f"answer {answer}, real {case['answer']}"]
    if "job" in case:
        found += _of_job(case, outcome)
        found += _of_runs(case, program, folder)
    notes = sorted(clean(note, folder) for note in program.notes)
    if "cancelled" not in case and notes != sorted(case.get("notes", [])):
        found.append(f"notes {notes}, real {case.get('notes')}")
    if "act" not in case and case["name"] not in (
        *ARRAYS,
        "limit_signal_steps",
        "limit_signal_batch",
    ):
        found += _of_outputs(case, outcome, folder)
    return found


def _of_job(case: dict[str, Any], outcome: Outcome) -> list[str]:
    want, found = case["job"], []
    if "cancelled" not in case:
        ends = [outcome.state, outcome.exit_code, str(outcome.restarts)]
        real = [want["state"], want["exit"], want["restarts"]]
        found += [f"end {ends}, real {real}"] if ends != real else []
    if outcome.allocation is None:
        return [*found, "no allocation"]
    got = [[share.node, share.cores, share.memory] for share in outcome.allocation.shares]
    real = [[node, _count(cores), int(memory)] for nodes, cores, memory in want["per_node"]
            for node in expand(nodes)]  # fmt: skip
    if got != real and case["name"] != "hold":
        found.append(f"allocation {got}, real {real}")
    gpus = re.search(r":(\d+)", want["gpus"] or "")
    if outcome.allocation.gpus_held != int(gpus[1] if gpus else 0):
        found.append(f"{outcome.allocation.gpus_held} GPUs, real {want['gpus']}")
    days, _, clock = want["limit"].rpartition("-")
    hours, minutes, _ = map(int, clock.split(":"))
    if outcome.allocation.minutes != 60 * (24 * int(days or 0) + hours) + minutes:
        found.append(f"{outcome.allocation.minutes} minutes, real {want['limit']}")
    return found


def _count(cores: str) -> int:
    ranges = [part.split("-") for part in cores.split(",")]
    return sum(int(part[-1]) - int(part[0]) + 1 for part in ranges)


def _of_runs(case: dict[str, Any], program: Recorder, folder: Path) -> list[str]:
    got, want = _started(case, program, folder), _really_started(case)
    found = [f"started {sorted(got)}, real {sorted(want)}"] if set(got) != set(want) else []
    for key in set(got) & set(want):
        found += _of_tasks(key, sorted(got[key], key=_order), sorted(want[key], key=_order))
    return found


def _started(case: dict[str, Any], program: Recorder, folder: Path) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for rank, restart, step in program.seen:
        variables = {k: clean(v, folder) for k, v in rank.environment.items()}
        variables |= dict.fromkeys(case.get("mask", []), "<MASKED>")
        argv = [clean(word, folder) for word in rank.words[1:]]
        key = (str(restart), step, rank.program, str(argv), clean(rank.cwd, folder))
        found[key].append((int(variables.get("SLURM_PROCID", 0)), rank.node, variables))
    return found


def _really_started(case: dict[str, Any]) -> dict[Any, list[Any]]:
    first = "0" if case["name"] == "array_0_2" else "1"
    found: dict[Any, list[Any]] = defaultdict(list)
    for run in case.get("runs", []):
        if run.get("array", first) != first:
            continue
        for task in run["tasks"]:
            both, variables = {**run, **task}, environment(run, task)
            if "array" in run:
                variables |= {"SLURM_JOB_ID": "<JOB>", "SLURM_JOBID": "<JOB>"}
            elif variables["SLURM_JOB_ID"] != "<JOB>":
                continue  # a job that the job has submitted
            if "stdin" in case:
                variables["SLURM_JOB_NAME"] = "sbatch"  # Debian's gave its parent's name
            key = (run["restart"], run["step"], both["program"], str(both["argv"]), both["cwd"])
            found[key].append((int(variables.get("SLURM_PROCID", 0)), task["host"], variables))
    return found


def _order(task: tuple[int, str, Any]) -> tuple[int | str, ...]:
    """By rank and node, then by what else tells processes apart that a script made alike."""
    more = (task[2].get(name, "") for name in ("SLURM_LOCALID", "CUDA_VISIBLE_DEVICES"))
    return (*task[:2], *more)


def _of_tasks(key: Any, got: list[Any], want: list[Any]) -> list[str]:
    if [task[:2] for task in got] != [task[:2] for task in want]:
        return [f"{key}: ranks {[t[:2] for t in got]}, real {[t[:2] for t in want]}"]
    found = set()
    for (rank, _, mine), (_, _, real) in zip(got, want, strict=True):
        for name in {*mine, *real}:
            if not NOT_COMPARED.fullmatch(name) and mine.get(name) != real.get(name):
                found.add(f"{key[1]} rank {rank}: {name}={mine.get(name)}, real {real.get(name)}")
    return sorted(found)


def _of_outputs(case: dict[str, Any], outcome: Outcome, folder: Path) -> list[str]:
    """Lines of the logs, in any order; what the cluster says of its own lack of binding is not."""
    got = {clean(name, folder): clean(text, folder) for name, text in outcome.outputs.items()}
    want = case.get("outputs", {})
    written = {clean(path.name, folder): path for path in folder.iterdir() if path.is_file()}
    for name in {*want, *written} - {*got}:  # files of the shell's own are no logs of the pocket
        if name in want and name in written:
            got[name] = clean(written[name].read_text(errors="replace"), folder)
    found = []
    for name in {*got, *want} - {"/dev/null", "sub/slurm-<JOB>.out"}:
        lines = [sorted(texts.get(name, "-").splitlines()) for texts in (got, want)]
        lines[1] = [line for line in lines[1] if "lacks support for cpu binding" not in line]
        if WAITS in case.get("files", {}):  # what is said of signals depends on when they come
            lines = [[line for line in some if line.startswith("ran ")] for some in lines]
        if lines[0] != lines[1]:
            found.append(f"{name}: {lines[0]}, real {lines[1]}")
    return found
