"""Changes of a job script for sbatch, line by line.

An operator takes the lines of the script and gives pairs of a line's number and what stands there
instead. `OPERATORS` names them with an example each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

Lines = Sequence[str]
LineOperator = Callable[[Lines], Iterator[list[str]]]
_DIRECTIVE = "#SBATCH"
_MORE_DIRECTIVES = (
    "--exclusive", "--gpus-per-task=1", "--gpus=1", "--ntasks=1", "--ntasks=8", "--nodes=4",
    "--mem=1G", "--mem-per-cpu=100M", "--time=00:01:00", "--cpus-per-task=1", "--export=NONE",
    "--job-name=bash", "--signal=USR1@10", "--no-requeue", "--gres=gpu:1", "--gpu-bind=single:1",
    "--array=0-1", "--chdir=/", "--output=/dev/null", "--hold", "--begin=tomorrow",
)  # fmt: skip
_MORE_COMMANDS = (
    "unset SRUN_CPUS_PER_TASK", "export CUDA_VISIBLE_DEVICES=0", "export SLURM_NTASKS=1",
    "export MASTER_ADDR=localhost", "export SLURM_JOB_NAME=bash", "exit 0", "rm -rf runs",
    "cd /", "trap '' USR1", "unset SLURM_NTASKS", "trap 'exit 0' EXIT", "cd",
)  # fmt: skip
_LAST_COMMANDS = (
    "exit 0", "date", "wait", "rm -rf runs", "scancel $SLURM_JOB_ID",
    "scontrol requeue $SLURM_JOB_ID", "exit $?",
)  # fmt: skip


def _one(lines: Lines, number: int, *others: str) -> list[str]:
    return [*lines[:number], *others, *lines[number + 1 :]]


def _numbered(lines: Lines) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines):
        if line.strip() and not re.match(r"#(?!SBATCH|!)", line):
            yield number, line


def dropped_lines(lines: Lines) -> Iterator[list[str]]:
    """A line less."""
    for number, _ in _numbered(lines):
        yield _one(lines, number)


def changed_numbers(lines: Lines) -> Iterator[list[str]]:
    """A number one higher, doubled, halved, or nought."""
    for number, line in _numbered(lines):
        for found in re.finditer(r"\d+", line):
            value, width = int(found[0]), len(found[0])
            for other in dict.fromkeys([value + 1, value * 2, value // 2, 0]):
                if other != value:
                    text = str(other).rjust(width, "0")
                    yield _one(lines, number, line[: found.start()] + text + line[found.end() :])


def late_directives(lines: Lines) -> Iterator[list[str]]:
    """A directive below the first command, or behind a letter that makes a comment of it."""
    for number, line in _numbered(lines):
        if line.startswith(_DIRECTIVE):
            yield [*_one(lines, number), line]
            yield _one(lines, number, f"#{line}")
            yield _one(lines, number, line.replace(_DIRECTIVE, "# SBATCH"))


def dropped_words(lines: Lines) -> Iterator[list[str]]:
    """A word of a command less, or an option with its value; an option of another reach."""
    for number, line in _numbered(lines):
        words = line.split(" ")
        for place, word in enumerate(words if line[0] != "#" else ()):
            yield _one(lines, number, " ".join([*words[:place], *words[place + 1 :]]))
            if word.startswith("--") and "=" not in word:
                yield _one(lines, number, " ".join([*words[:place], *words[place + 2 :]]))
        if "-per-node" in line or "-per-task" in line:
            yield _one(lines, number, line.replace("-per-node", "").replace("-per-task", ""))
            swapped = line.replace("-per-node", "-per-TASK").replace("-per-task", "-per-node")
            yield _one(lines, number, swapped.replace("-per-TASK", "-per-task"))


def changed_commands(lines: Lines) -> Iterator[list[str]]:
    """A command in the background, twice, whose failure is hidden, with other variables."""
    for number, line in _numbered(lines):
        if line.startswith("#"):
            continue
        around = ("{} &", "{} || true", "{}; echo done", "exec {}", "{} | tee a.log", "( {} )")
        for text in (form.format(line) for form in around):
            yield _one(lines, number, text)
        yield _one(lines, number, line, line)
        for found in re.finditer(r"\"?\$\{?(\w+)\}?\"?", line):
            for other in ("1", "2", "", "$SLURM_PROCID", "$SLURM_NTASKS", "$SLURM_JOB_NAME"):
                yield _one(lines, number, line[: found.start()] + other + line[found.end() :])


def added_lines(lines: Lines) -> Iterator[list[str]]:
    """A directive more, or a command before or behind the others."""
    first = next((n for n, line in enumerate(lines) if line and line[0] != "#"), len(lines))
    for option in _MORE_DIRECTIVES:
        yield [lines[0], f"{_DIRECTIVE} {option}", *lines[1:]]
        yield [*lines[:first], f"{_DIRECTIVE} {option}", *lines[first:]]
    for command in _MORE_COMMANDS:
        yield [*lines[:first], command, *lines[first:]]
    for command in _LAST_COMMANDS:
        yield [*lines, command]


OPERATORS: dict[str, tuple[LineOperator, str, str]] = {
    "line dropped": (dropped_lines, "a\nb", "a"),
    "number in a line": (changed_numbers, "a 4", "a 8"),
    "late directive": (late_directives, "#SBATCH -n 2\nsrun a", "srun a\n#SBATCH -n 2"),
    "word dropped": (dropped_words, "srun a --b 1", "srun a"),
    "command": (changed_commands, "srun a", "srun a &"),
    "line added": (added_lines, "#!/bin/sh\nsrun a", "#!/bin/sh\ncd /\nsrun a"),
}
