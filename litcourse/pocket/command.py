"""`litcourse sbatch`: submits a script to the pocket, in the foreground and in this folder."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from litcourse.core.exit_codes import ExitCode
from litcourse.pocket.drawing import picture, table
from litcourse.pocket.job import Limits
from litcourse.pocket.machine import VERSION
from litcourse.pocket.outcome import Outcome
from litcourse.pocket.reading.getopt import RefusedError, read_options
from litcourse.pocket.reading.option_tables import SBATCH
from litcourse.pocket.submission import BEYOND, Setting, run_script

USAGE = f"""\
usage: litcourse sbatch [--explain] [--] [sbatch options] FILE [arguments]

Submits FILE to the pocket Slurm, which answers as Slurm {VERSION} would, on the course's cluster
(16 nodes of 64 cores, 512000 MB and 8 GPUs). The job runs here and now, under bash; `srun` and
`python` are recorded, not run: `train.py` trains on a clock of its own.

  --explain   show what was allocated, and what every rank sees

The exit code is that of sbatch, with --wait that of the job, and {BEYOND} where the pocket does not
emulate what a cluster would accept.
"""
_FIRST_JOB = 1001
_LIMITS = {
    "processor": "its processes have used {processor:g} s of processor time",
    "time": "it has run for {time:g} s",
    "processes": "it has more than {processes} processes",
    "restarts": "it was queued again too often",
}
"""Why the pocket stops a job, by `Outcome.stopped`."""


def main(words: Sequence[str], say: Callable[..., None] = print) -> int:
    """Run the command and return its exit code.

    Args:
        words: what follows `litcourse sbatch`.
        say: prints, as `print` does.
    """
    left, explain = list(words), False
    while left and left[0] in {"--explain", "--help", "-h", "--"}:
        word = left.pop(0)
        explain = explain or word == "--explain"
        if word in {"--help", "-h"}:
            say(USAGE, end="")
            return 0
        if word == "--":
            break
    try:
        with _ended_by_signals():
            outcome = _submit(left)
    except RefusedError as refused:
        say(refused.text, file=sys.stderr)
        return refused.code
    except KeyboardInterrupt:
        say("litcourse sbatch: the job was stopped", file=sys.stderr)
        return ExitCode.INTERRUPTED
    say(outcome.submit.stdout, end="")
    say(outcome.submit.stderr, end="", file=sys.stderr)
    if explain:
        say(explained(outcome))
    return _code(outcome, wait="--wait" in left or "-W" in left, say=say)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have a terminal that closes, and `kill`, end the job as Ctrl-C does; nothing is left then."""
    ours = threading.current_thread() is threading.main_thread()  # Python allows it there alone
    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP) if ours else ():
        if signal.getsignal(number) == signal.SIG_DFL:  # `nohup` ignores one, and means it
            before[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _submit(words: Sequence[str]) -> Outcome:
    """Submit what the words say; the file is the first that is no option."""
    found = read_options(words, SBATCH)
    options = list(words[: len(words) - len(found.rest)])
    while options and options[-1] == "--":
        options.pop()
    name, arguments = "", list(found.rest)
    script: str | None = None
    if "wrap" in dict(found.options):
        name = arguments.pop(0) if arguments else ""
        script = ""
    elif arguments:
        name = arguments.pop(0)
        script = _read(Path(name))
    else:
        script = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    return run_script(
        script, Path.cwd(), name=name, options=options, arguments=arguments,
        shell=dict(os.environ), setting=Setting(job_id=next_job(), host=os.uname().nodename),
    )  # fmt: skip


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None


def next_job() -> int:
    """The next job id, counted on in a file of the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base, "litcourse", "pocket-job-id")
    try:
        number = int(path.read_text(encoding="ascii")) + 1
    except (OSError, ValueError):
        number = _FIRST_JOB
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number), encoding="ascii")
    except OSError:
        return number  # a home that cannot be written: all jobs have the first id
    return number


def explained(outcome: Outcome) -> str:
    """What was allocated and what every process saw."""
    parts = [picture(outcome)]
    if outcome.allocation is not None and outcome.state:
        logs = ", ".join(sorted(outcome.outputs)) or "none"
        parts.append(table(outcome))
        parts.append(f"{outcome.state} {outcome.exit_code}, log: {logs}")
    return "\n\n".join(parts)


def _code(outcome: Outcome, *, wait: bool, say: Callable[..., None]) -> int:
    for text in outcome.beyond:
        if text not in outcome.submit.stderr:
            say(f"litcourse sbatch: {text}", file=sys.stderr)
    if outcome.stopped:
        why = _LIMITS[outcome.stopped].format_map(vars(Limits()))
        say(f"litcourse sbatch: the job was stopped: {why}", file=sys.stderr)
    if outcome.beyond or outcome.stopped:
        return BEYOND
    if outcome.submit.rc or not wait:
        return outcome.submit.rc
    code, number = map(int, outcome.exit_code.split(":"))
    return code or (128 + number if number else 0)
