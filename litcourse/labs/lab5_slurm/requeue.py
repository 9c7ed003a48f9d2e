"""requeue: a job script for a training that is longer than the job's time limit.

The probe submits the file twice from one folder, under two job ids, with a training of two and a
half limits. The evidence is what happened on the virtual clock:
warnings, checkpoints, requeues.
"""

from __future__ import annotations

from functools import partial
from posixpath import normpath
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    Inputs,
    Mark,
    NotLookedAt,
    Question,
)
from litcourse.labs.lab5_slurm._allocated import GPU_OPTIONS
from litcourse.labs.lab5_slurm._job_log import BEGUN
from litcourse.labs.lab5_slurm._meeting import Size, judge_meeting
from litcourse.labs.lab5_slurm._placed import place_all
from litcourse.labs.lab5_slurm._pocket_runs import Job, offer_test_only, run_in_new_folder
from litcourse.labs.lab5_slurm._sbatch_refusals import judge_start, name_unread, quote
from litcourse.labs.lab5_slurm._submitted import Submitted, read

FILE, NAME = "requeue.sbatch", "requeue"
ALL = ("warned", "requeued", "resumed", "log", "own_folder")
SIZE = Size(1, 4)
LENGTHS = 2.5
RUNS = 3
"""So many runs does a training of 2.5 limits take, if each trains for three quarters or more."""
LIMIT = 60
"""Minutes of a run, from the task."""
SHARE = 0.25
"""The warning comes in the last quarter of the limit."""
_SLACK = 1.0
_OF_ONE_NODE = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/")  # noqa: S108  (nothing is written)


def draw(rng: Random) -> Inputs:
    """Two job ids, and the first node of each of their runs."""
    jobs = rng.sample(range(1000, 10**6), 2)
    nodes = [[f"n{n}" for n in rng.sample(range(1, 17), RUNS)] for _ in jobs]
    return Inputs({"jobs": jobs, "nodes": nodes})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Submit the file under both job ids, one after the other, in one folder."""
    pairs = zip(shown["jobs"], shown["nodes"], strict=True)
    jobs = [Job(number, nodes, lengths=LENGTHS) for number, nodes in pairs]
    first, second = run_in_new_folder(student.file(FILE), FILE, jobs)
    return {"first": first, "second": second}


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the first job run by run, then what the second one finds in the folder."""
    job, second = read(evidence["first"]), read(evidence["second"])
    name = f"{NAME}-{inputs.shown['jobs'][0]}.out"
    stopped = _judge_successor(job) or judge_start(job, ALL) or _judge_form(job) or _judge_old(job)
    if stopped:
        return stopped
    warned = _judge_warned(job)
    requeued = _judge_requeued(job, warned)
    resumed = _judge_resumed(job, requeued)
    marks = [warned, requeued, resumed, _judge_log(job, name), _judge_own(job, second)]
    return name_unread(job, [*_judge_terms(job), *marks])


def _judge_successor(job: Submitted) -> list[Mark]:
    """A job that submits another one, which the pocket does not run: it has another id."""
    if not job.submits or not job.training():
        return []
    cost, left = ("requeued", "resumed"), ("warned", "log", "own_folder")
    got, where = "another job, submitted with sbatch", job.quote("requeue", "signal")
    found = Finding("LIT5412", cost, job.command, "the same job, queued again", got, where)
    return [found, NotLookedAt(left, "the other job is not this one")]


def _judge_form(job: Submitted) -> list[Mark]:
    """The ranks of the first run; without them there is nothing to warn. Then the time limit."""
    found = judge_meeting(job, SIZE, ALL, restart=0) if job.restarts else _first_run(job)
    return [] if found is None else name_unread(job, [found])


def _judge_terms(job: Submitted) -> list[Mark]:
    """Limit, GPUs and name, which the task names; the rest is judged by the limit that there is."""
    marks: list[Mark] = []
    held = sum(share.gpus for share in job.shares)
    if held > SIZE.ranks:
        got, where = f"{held} held", job.quote_given(*GPU_OPTIONS)
        marks += [Finding("LIT5042", ("warned",), job.command, f"{SIZE.ranks} GPUs", got, where)]
    if job.minutes != LIMIT:
        got, where = str(job.minutes), job.quote("time")
        marks += [Finding("LIT5045", ("warned",), job.command, f"{LIMIT} minutes", got, where)]
    if job.job_name != NAME:
        where = job.quote("job-name")
        marks += [Finding("LIT5046", ("log",), job.command, NAME, job.job_name, where)]
    return marks


def _first_run(job: Submitted) -> Finding | None:
    """As `judge_meeting` of a job of one run; that it was not over in time is judged elsewhere."""
    found = judge_meeting(job, SIZE, ALL, restart=0)
    met = any(moment.details == str(SIZE.ranks) for moment in job.moments("ready", 0))
    return None if found is not None and met else found


