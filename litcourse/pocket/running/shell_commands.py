"""The commands that a script finds in the pocket, other than srun, sbatch and python."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from litcourse.pocket.machine import address_of, compress, expand
from litcourse.pocket.reading.getopt import RefusedError, Table, read_options
from litcourse.pocket.reading.values import signal_number
from litcourse.pocket.running.launches import Rank

if TYPE_CHECKING:
    from litcourse.pocket.job import Job

_SCANCEL = Table(
    "scancel",
    "account= batch ctld full help hurry interactive jobname= name= nodelist= partition= qos= "
    "quiet reservation= signal= state= user= usage verbose version wckey=",
    {"A": "account", "b": "batch", "f": "full", "i": "interactive", "n": "name", "p": "partition",
     "q": "qos", "Q": "quiet", "s": "signal", "t": "state", "u": "user", "v": "verbose",
     "V": "version", "w": "nodelist"},
)  # fmt: skip
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TERM = 15
_DATE_SECONDS = 5
_FOREVER = 10.0**9


class Said(NamedTuple):
    """What a command prints, and its exit code."""

    out: str = ""
    code: int = 0
    error: str = ""


def run(rank: Rank, job: Job) -> None:
    """Let a command do what it does."""
    if rank.program == "sleep":
        _sleep(rank, job)
        return
    said = _COMMANDS.get(rank.program, _nothing)(rank, list(rank.words[1:]), job)
    job.write(rank, said.out)
    job.write(rank, said.error, 2)
    job.end(rank, said.code)


def _nothing(_rank: Rank, _words: Sequence[str], _job: Job) -> Said:
    """`module`, `conda` and their kin: whatever they are given, they have done it."""
    return Said()


def _sleep(rank: Rank, job: Job) -> None:
    seconds = 0.0
    for word in rank.words[1:]:
        match = re.fullmatch(r"(\d*\.?\d+|\d+\.)([smhd]?)", word)
        if word in {"inf", "infinity"}:
            seconds = _FOREVER
        elif match:
            seconds += float(match[1]) * _SECONDS[match[2]]
        else:
            job.write(rank, f"sleep: invalid time interval '{word}'\n", 2)
            job.end(rank, 1)
            return
    if len(rank.words) == 1:
        job.write(rank, "sleep: missing operand\n", 2)
        job.end(rank, 1)
    else:
        job.after(seconds, lambda: job.end(rank, 0))


def _date(rank: Rank, words: Sequence[str], job: Job) -> Said:
    """`date` of this machine, asked about the job's clock; a date of its own is given back so."""
    zone = {name: rank.environment[name] for name in ("TZ", "LANG") if name in rank.environment}
    asked = ["date", f"--date={job.date()}", *words]
    environment = {"PATH": "/usr/bin:/bin", **zone}
    done = subprocess.run(
        asked, env=environment, capture_output=True, text=True, check=False, timeout=_DATE_SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Said(done.stdout, done.returncode, done.stderr)


def _hostname(rank: Rank, words: Sequence[str], _job: Job) -> Said:
    if {"-i", "-I", "--ip-address", "--all-ip-addresses"} & set(words):
        return Said(f"{address_of(rank.node)}\n")
    return Said(f"{rank.node}\n")


def _nproc(rank: Rank, _words: Sequence[str], job: Job) -> Said:
    return Said(f"{job.cores(rank)}\n")


def _nvidia_smi(rank: Rank, words: Sequence[str], job: Job) -> Said:
    """A list of the job's GPUs on the node; CUDA_VISIBLE_DEVICES does not concern it."""
    shares = {share.node: share.gpus_held for share in job.allocation.shares}
    gpus = range(shares.get(rank.node, 0))
    if not gpus:
        return Said("No devices were found\n", 6)
    name = job.facts.machine.gpu_type.upper()
    if any(word.startswith("--query-gpu") for word in words):
        return Said("".join(f"{index}, {name}\n" for index in gpus))
    return Said("".join(f"GPU {index}: {name} (UUID: GPU-pocket-{index})\n" for index in gpus))


# --- Slurm's own ---------------------------------------------------------------------------------


def _scontrol(rank: Rank, words: Sequence[str], job: Job) -> Said:
    plain = [word for word in words if not word.startswith("-")]
    if plain[:1] == ["requeue"]:
        text = job.requeue(plain[1] if len(plain) > 1 else "")
        return Said(error=text + "\n" if text else "", code=1 if text else 0)
    if plain[:1] != ["show"] or len(plain) == 1:
        return _unknown(f"scontrol {' '.join(words)}", job)
    what, *rest = plain[1:]
    if what in {"hostname", "hostnames"}:
        text = rest[0] if rest else rank.environment.get("SLURM_JOB_NODELIST", "")
        return Said("".join(f"{node}\n" for node in expand(text)))
    if what in {"hostlist", "hostlistsorted"} and rest:
        return Said(compress(expand(rest[0].replace("\n", ","))) + "\n")
    if what in {"job", "jobs", "jobid"}:
        return Said(_show_job(job))
    return _unknown(f"scontrol {' '.join(words)}", job)


def _show_job(job: Job) -> str:
    facts, allocation = job.facts, job.allocation
    nodes, minutes = compress(allocation.nodes), allocation.minutes
    days, left = divmod(minutes, 1440)
    limit = (
        f"{days}-{left // 60:02d}:{left % 60:02d}:00"
        if days
        else f"{left // 60:02d}:{left % 60:02d}:00"
    )
    requeue = int("requeue" in facts.submitted.options)
    return (
        f"JobId={facts.id} JobName={facts.submitted.job_name}\n"
        f"   UserId={facts.user}({facts.uid}) GroupId={facts.user}({facts.gid})\n"
        f"   JobState=RUNNING Reason=None Dependency=(null)\n"
        f"   Requeue={requeue} Restarts={job.restart} BatchFlag=1 ExitCode=0:0\n"
        f"   TimeLimit={limit} Partition={allocation.partition}\n"
        f"   NodeList={nodes} BatchHost={allocation.nodes[0]}\n"
        f"   NumNodes={len(allocation.nodes)} NumCPUs={allocation.cores} "
        f"NumTasks={allocation.tasks or len(allocation.nodes)} "
        f"CPUs/Task={allocation.request.cores}\n"
        f"   WorkDir={facts.submit_dir}\n   StdErr={job.error_name}\n"
        f"   StdOut={job.outcome.log}\n\n"
    )


def _scancel(_rank: Rank, words: Sequence[str], job: Job) -> Said:
    """Signals go to steps; with `--batch` to the batch shell, with `--full` to both."""
    try:
        found = read_options(words, _SCANCEL)
    except RefusedError as refused:
        return Said(code=1, error=refused.text + "\n")
    options = dict(found.options)
    number = signal_number(options["signal"]) if "signal" in options else 0
    if "signal" in options and not number:
        return Said(code=1, error=f"scancel: error: Unknown job signal: {options['signal']}\n")
    for text in found.rest or [str(job.facts.id)]:
        identity, _, step = text.partition(".")
        if identity != str(job.facts.id):
            what = f"Kill job error on job id {text}: Invalid job id specified"
            return Said(code=1, error=f"scancel: error: {what}\n")
        _cancel(job, number, step, batch="batch" in options, full="full" in options)
    return Said()


def _cancel(job: Job, number: int, step: str, *, batch: bool, full: bool) -> None:
    if step:
        job.signal_steps(number or _TERM, int(step) if step.isdigit() else None)
    elif not number:
        job.end_run("cancelled")
    else:
        if not batch:
            job.note("signalled", signal=number, whom="steps")
            job.signal_steps(number)
        if batch or full:
            job.signal_batch(number)


def _squeue(_rank: Rank, words: Sequence[str], job: Job) -> Said:
    allocation, minutes = job.allocation, int(job.now // 60)
    head = "" if "-h" in words or "--noheader" in words else (
        f"{'JOBID':>18} {'PARTITION':>9} {'NAME':>8} {'USER':>8} {'ST':>2} {'TIME':>10} "
        f"{'NODES':>6} NODELIST(REASON)\n"
    )  # fmt: skip
    name, user = job.facts.submitted.job_name[:8], job.facts.user[:8]
    nodes = compress(allocation.nodes)
    line = (
        f"{job.facts.id:>18} {allocation.partition:>9} {name:>8} {user:>8} {'R':>2} "
        f"{f'{minutes}:{int(job.now) % 60:02d}':>10} {len(allocation.nodes):>6} {nodes}\n"
    )
    return Said(head + line)


def _sinfo(_rank: Rank, _words: Sequence[str], job: Job) -> Said:
    machine = job.facts.machine
    lines = ["PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST"]
    for index, part in enumerate(machine.partitions):
        days, left = divmod(part.most_minutes, 1440)
        limit = f"{days}-{left // 60:02d}:{left % 60:02d}:00" if days else f"{left:d}:00"
        nodes = compress(machine.node_names()[: part.nodes])
        name = part.name + ("*" if index == 0 else "")
        lines.append(f"{name:<9} {'up':>5} {limit:>10} {part.nodes:>6}   idle {nodes}")
    return Said("\n".join(lines) + "\n")


def _sacct(_rank: Rank, _words: Sequence[str], _job: Job) -> Said:
    return Said(code=1, error="Slurm accounting storage is disabled\n")


def _sbatch(rank: Rank, words: Sequence[str], job: Job) -> Said:
    """Accept a job that a job submits: it is noted and not run."""
    job.outcome.beyond.append("sbatch inside of a job: the other job is not run")
    job.note("submitted", words=list(words), cwd=rank.cwd)
    job.submitted_inside += 1
    number = job.facts.id + job.submitted_inside
    if "--parsable" in words:
        return Said(f"{number}\n")
    return Said(f"Submitted batch job {number}\n")


def _other(rank: Rank, words: Sequence[str], job: Job) -> Said:
    return _unknown(" ".join([rank.program, *words]), job)


def _unknown(what: str, job: Job) -> Said:
    job.outcome.beyond.append(f"the pocket does not emulate `{what}`")
    return Said(code=64, error=f"the pocket does not emulate `{what}`\n")


_COMMANDS: dict[str, Callable[[Rank, Sequence[str], Job], Said]] = {
    "hostname": _hostname, "nproc": _nproc, "nvidia-smi": _nvidia_smi, "scontrol": _scontrol,
    "scancel": _scancel, "squeue": _squeue, "sinfo": _sinfo, "sacct": _sacct, "sbatch": _sbatch,
    "date": _date,
    **dict.fromkeys(("salloc", "sattach", "sbcast", "scrontab", "sprio", "sshare", "sstat",
                     "strigger"), _other),
}  # fmt: skip
