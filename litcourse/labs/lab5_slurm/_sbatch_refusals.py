"""Judges what kept a job from running: sbatch's refusal, a log that can't be opened, no command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from litcourse.core.question import Finding, Mark, NotLookedAt
from litcourse.labs.lab5_slurm._submitted import Submitted
from litcourse.pocket.options import split_directive
from litcourse.pocket.reading.getopt import RefusedError, read_options
from litcourse.pocket.reading.option_tables import SAME, SBATCH

_TEXTS = (
    ("LIT5000", r"Invalid --time specification"),
    ("LIT5062", r"Invalid directive found"),
    ("LIT5001", r"unrecognized option|is ambiguous|invalid option --|Unexpected"),
    ("LIT5002", r"time limit is invalid"),
    ("LIT5003", r"does not look like a batch script|DOS line breaks|script is empty"),
    ("LIT5004", r"Batch job submission failed|allocation failure"),
)
"""Code, and what sbatch says."""
_ANY_REFUSAL = "LIT5005"
NO_LOG, LOOPS, UNSOLVED = "LIT5006", "LIT5007", "LIT900"
NOTHING_RAN, STEP_REFUSED, OTHER_PROGRAM = "LIT5008", "LIT5009", "LIT5010"
_NOT_FOUND, INSIDE, _NO_PROGRAM = "LIT5011", "LIT5012", "LIT5063"
_BASH, ANOTHER, UNREAD = "LIT5013", "LIT5014", "LIT5015"
_OF_SRUN = (
    ("LIT5018", "execve():"),
    ("LIT5019", "More processors requested"),
)
"""Code, and what srun or the node says of a step."""
_SIZES = ("ntasks-per-node", "cpus-per-task", "gpus-per-node")
_OF_BASH = re.compile(r"slurm_script: (line \d+: .*)")
_UNSTARTED = re.compile(r"\btrain\.py: (Permission denied|(command )?not found)")
"""What bash or the node says of the program where `python` is not in front of it."""
_ON_THE_COMMAND_LINE = {"nodes"}
"""Options that a submission may have without any directive of the file."""
LONGEST = 3
"""Lines of a log that a finding quotes."""


def judge_start(job: Submitted, every: tuple[str, ...]) -> list[Mark]:
    """What kept the job from starting `train.py`; [] if it ran it.

    Args:
        job: the submission.
        every: ids of all criteria, which it costs.
    """
    if job.open_reason:
        return [NotLookedAt(every, job.open_reason, by_machine=True)]
    if job.rc:
        return [_refused(job, every)]
    if job.stopped and job.stopped != "restarts":
        got = f"stopped at the limit of {job.stopped}"
        return [Finding(LOOPS, every, job.command, "a job that ends", got)]
    if job.reason == "JobLaunchFailure" and job.ended.endswith("0:53"):
        got = f"{job.ended}, {job.reason}, and no log"
        where = job.quote_given("output", "error", "chdir")
        return [Finding(NO_LOG, every, job.command, "a log that can be written", got, where)]
    if job.training():
        return []
    return name_unread(job, [_did_nothing(job, every)])


def _refused(job: Submitted, every: tuple[str, ...]) -> Finding:
    code = next((code for code, text in _TEXTS if re.search(text, job.said)), _ANY_REFUSAL)
    said = " ".join(job.said.replace('Try "sbatch --help" for more information', "").split())
    return Finding(code, every, job.command, "Submitted batch job …", said)


def _did_nothing(job: Submitted, every: tuple[str, ...]) -> Finding:
    said = job.lines()
    if not said and not job.processes and set(job.asked) <= _ON_THE_COMMAND_LINE:
        return Finding(
            UNSOLVED, every, job.command, "a solved cell", "a file that asks for nothing"
        )
    if job.submits:
        return Finding(ANOTHER, every, job.command, "python train.py runs", "sbatch in the job")
    others = [one for one in job.processes if not one.trains]
    if others:
        words = " ".join([others[0].program, *others[0].words])
        return Finding(OTHER_PROGRAM, every, job.command, "python train.py …", words)
    inside = [line for line in said if "temporarily disabled" in line]
    if inside:
        return Finding(INSIDE, every, job.command, "python train.py runs", quote(inside[:1]))
    bare = [line for line in said if _UNSTARTED.search(line)]
    if bare:
        return Finding(_NO_PROGRAM, every, job.command, "python train.py …", quote(bare[:1]))
    return _failed(job, every)


def _failed(job: Submitted, every: tuple[str, ...]) -> Finding:
    """What srun, the node or bash says of a command that never began."""
    said, errors = job.lines(), job.said_errors
    got = quote(errors or said) or "nothing in its log"
    of_bash = [match[1] for match in map(_OF_BASH.search, said) if match]
    code = NOTHING_RAN
    if any("srun: error" in line or "slurmstepd" in line for line in errors):
        code = next(
            (code for code, text in _OF_SRUN if any(text in e for e in errors)), STEP_REFUSED
        )
    elif any("command not found" in line for line in errors):
        code = _NOT_FOUND
    elif of_bash:
        code, got = _BASH, quote(of_bash)
    asked = job.quote_given("export") or job.quote(*_SIZES)
    where = f"job {job.ended}; {asked}"
    return Finding(code, every, job.command, "python train.py runs", got, where)


def quote(lines: list[str]) -> str:
    """The first lines of a log, in one."""
    return " / ".join(line.strip() for line in lines[:LONGEST])


# --- directives that are not read ---------------------------------------------------------------

_GPUS = ("gpus-per-node", "gres", "gpus", "gpus-per-task")
_CORES = ("cpus-per-task",)
_TASKS = ("ntasks-per-node", "ntasks", "nodes")
_LACKS = {
    "LIT5009": (*_CORES, *_TASKS, *_GPUS), "LIT5019": (*_CORES, *_TASKS, *_GPUS),
    "LIT5020": _TASKS, "LIT5021": _TASKS, "LIT5023": _TASKS,
    "LIT5024": _TASKS, "LIT5026": _TASKS, "LIT5028": _GPUS, "LIT5032": _GPUS, "LIT5040": _TASKS,
    "LIT5041": _GPUS, "LIT5043": ("mem", "mem-per-cpu", "mem-per-gpu"), "LIT5045": ("time",),
    "LIT5046": ("job-name",), "LIT5050": _CORES, "LIT5060": ("output",), "LIT5400": ("signal",),
    "LIT5410": ("requeue",), "LIT5430": ("open-mode",),
}  # fmt: skip
"""Findings that a directive explains which was not read, and the options that it may be."""


def name_unread(job: Submitted, marks: Sequence[Mark]) -> list[Mark]:
    """Put one finding in place of those that directives explain which sbatch did not read."""
    left = _options(job.unread) - set(job.asked)
    found = [
        one for one in marks if isinstance(one, Finding) and left & set(_LACKS.get(one.code, ()))
    ]
    if not found:
        return list(marks)
    cost = tuple(dict.fromkeys(name for one in found for name in one.criteria))
    got = "; ".join(dict.fromkeys(f"{one.got}, expected: {one.expected}" for one in found[:2]))
    lines = [line for line in job.unread if _options([line]) & left]
    more = f" and {len(lines) - 2} more" if len(lines) > 2 else ""  # noqa: PLR2004  (two are quoted)
    where = " / ".join(lines[:2]) + more
    named = Finding(UNREAD, cost, job.command, "#SBATCH lines above the first command", got, where)
    return [named, *(one for one in marks if one not in found)]


def _options(lines: Iterable[str]) -> set[str]:
    """Long names of the options in lines that look like directives."""
    found: set[str] = set()
    for line in lines:
        try:
            words = split_directive(line.partition("SBATCH")[2])
            found |= {SAME.get(name, name) for name, _ in read_options(words, SBATCH).options}
        except RefusedError:
            continue
    return found