def _judge_old(job: Submitted) -> list[Mark]:
    """A first run that finds a checkpoint: of an earlier check, since its folder is new."""
    if not job.moments("resumed", 0):
        return []
    cost, others = ("resumed",), tuple(name for name in ALL if name != "resumed")
    got = f"the first run finds {job.moments('resumed', 0)[0].details}"
    where = f"--run_dir {_names({one.run_dir for one in place_all(job)})}"
    found = Finding("LIT5422", cost, job.command, "a folder beside the script", got, where)
    return [found, NotLookedAt(others, "an old checkpoint was there")]


def _judge_warned(job: Submitted) -> Mark:
    """Each run that does not finish saves before its limit, and no earlier than it has to."""
    cost = ("warned",)
    signal = job.quote("signal")
    for run in range(job.restarts + 1):
        if job.moments("finished", run) or (run and not job.moments("ready", run)):
            continue
        saved = job.moments("saved", run)
        if not saved:
            return _unsaved(job, run, signal)
        began = job.moments("started", run)
        waited = job.moments("warned", run)[:1] or saved
        limit = job.minutes
        if not began or waited[0].seconds - began[0].seconds < limit * 60 * (1 - SHARE) - _SLACK:
            got = f"run {run} is warned after {_minutes(job, run)} of {limit} minutes"
            wanted = f"at most {SHARE * limit:g} minutes before the limit"
            return Finding("LIT5405", cost, job.command, wanted, got, signal)
    if job.moments("saved"):
        return Earned(cost)
    return Finding("LIT5400", cost, job.command, "a checkpoint before the limit", "none", signal)


def _minutes(job: Submitted, run: int) -> str:
    began, warned = job.moments("started", run), job.moments("warned", run)
    if not began or not warned:
        return "?"
    return f"{round((warned[0].seconds - began[0].seconds) / 60, 1):g}"


def _unsaved(job: Submitted, run: int, signal: str) -> Finding:
    """The finding on a run that leaves no checkpoint."""
    cost, wanted = ("warned",), "a checkpoint before the limit"
    called, ended = job.command, job.ended
    if job.stopped == "restarts" or job.moments("requeued", run):
        got = f"run {run} is queued again before the ranks have saved"
        return Finding("LIT5404", cost, called, wanted, got, signal)
    if any("User defined signal 1" in line for line in job.lines()):
        got = f"a shell between srun and python was ended by the signal: {ended}"
        return Finding("LIT5407", cost, called, wanted, got, signal)
    if _ended_by_itself(job, run):
        got = f"the script ended after the signal, before the ranks had saved: {ended}"
        return Finding("LIT5406", cost, called, wanted, got, signal)
    if job.moments("lost", run) or job.moments("warned", run):
        got = f"warned after {_minutes(job, run)} minutes; the limit came while the ranks saved"
        return Finding("LIT5403", cost, called, wanted, got, signal)
    if "signal" not in job.asked:
        return Finding("LIT5400", cost, called, wanted, f"no warning: {ended}", signal)
    sent = job.moments("signalled", run)
    killed = any((one.exit_code or 0) < 0 for one in job.training(run))
    if job.asked["signal"].upper().startswith("B:"):
        code = "LIT5401"
        got = f"the batch shell was signalled, the ranks were not: {ended}"
    elif sent and killed and not ended.startswith("TIMEOUT"):
        code, got = "LIT5402", f"the signal ends the ranks: {ended}"
    else:
        code, got = "LIT5401", f"the signal reached no rank that saves: {ended}"
    return Finding(code, cost, called, wanted, got, signal)


def _ended_by_itself(job: Submitted, run: int) -> bool:
    """Whether the script came to its end after a signal that did not kill it, before the limit."""
    of_batch = job.asked.get("signal", "").upper().startswith("B:") or job.moments("warned", run)
    early = job.moments("signalled", run) and not job.moments("limit", run)
    return bool(of_batch and early and job.ended != "FAILED 0:10")


def _judge_requeued(job: Submitted, warned: Mark) -> Mark:
    """Queued again under its id until it is done."""
    cost, options = ("requeued",), job.quote("requeue")
    refused = [line for line in job.lines() if "presently disabled" in line]
    if job.moments("refused") or refused:
        got = quote(refused[:1]) or "scontrol requeue is refused"
        return Finding("LIT5410", cost, job.command, "the job is queued again", got, options)
    if isinstance(warned, Finding) and warned.code != "LIT5405":
        return NotLookedAt(cost, "a run has left no checkpoint, so no rank asks for another run")
    if (last := _last_run(job)) < job.restarts:
        got = f"run {last} finishes the training, and run {last + 1} begins"
        return Finding("LIT5414", cost, job.command, "no run after the last", got, options)
    done = job.ended == "COMPLETED 0:0" and bool(job.moments("finished", job.restarts))
    if job.moments("requeued") and (done or job.stopped == "restarts"):
        return Earned(cost)  # that it begins anew each time is another criterion's
    got = f"{job.restarts + 1} runs, {job.ended}"
    if job.restarts and not job.moments("ready", job.restarts):
        said = quote(job.said_errors[-1:])
        got = f"run {job.restarts} does not train: {job.ended}"
        return Finding("LIT5413", cost, job.command, "the script runs again", got, said)
    return Finding("LIT5411", cost, job.command, f"{RUNS} runs, COMPLETED 0:0", got, options)


