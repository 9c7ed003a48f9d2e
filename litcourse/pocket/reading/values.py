"""Values of options, read as Slurm reads them: times, sizes, counts, GPUs, signals."""

from __future__ import annotations

import math
import re
import signal
from dataclasses import dataclass

from litcourse.pocket.reading.getopt import RefusedError

UNLIMITED = 10**9
"""Minutes of a job without a time limit, or with `--time=0`."""
DEFAULT_WARNING = 60
MOST_WARNING = 65535
_LEAST_FIELDS = {(0, 1): 2, (0, 2): 3, (1, 1): 3, (1, 2): 4}
"""Numbers that a time needs, by its dashes and colons."""
_UNITS = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024**2}


@dataclass(frozen=True)
class Notice:
    """What `--signal` asks for."""

    number: int
    seconds: int
    """How long before the limit."""
    batch_only: bool
    """Whether the batch shell gets it, in place of the steps."""


@dataclass(frozen=True)
class Gpus:
    """A number of GPUs, and the type if one is given."""

    number: int
    kind: str = ""


def minutes(text: str, command: str = "sbatch") -> int:
    """A time limit in minutes; seconds are rounded up.

    Raises:
        RefusedError: no time in one of Slurm's forms (`M`, `M:S`, `H:M:S`, `D-H`, `D-H:M`,
            `D-H:M:S`).
    """
    if text.upper() in {"UNLIMITED", "INFINITE", "-1"}:
        return UNLIMITED
    if not _is_time(text):
        raise RefusedError(f"{command}: error: Invalid --time specification", 255)
    days, dash, clock = text.rpartition("-")
    numbers = [int(number or 0) for number in clock.split(":")]
    if dash:
        hours, mins, secs = [*numbers, 0, 0][:3]
    elif len(numbers) == 3:  # noqa: PLR2004  (hours, minutes, seconds)
        hours, mins, secs = numbers
    else:
        hours, (mins, secs) = 0, [*numbers, 0][:2]
    seconds = int(days or 0) * 86400 + hours * 3600 + mins * 60 + secs
    return math.ceil(seconds / 60) or UNLIMITED


def _is_time(text: str) -> bool:
    if not re.fullmatch(r"[\d:]*\d[\d:]*|[\d]*-[\d:]*", text) or not re.search(r"\d", text):
        return False
    dashes, colons, digits = text.count("-"), text.count(":"), len(re.findall(r"\d+", text))
    return colons <= 2 and digits >= _LEAST_FIELDS.get((dashes, colons), 1)  # noqa: PLR2004


def megabytes(text: str, option: str, command: str = "sbatch") -> int:
    """A size in MB, rounded up.

    Raises:
        RefusedError: no whole number with a unit K, M, G or T, or none.
    """
    match = re.fullmatch(r"(\d+)(?:([KMGT])B?)?", text, re.IGNORECASE)
    if not match:
        raise RefusedError(f"{command}: error: Invalid --{option} specification", 255)
    return math.ceil(int(match[1]) * _UNITS[(match[2] or "").upper()])


def number(text: str, option: str, least: int = 1, command: str = "sbatch") -> int:
    """A whole number.

    Raises:
        RefusedError: none, or below `least`.
    """
    if not re.fullmatch(r"\s*\+?\d+", text) or int(text) < least:
        raise RefusedError(f'{command}: error: Invalid numeric value "{text}" for --{option}.')
    return int(text)


def node_range(text: str, command: str = "sbatch") -> tuple[int, int]:
    """Fewest and most nodes.

    Raises:
        RefusedError: no number and no range.
    """
    match = re.fullmatch(r"\s*(\d+)([km]?)(?:-(\d+)([km]?))?", text, re.IGNORECASE)
    if not match:
        raise RefusedError(f'{command}: error: "{text}" is not a valid node count', 255)
    scale = {"": 1, "k": 1024, "m": 1024**2}
    least = int(match[1]) * scale[match[2].lower()]
    most = int(match[3]) * scale[match[4].lower()] if match[3] else least
    if most < least:
        what = f"Maximum node count {most} is less than minimum node count {least}"
        raise RefusedError(f"{command}: error: {what}", 255)
    return least, most


def warning(text: str, command: str = "sbatch") -> Notice:
    """What `[{R|B}:]SIGNAL[@SECONDS]` asks for.

    Raises:
        RefusedError: no such signal, or not in this form.
    """
    match = re.fullmatch(r"(?:([RB]+):)?(\w+?)(?:@(\d*))?", text)
    if match:
        name, seconds = match[2].upper().removeprefix("SIG"), int(match[3] or DEFAULT_WARNING)
        known = signal_number(name)
        if known and seconds <= MOST_WARNING:
            return Notice(known, seconds, "B" in (match[1] or ""))
    raise RefusedError(f"{command}: error: Invalid --signal specification", 255)


def signal_number(name: str) -> int:
    """The number of a signal that is given by name, with or without SIG, or by number; else 0."""
    if name.isdigit():
        return int(name)
    found = getattr(signal, "SIG" + name.upper().removeprefix("SIG"), 0)
    return int(found) if isinstance(found, int) else 0


def gpus(text: str, command: str = "sbatch") -> Gpus:
    """The GPUs of `--gpus` and its kin: `[TYPE:]N`, several joined by commas.

    Raises:
        RefusedError: some with a type and some without.
    """
    return _sum([_gpu_item(part.split(":"), command) for part in text.split(",")], command)


def gres(text: str, command: str = "sbatch") -> Gpus:
    """The GPUs of `--gres=gpu[:TYPE][:N]`.

    Raises:
        RefusedError: another resource, or not in this form.
    """
    if text.upper() == "NONE":
        return Gpus(0)
    found = []
    for part in text.split(","):
        name, *words = part.removeprefix("gres:").split(":")
        if name != "gpu":
            raise _no_gres(command)
        found.append(_gpu_item(words, command))
    return _sum(found, command)


def _gpu_item(words: list[str], command: str) -> Gpus:
    count = 1
    if words and words[-1].isdigit():
        count = int(words.pop())
    elif len(words) > 1:
        raise _no_gres(command)
    if len(words) > 1:
        raise _no_gres(command)
    return Gpus(count, words[0] if words else "")


def _sum(found: list[Gpus], command: str) -> Gpus:
    kinds = {item.kind for item in found}
    if "" in kinds and len(kinds) > 1:
        what = "Invalid GRES specification (with and without type identification)"
        raise RefusedError(f"{command}: error: {what}")
    return Gpus(found[-1].number, found[-1].kind)


def _no_gres(command: str) -> RefusedError:
    return RefusedError(f"{command}: error: Invalid generic resource (gres) specification")
