"""Makes a case of the corpus anew: submits it to the rootless cluster, and writes down the result.

A case is what `tests/litcourse/pocket/corpus.py` replays in the pocket: script, words of the
command line, files beside it. What comes back holds the answer, the job, the environment of every
process and the logs besides.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litcourse.pocket.machine import expand
from tests.litcourse.pocket.corpus import WAITS
from tests.slurm.recording import read_notes, read_runs
from tests.slurm.rootless import NODES, RootlessSlurm
from tests.slurm.slurm_conf import host_name

OVER = frozenset({"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY"})
"""States of jobs that have ended; a busy slurmctld may say nothing at all."""
_LONGEST, _LONGEST_ROUND = 1200, 150
"""Seconds for all jobs, and more for each `NODES` of them, which run side by side."""


def remake(cluster: RootlessSlurm, case: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What this Slurm makes of a case."""
    for path in cluster.record.iterdir():
        path.unlink()
    submitted = _submit(cluster, case, name)
    if submitted.job:
        cancelled = not _wait(cluster, submitted.job)
        submitted.made |= {"cancelled": True} if cancelled else {}
        _describe(cluster, submitted)
        submitted.made["runs"] = _runs(cluster, submitted, every=True)
    return submitted.made


def remake_warned(
    cluster: RootlessSlurm, cases: Mapping[str, Mapping[str, Any]], folder: str
) -> dict[str, dict[str, Any]]:
    """What this Slurm makes of cases whose programs wait for a warning, or for the limit.

    They run side by side, a node each: half a minute passes before Slurm looks at limits. Each
    job's limit is lowered to a minute as soon as its programs are up, so the signal that
    `--signal` names comes at once and the limit a minute later.

    Args:
        cluster: where they are submitted.
        cases: by name.
        folder: names the folders that they are submitted from.
    """
    left, found = dict(cases), {}
    running: dict[str, tuple[_Submitted, str]] = {}
    free = [f"n{number}" for number in range(NODES, 0, -1)]
    seconds = _LONGEST + _LONGEST_ROUND * (len(cases) // NODES)
    end = time.monotonic() + seconds
    while (left or running) and time.monotonic() < end:
        while left and free:
            name, case = left.popitem()
            node = free.pop()
            case = {**case, "args": [*case.get("args", []), f"--nodelist={node}"]}
            case["files"] = {**case.get("files", {}), WAITS: ""}
            running[name] = (_submit(cluster, case, f"{folder}-{len(left)}"), node)
        for name, (submitted, node) in list(running.items()):
            if _is_over(cluster, submitted):
                found[name] = submitted.made
                free.append(node)
                del running[name]
        time.sleep(0.1)
    if running:
        cluster.run("scancel", *(submitted.job for submitted, _ in running.values()))
        raise TimeoutError(f"did not end within {seconds} s: {', '.join(running)}")
    return found


@dataclass
class _Submitted:
    """A case that was submitted; `job` is "" if it was refused, `as_begun` what it got."""

    case: Mapping[str, Any]
    folder: Path
    job: str
    made: dict[str, Any]
    clean: _Cleaner
    as_begun: dict[str, Any] = field(default_factory=dict)


def _submit(cluster: RootlessSlurm, case: Mapping[str, Any], name: str) -> _Submitted:
    folder = _prepare(cluster.folder / "w" / name, case)
    unnamed = case.get("wrap") or case.get("stdin")
    words = [] if unnamed else ["job.sbatch", *case.get("script_args", [])]
    done = cluster.run("sbatch", *case.get("args", []), *words, cwd=folder, env=case.get("env"),
                       stdin=case["script"] or "" if case.get("stdin") else "")  # fmt: skip
    found = re.search(r"Submitted batch job (\d+)", done.stdout)
    job = found[1] if found else ""
    clean = _Cleaner(cluster.folder, folder, job)
    made = {k: v for k, v in case.items() if k not in {"answer", "job", "runs", "outputs", "notes"}}
    made["answer"] = [done.rc, clean(done.stdout), clean(done.stderr)]
    return _Submitted(case, folder, job, made, clean)


def _prepare(folder: Path, case: Mapping[str, Any]) -> Path:
    """A folder with the files of a case."""
    folder.mkdir()
    folder.chmod(0o777)
    for file, text in case.get("files", {}).items():
        path = folder / file.rstrip("*/")
        if file.endswith("/"):
            path.mkdir()
            path.chmod(0o777)
        else:
            path.write_text(text)
            path.chmod(0o755 if file.endswith("*") else 0o644)
    if case["script"] is not None:
        (folder / "job.sbatch").write_bytes(case["script"].encode())
    return folder


def _describe(cluster: RootlessSlurm, submitted: _Submitted) -> None:
    """What became of a job, and its logs."""
    submitted.made["job"] = _job(cluster, submitted.job)
    logs = {
        path.name: path.read_text(errors="replace")
        for path in submitted.folder.iterdir()
        if path.is_file() and path.suffix in {".out", ".log", ".txt"}
    }
    kept = {n: t for n, t in logs.items() if n not in submitted.case.get("files", {})}
    submitted.made["outputs"] = {submitted.clean(n): submitted.clean(t) for n, t in kept.items()}


def _runs(cluster: RootlessSlurm, submitted: _Submitted, *, every: bool = False) -> list[Any]:
    """Its processes; `every` counts those of jobs that it has submitted, too."""
    first = expand(cluster.fields(submitted.job).get("NodeList", "n1"))[0]
    job = "" if every else submitted.job
    return read_runs(cluster.record, job, first, submitted.clean)


def _state(cluster: RootlessSlurm, job: str) -> str:
    return cluster.run("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").stdout.strip()


def _wait(cluster: RootlessSlurm, job: str, seconds: float = 40) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _state(cluster, job) in OVER:
            return True
        time.sleep(0.05)
    cluster.run("scancel", job)
    time.sleep(4)
    return False


def _is_over(cluster: RootlessSlurm, submitted: _Submitted) -> bool:
    """Whether a job that may wait has ended, or none began; lowers the limit of one that waits."""
    job = submitted.job
    if not job:
        return True
    if _state(cluster, job) not in OVER:
        if not submitted.as_begun and (cluster.record / f"{job}.up").exists():
            time.sleep(1)  # all its ranks are up
            submitted.as_begun = _job(cluster, job)
            cluster.run("scontrol", "update", f"JobId={job}", "TimeLimit=1")
        return False
    _describe(cluster, submitted)
    if submitted.as_begun:
        submitted.made["job"]["limit"] = submitted.as_begun["limit"]
    submitted.made["runs"] = _runs(cluster, submitted)
    submitted.made["notes"] = [submitted.clean(n) for n in read_notes(cluster.record, job)]
    return True


def _job(cluster: RootlessSlurm, job: str) -> dict[str, Any]:
    text = cluster.run("scontrol", "-d", "-o", "show", "job", job).stdout
    fields = cluster.fields(job)
    per_node = re.findall(r" Nodes=(\S+) CPU_IDs=(\S+) Mem=(\S+)", text)
    return {
        "state": fields["JobState"], "exit": fields["ExitCode"], "restarts": fields["Restarts"],
        "limit": fields["TimeLimit"], "gpus": fields.get("JOB_GRES", ""),
        "per_node": [list(part) for part in per_node],
    }  # fmt: skip


class _Cleaner:
    """Takes out of a text what is of this run alone."""

    def __init__(self, cluster: Path, folder: Path, job: str) -> None:
        self.cluster, self.folder, self.job = str(cluster), str(folder), job

    def __call__(self, text: str) -> str:
        text = text.replace(self.folder, "<DIR>").replace(self.cluster, "<CLUSTER>")
        text = re.sub(rf"(?<![\w.-]){re.escape(host_name())}\b", "<HOST>", text)
        if self.job:
            text = re.sub(rf"(?<!\d)0*{self.job}(?!\d)", "<JOB>", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "<TIME>", text)
        return re.sub(r"\bJob \d+ to start", "Job <JOB> to start", text)