def _last_run(job: Submitted) -> int:
    """The number of the first run that ends the training, or else of the last there was."""
    runs = range(job.restarts + 1)
    return next((run for run in runs if job.moments("finished", run)), job.restarts)


def _judge_resumed(job: Submitted, requeued: Mark) -> Mark:
    """Each run after the first goes on from the newest checkpoint of the run before."""
    cost = ("resumed",)
    if job.restarts == 0:
        reason = "there is no second run that could go on"
        return NotLookedAt(cost, reason)
    last = _last_run(job)  # that it is queued again after the end is another criterion's
    folders = [{one.run_dir for one in place_all(job, run)} for run in range(last + 1)]
    for run in range(1, last + 1):
        saved, resumed = job.moments("saved", run - 1), job.moments("resumed", run)
        if not saved or not job.moments("ready", run):
            return NotLookedAt(cost, f"run {run - (not saved)} does not train, or leaves nothing")
        if _is_local(saved[-1].details):
            got, where = saved[-1].details, f"run {run - 1}: --run_dir {_names(folders[run - 1])}"
            return Finding("LIT5422", cost, job.command, "a folder that all nodes see", got, where)
        if resumed and resumed[0].details == saved[-1].details:
            continue
        got = f"run {run} begins from {resumed[0].details if resumed else 'scratch'}"
        where, code = f"run {run - 1}: --run_dir {_names(folders[run - 1])}", "LIT5421"
        if folders[run] != folders[run - 1]:
            where, code = f"{where}; run {run}: --run_dir {_names(folders[run])}", "LIT5420"
        return Finding(code, cost, job.command, saved[-1].details, got, where)
    if isinstance(requeued, Earned) or 0 < last < job.restarts:
        return Earned(cost)
    return NotLookedAt(cost, f"the job has {job.restarts + 1} runs and is not done")


def _is_local(path: str) -> bool:
    """Whether a path is on the disk or in the memory of one node."""
    return normpath(path).startswith(_OF_ONE_NODE)


def _names(folders: set[str]) -> str:
    return ", ".join(sorted(folders)) or "none"


def _judge_log(job: Submitted, name: str) -> Mark:
    """One log, by its name, with the lines of every run."""
    cost, where = ("log",), job.quote("output", "open-mode")
    lines = job.logs.get(name)
    if lines is None:
        return Finding("LIT5060", cost, job.command, name, ", ".join(job.logs) or "none", where)
    begun, runs = sum(BEGUN in line for line in lines), len(job.moments("ready"))
    if begun >= runs > 1:
        return Earned(cost)
    if runs <= 1:
        return NotLookedAt(cost, "there is no second run that could add to it")
    wanted = f"the lines of {runs} runs in {name}"
    return Finding("LIT5430", cost, job.command, wanted, f"those of {begun}", where)


def _judge_own(job: Submitted, second: Submitted) -> Mark:
    """Another job in the same folder begins from scratch."""
    cost = ("own_folder",)
    if second.open_reason:
        return NotLookedAt(cost, second.open_reason, by_machine=True)
    if not job.moments("saved"):
        return NotLookedAt(cost, "the first job leaves no checkpoint that another could take")
    names = [_names({one.run_dir for one in place_all(one_job)}) for one_job in (job, second)]
    where = f"--run_dir {names[0]}, then {names[1]}"
    if second.moments("resumed", 0):
        got = f"it begins from {second.moments('resumed', 0)[0].details}"
        return Finding("LIT5431", cost, second.command, "from scratch", got, where)
    if second.moments("ready", 0):
        return Earned(cost)
    return NotLookedAt(cost, "the second job does not train")


QUESTION = Question(
    title="Longer than the time limit",
    defines=(),
    files=(FILE,),
    beside=partial(offer_test_only, FILE),
    criteria=(
        Criterion("warned", "the ranks are warned and save before the limit, each time", 0.25),
        Criterion("requeued", "the job is queued again under its id, until it is done", 0.25),
        Criterion("resumed", "each run goes on from the last checkpoint", 0.3),
        Criterion("log", "one log tells of all runs", 0.1),
        Criterion("own_folder", "another job begins from scratch", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
