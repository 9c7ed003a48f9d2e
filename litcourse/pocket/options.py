"""What a batch script and a command line ask for, as sbatch 22.05 reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from litcourse.pocket.reading import values
from litcourse.pocket.reading.getopt import BeyondError, RefusedError, read_options
from litcourse.pocket.reading.option_tables import BEYOND, SAME, SBATCH, SBATCH_VARIABLES

_NO_SCRIPT = """\
sbatch: error: This does not look like a batch script.  The first
sbatch: error: line must start with #! followed by the path to an interpreter.
sbatch: error: For instance: #!/bin/sh"""
_DOS = """\
sbatch: error: Batch script contains DOS line breaks (\\r\\n)
sbatch: error: instead of expected UNIX line breaks (\\n)."""
_MAIL_TYPES = frozenset({
    "NONE", "BEGIN", "END", "FAIL", "REQUEUE", "ALL", "STAGE_OUT", "TIME_LIMIT", "TIME_LIMIT_90",
    "TIME_LIMIT_80", "TIME_LIMIT_50", "ARRAY_TASKS", "INVALID_DEPEND",
})  # fmt: skip
_GPU_BIND = re.compile(
    r"((v|verbose),)?(none|closest|(single|per_task):[1-9]\d*|(map_gpu|mask_gpu):[\da-fA-Fx,*]+)"
)
_NUMBERS = {
    "ntasks": 1, "ntasks-per-node": 1, "cpus-per-task": 1, "ntasks-per-gpu": 1, "cpus-per-gpu": 1,
    "ntasks-per-core": 1, "ntasks-per-socket": 1, "threads-per-core": 1,
}  # fmt: skip
"""Options whose value is a whole number, and the least that is accepted."""


@dataclass(frozen=True)
class CommandLine:
    """A command line of sbatch.

    Args:
        words: options, before the script.
        script: the script's text, None where there is no such file.
        name: the script's name; "" where the script comes from standard input or from `--wrap`.
        arguments: words behind the script's name.
        shell: environment of the submitting shell.
    """

    words: Sequence[str]
    script: str | None
    name: str = ""
    arguments: Sequence[str] = ()
    shell: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submitted:
    """What was asked for: options by long name, the last of each, and the script that will run."""

    options: Mapping[str, str]
    script: str
    name: str
    arguments: tuple[str, ...]
    shell: Mapping[str, str]

    @property
    def job_name(self) -> str:
        """The job's name: given, or that of the file."""
        if "job-name" in self.options:
            return self.options["job-name"]
        if "wrap" in self.options:
            return "wrap"
        return os.path.basename(self.name) or "sbatch"  # noqa: PTH119  (no file need be there)


@dataclass(frozen=True)
class Array:
    """The first task of an array, the one that is run."""

    job: int
    task: int
    count: int
    least: int
    most: int
    step: int


def read_array(text: str, job: int) -> Array:
    """The first task of `--array=0-3`, `1,5,7` or `0-8:2%4`.

    Raises:
        RefusedError: not in one of these forms.
    """
    tasks: list[int] = []
    step = 1
    for part in text.partition("%")[0].split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if not match:
            what = "Batch job submission failed: Invalid job array specification"
            raise RefusedError(f"sbatch: error: {what}")
        step = int(match[3] or 1)
        tasks += range(int(match[1]), int(match[2] or match[1]) + 1, max(1, step))
    return Array(job, min(tasks), len(set(tasks)), min(tasks), max(tasks), step)


def read_command_line(line: CommandLine) -> Submitted:
    """Read options of the command line, of the environment and of the script.

    Raises:
        RefusedError: sbatch refuses it before it asks the cluster.
        BeyondError: asks for something that the pocket does not emulate.
    """
    first = read_options(line.words, SBATCH)
    if first.rest:
        raise ValueError(f"the script comes after the options, not among them: {first.rest}")
    script = _script(line, dict(first.options))
    found: dict[str, str] = {}
    for options in (_of_script(script, line.name), _of_shell(line.shell), first.options):
        for name, value in options:
            known = SAME.get(name, name)
            found.pop(known, None)
            found[known] = value
            check_value(known, value)
            if known in {"requeue", "no-requeue"}:
                found.pop("no-requeue" if known == "requeue" else "requeue", None)
    _refuse_beyond(found)
    if "array" in found:
        read_array(found["array"], 0)
    return Submitted(found, script, line.name, tuple(line.arguments), dict(line.shell))


