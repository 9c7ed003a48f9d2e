"""The batch shell of a job: its log files, its command, its environment, Slurm's last words."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from litcourse.pocket.allocation import Allocation
from litcourse.pocket.outcome import Outcome
from litcourse.pocket.running.output_patterns import Names, file_name
from litcourse.pocket.variables import Facts, batch_variables

if TYPE_CHECKING:
    from litcourse.pocket.job import Job

_LOGIN = ("-l", "--login")
_BYTES_OF_A_FILE = 64 * 2**20
_WHY = {"requeue": " DUE TO JOB REQUEUE", "limit": " DUE TO TIME LIMIT", "cancelled": ""}


@dataclass(frozen=True)
class Outputs:
    """Open files of the batch shell."""

    out: int
    error: int
    cwd: Path

    @property
    def streams(self) -> set[int]:
        """The descriptors, once each."""
        return {self.out, self.error}


def names(facts: Facts, allocation: Allocation) -> Names:
    """What patterns of the job's log stand for."""
    user, name = facts.user, facts.submitted.job_name
    if facts.array is None:
        return Names(facts.id, name, allocation.nodes[0], user)
    array, task = facts.array.job, facts.array.task
    return Names(facts.id, name, allocation.nodes[0], user, array_job=array, array_task=task)


def open_outputs(facts: Facts, allocation: Allocation, outcome: Outcome) -> Outputs | None:
    """Open the logs, anew at each restart; None where Slurm could not, and so starts nothing."""
    options = facts.submitted.options
    cwd = Path(facts.submit_dir, options.get("chdir", ""))
    default = "slurm-%j.out" if facts.array is None else "slurm-%A_%a.out"
    stand_for = names(facts, allocation)
    mode = options.get("open-mode", "t")[0]
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "a" else os.O_TRUNC)
    found: list[int] = []
    for option in ("output", "error"):
        pattern = options.get(option) or (default if option == "output" else "")
        if not pattern:
            found.append(found[0])
            continue
        path = os.path.join(cwd, file_name(pattern, stand_for))  # noqa: PTH118  (keeps a last /)
        try:
            if path.endswith("/"):
                raise IsADirectoryError(path)
            found.append(os.open(path, flags | os.O_APPEND, 0o644))
        except OSError:
            for descriptor in found:
                os.close(descriptor)
            return None
        outcome.outputs[path] = ""
        if option == "output":
            outcome.log = path
    return Outputs(found[0], found[1], cwd)


def start(job: Job, files: Outputs) -> subprocess.Popen[bytes] | None:
    """Start the script; None where its interpreter is not there."""
    spool = job.folder / f"job{job.facts.id}"
    spool.mkdir(exist_ok=True)
    script = spool / "slurm_script"
    script.write_bytes(job.facts.submitted.script.encode("utf-8", "surrogateescape"))
    script.chmod(0o700)
    command = [*interpreter(job.facts.submitted.script, job.folder / "bin"), str(script)]
    environment = batch_variables(job.facts, job.allocation, job.restart)
    path = environment.get("PATH") or "/usr/bin:/bin"
    environment |= {"PATH": f"{job.folder / 'bin'}:{path}"}
    cwd = files.cwd
    if not cwd.is_dir():
        text = f"slurmstepd: error: couldn't chdir to `{cwd}': No such file or directory: "
        os.write(files.error, f"{text}going to /tmp instead\n".encode())
        cwd = Path("/tmp")  # noqa: S108  (what Slurm does)
    try:
        process = subprocess.Popen(
            [*command, *job.facts.submitted.arguments], cwd=cwd, env=environment,
            stdin=subprocess.DEVNULL, stdout=files.out, stderr=files.error, start_new_session=True,
        )  # fmt: skip
    except OSError:
        node = job.allocation.nodes[0]
        text = f"execve(): bad interpreter({command[0]}): No such file or directory"
        os.write(files.error, f"slurmstepd-{node}: error: {text}\n".encode())
        return None
    job.session.leader = process.pid
    _limit(process.pid, job.limits.processor)
    return process


def interpreter(script: str, standins: Path) -> list[str]:
    """The words of a script's first line, as the kernel takes them.

    `-l` is left out: /etc/profile would set PATH anew, and the stand-ins were lost. An
    interpreter that is Python is the stand-in.
    """
    words = script.split("\n", 1)[0][2:].strip().split(None, 1) or ["/bin/sh"]
    if os.path.basename(words[0]).startswith("python"):  # noqa: PTH119
        return [str(standins / "python")]
    if len(words) > 1:
        words[1] = " ".join(word for word in words[1].split(" ") if word not in _LOGIN)
        if words[1].startswith("-") and not words[1].startswith("--"):
            words[1] = words[1].replace("l", "") if set(words[1][1:]) <= set("leuxv") else words[1]
    return [word for word in words if word not in {"", "-"}]


def _limit(pid: int, processor: float) -> None:
    """Bound what one process may use; what all use together is looked at while they run."""
    with contextlib.suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        seconds = int(processor) + 1
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_BYTES_OF_A_FILE, _BYTES_OF_A_FILE))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def report_end(job: Job, why: str) -> None:
    """Write slurmstepd's lines about a job that is ended from outside."""
    node, number = job.allocation.nodes[0], job.facts.id
    text = f"CANCELLED AT {job.date()}{_WHY[why]} ***\n"
    lines = f"slurmstepd-{node}: error: *** JOB {number} ON {node} {text}"
    for launch in job.launches:
        if launch.step is not None and launch.begun:
            step = f"STEP {number}.{launch.step.number} ON {launch.step.nodes[0]}"
            lines += f"slurmstepd-{launch.step.nodes[0]}: error: *** {step} {text}"
    errors = [name for name in job.outcome.outputs if name == job.error_name]
    for name in errors:
        with contextlib.suppress(OSError), Path(name).open("a", encoding="utf-8") as file:
            file.write(lines)
