"""Submits a script to the pocket: reads, allocates, runs, and gives back what became of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from litcourse.core.exit_codes import ExitCode
from litcourse.pocket.allocation import Allocation, allocate
from litcourse.pocket.job import Job, Limits
from litcourse.pocket.machine import COURSE, Machine, compress
from litcourse.pocket.options import CommandLine, Submitted, read_array, read_command_line
from litcourse.pocket.outcome import Answer, Outcome, shortened
from litcourse.pocket.programs.training import Training
from litcourse.pocket.reading.getopt import BeyondError, RefusedError
from litcourse.pocket.running.launches import Program
from litcourse.pocket.running.run_loop import RunLoop
from litcourse.pocket.standins import write_standins
from litcourse.pocket.variables import Facts, current_user

BEYOND = int(ExitCode.NOT_EMULATED)
"""Exit code of a submission that the pocket does not emulate."""


@dataclass(frozen=True)
class Setting:
    """The circumstances of a submission.

    Args:
        job_id: the job's id.
        first_nodes: the first node of each run; the last one also of those that follow.
        program: what `python` does; by default the training stand-in.
        limits: when a job is stopped.
        machine: the cluster.
        alarms: what is to be done to the running job, and at which virtual second of its first run.
        user: name, user id and group id; by default whoever runs this.
        home: that user's home; by default the folder of the submission.
        host: the machine that it is submitted from.
    """

    job_id: int = 4711
    first_nodes: Sequence[str] = ("n1",)
    program: Program | None = None
    limits: Limits = field(default_factory=Limits)
    machine: Machine = COURSE
    alarms: Sequence[tuple[float, Callable[[Job], None]]] = ()
    user: tuple[str, int, int] = field(default_factory=current_user)
    home: Path | None = None
    host: str = "login"


def run_script(
    script: str | None, folder: Path, *, name: str = "job.sbatch", options: Sequence[str] = (),
    arguments: Sequence[str] = (), shell: Mapping[str, str] | None = None,
    setting: Setting | None = None,
) -> Outcome:  # fmt: skip
    """Submit a script from a folder, and run it there until the job has ended.

    Args:
        script: its text; None where there is no such file.
        folder: where it is submitted and runs, and where `train.py` lies.
        name: the file's name; "" for a script from standard input and for `--wrap`.
        options: options of sbatch, those before the file.
        arguments: words behind the file.
        shell: the environment of the submitting shell; by default a plain PATH and a home.
        setting: the circumstances.
    """
    setting = setting or Setting()
    job_id = setting.job_id
    folder = folder.resolve()
    environment = dict(_plain_shell(setting.home or folder) if shell is None else shell)
    command = ("sbatch", *options, *([name] if name else []), *arguments)
    outcome = Outcome(Answer(command, 0), job_id)
    try:
        line = CommandLine(options, script, name, arguments, environment)
        submitted = read_command_line(line)
        allocations = _Allocations(submitted, setting)
        outcome.allocation = allocations(0)
    except RefusedError as refused:
        text = refused.text
        if any(option == "--test-only" for option in options):
            text = text.replace("sbatch: error: Batch job submission failed", "allocation failure")
            lines = [line for line in text.splitlines() if "can not be satisfied" not in line]
            text = "\n".join(lines)
        outcome.submit = Answer(command, refused.code, "", text + "\n")
        return outcome
    except BeyondError as beyond:
        outcome.beyond.append(str(beyond))
        outcome.submit = Answer(command, BEYOND, "", f"sbatch: {beyond}\n")
        return outcome
    outcome.submit = _answer(command, submitted, outcome.allocation, job_id)
    _run(outcome, submitted, allocations, folder, setting)
    return outcome


def _run(
    outcome: Outcome,
    submitted: Submitted,
    allocations: _Allocations,
    folder: Path,
    setting: Setting,
) -> None:
    """Run a job that was accepted."""
    job_id = setting.job_id
    if "test-only" in submitted.options:
        return
    if "hold" in submitted.options:
        outcome.state, outcome.reason = "PENDING", "JobHeldUser"
        return
    array = read_array(submitted.options["array"], job_id) if "array" in submitted.options else None
    if array is not None:
        outcome.beyond.append(
            f"--array: of its {array.count} tasks only number {array.task} is run"
        )
    user, uid, gid = setting.user
    facts = Facts(job_id, submitted, setting.machine, str(folder), user, uid, gid, setting.host,
                  array=array)  # fmt: skip
    with _own_folder() as own:
        program = setting.program or Training()
        job = Job(facts, allocations, program, own, setting.limits, outcome)
        job.alarms = setting.alarms
        RunLoop(job).run()
        _read_outputs(outcome, folder)


class _Allocations:
    """The allocation of each run of a job."""

    def __init__(self, submitted: Submitted, setting: Setting) -> None:
        self._submitted, self._setting = submitted, setting

    def __call__(self, restart: int) -> Allocation:
        firsts = self._setting.first_nodes or ("n1",)
        first = firsts[min(restart, len(firsts) - 1)]
        return allocate(self._submitted, self._setting.machine, first)


def _plain_shell(home: Path) -> dict[str, str]:
    user = current_user()[0]
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "USER": user, "LOGNAME": user,
            "SHELL": "/bin/bash", "LANG": "C.UTF-8"}  # fmt: skip


def _answer(
    command: tuple[str, ...], submitted: Submitted, allocation: Allocation, job_id: int
) -> Answer:
    warnings = "".join(line + "\n" for line in allocation.warnings)
    if "test-only" in submitted.options:
        when = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
        text = (
            f"sbatch: Job {job_id} to start at {when} using {allocation.cores} processors on nodes "
            f"{compress(allocation.nodes)} in partition {allocation.partition}\n"
        )
        return Answer(command, 0, "", warnings + text)
    if "parsable" in submitted.options:
        return Answer(command, 0, f"{job_id}\n", warnings)
    quiet = "quiet" in submitted.options
    return Answer(command, 0, "" if quiet else f"Submitted batch job {job_id}\n", warnings)


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder of the pocket's own, with the stand-ins."""
    path = Path(tempfile.mkdtemp(prefix="pocket-"))
    try:
        for name in ("bin", "socket"):
            (path / name).mkdir()
        write_standins(path / "bin", path / "socket")
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _read_outputs(outcome: Outcome, folder: Path) -> None:
    """Read the logs, and name them as seen from the folder."""
    found = {}
    for path in outcome.outputs:
        shown = os.path.relpath(path, folder)
        if os.path.isfile(path):  # noqa: PTH113
            text = Path(path).read_text(encoding="utf-8", errors="replace")
            found[path if shown.startswith("..") else shown] = shortened(text)
    if outcome.log:
        outcome.log = os.path.relpath(outcome.log, folder)
    outcome.outputs = found