def _script(line: CommandLine, options: Mapping[str, str]) -> str:
    """The script's text, or what `--wrap` makes of a command."""
    if "wrap" in options:
        if line.name:
            raise RefusedError("sbatch: error: Script arguments not permitted with --wrap option")
        head = "#!/bin/sh\n\n# This script was created by sbatch --wrap.\n\n"
        return f"{head}{options['wrap']}\n"
    if line.script is None:
        raise RefusedError(f"sbatch: error: Unable to open file {line.name}")
    if not line.script:
        raise RefusedError("sbatch: error: Batch script is empty!")
    if not line.script.startswith("#!"):
        raise RefusedError(_NO_SCRIPT)
    if "\r\n" in line.script:
        raise RefusedError(_DOS)
    if "\0" in line.script:
        what = "The Slurm controller does not allow scripts that contain a NULL character '\\0'."
        raise RefusedError(f"sbatch: error: {what}")
    return line.script


def _of_script(script: str, name: str) -> list[tuple[str, str]]:
    found = read_options(directives(script, name), SBATCH)
    if found.rest:
        # Values are checked as options are read, before the words that are none.
        for option, value in found.options:
            check_value(SAME.get(option, option), value)
        what = f"Invalid directive found in batch script: {found.rest[0]}"
        raise RefusedError(f"sbatch: error: {what}", 255)
    return found.options


def _of_shell(shell: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(SBATCH_VARIABLES[name], shell[name]) for name in SBATCH_VARIABLES if name in shell]


# --- directives ----------------------------------------------------------------------------------


def directive_lines(script: str) -> dict[int, str]:
    """What follows `#SBATCH` in the lines that sbatch reads, by line number from 1.

    They end at the first line that is neither blank nor a comment.
    """
    found = {}
    for number, line in enumerate(script.split("\n"), 1):
        if line.startswith("#SBATCH"):
            found[number] = line.removeprefix("#SBATCH")
        elif line.strip() and not line.lstrip().startswith("#"):
            break
    return found


def directives(script: str, name: str = "") -> list[str]:
    """The words of all directives of a script.

    Raises:
        RefusedError: a colon where a word should begin.
    """
    found = []
    for number, text in directive_lines(script).items():
        if text.lstrip().startswith(":"):
            what = f"{name}: line {number}: Unexpected `:` in [{text}]"
            raise RefusedError(f"sbatch: fatal: {what}")
        found += split_directive(text)
    return found


def split_directive(text: str) -> list[str]:
    """Words of one directive: quotes keep blanks, `#` ends the line even inside a word."""
    found: list[str] = []
    word, quote, begun, escaped = "", "", False, False
    for character in text:
        if escaped:
            word, escaped = word + character, False
        elif character == "\\" and quote != "'":
            escaped = begun = True
        elif quote:
            word, quote = (word, "") if character == quote else (word + character, quote)
        elif character in "'\"":
            quote, begun = character, True
        elif character == "#":
            break
        elif character.isspace():
            found += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + character, True
    return [*found, word] if begun else found


# --- checks of single values ---------------------------------------------------------------------


def check_value(name: str, value: str) -> None:  # noqa: C901  (one branch a kind of value)
    """Refuse a value that sbatch itself refuses, before it asks the cluster.

    Raises:
        RefusedError: the value is none that the option may have.
    """
    if name in _NUMBERS:
        values.number(value, name, _NUMBERS[name])
    elif name == "nodes":
        values.node_range(value)
    elif name == "time":
        values.minutes(value)
    elif name in {"mem", "mem-per-cpu", "mem-per-gpu", "tmp"}:
        values.megabytes(value, name)
    elif name == "signal":
        values.warning(value)
    elif name == "gpu-bind" and not _GPU_BIND.fullmatch(value):
        raise RefusedError(f"sbatch: error: Invalid --gpu-bind argument: gpu:{value}", 255)
    elif name == "mail-type" and not set(value.upper().split(",")) <= _MAIL_TYPES:
        raise RefusedError("sbatch: error: Invalid --mail-type specification", 255)
    elif name == "open-mode" and value[:1] not in {"a", "t"}:
        raise RefusedError("sbatch: error: Invalid --open-mode specification", 255)


def _refuse_beyond(options: Mapping[str, str]) -> None:
    for name in options:
        if name in BEYOND:
            raise BeyondError(f"--{name}")
