"""GNU's getopt_long, as Slurm's commands use it: which options there are in a list of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class RefusedError(Exception):
    """A command of Slurm's says no.

    Args:
        text: what it prints to standard error, without the last newline.
        code: its exit code.
    """

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.text, self.code = text, code


class BeyondError(Exception):
    """Something that a cluster would accept and the pocket does not emulate."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the pocket does not emulate {what}; on a cluster it would be accepted")


@dataclass(frozen=True)
class Table:
    """Options of a command.

    Args:
        command: its name, for its error messages.
        names: long options in the command's own order; a name ends in `=` if it needs a value and
            in `?` if it may have one.
        shorts: the long option that a letter stands for.
    """

    command: str
    names: str
    shorts: Mapping[str, str]

    def kinds(self) -> dict[str, str]:
        """By long option "=", "?" or ""."""
        words = self.names.split()
        return {w.rstrip("=?"): w[-1] if w[-1] in "=?" else "" for w in words}


class Found(NamedTuple):
    """Options in the order of the command line, and the words behind them."""

    options: list[tuple[str, str]]
    rest: list[str]


def read_options(words: Sequence[str], table: Table) -> Found:
    """Read options up to the first word that is none.

    Raises:
        RefusedError: unknown, ambiguous, or without a value that it needs.
    """
    kinds, left = table.kinds(), list(words)
    found: list[tuple[str, str]] = []
    while left:
        word = left[0]
        if word == "--":
            return Found(found, left[1:])
        if word == "-" or not word.startswith("-"):
            break
        left.pop(0)
        if word.startswith("--"):
            found.append(_long(word, left, kinds, table))
        else:
            found += _short(word[1:], left, kinds, table)
    return Found(found, left)


def _long(word: str, left: list[str], kinds: Mapping[str, str], table: Table) -> tuple[str, str]:
    name, equals, value = word[2:].partition("=")
    matches = [name] if name in kinds else [known for known in kinds if known.startswith(name)]
    if not matches:
        raise _wrong(table, f"unrecognized option '{word}'")
    if len(matches) > 1:
        names = " ".join(f"'--{match}'" for match in matches)
        raise _wrong(table, f"option '{word}' is ambiguous; possibilities: {names}")
    name = matches[0]
    if kinds[name] == "" and equals:
        raise _wrong(table, f"option '--{name}' doesn't allow an argument")
    if kinds[name] == "=" and not equals:
        if not left:
            raise _wrong(table, f"option '--{name}' requires an argument")
        value = left.pop(0)
    return name, value


def _short(
    letters: str, left: list[str], kinds: Mapping[str, str], table: Table
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for index, letter in enumerate(letters):
        name = table.shorts.get(letter)
        if name is None:
            raise _wrong(table, f"invalid option -- '{letter}'")
        rest = letters[index + 1 :]
        if kinds[name] == "=":
            if not rest and not left:
                raise _wrong(table, f"option requires an argument -- '{letter}'")
            return [*found, (name, rest or left.pop(0))]
        found.append((name, rest if kinds[name] == "?" else ""))
        if kinds[name] == "?" and rest:
            break
    return found


def _wrong(table: Table, what: str) -> RefusedError:
    name = table.command
    return RefusedError(f'{name}: {what}\nTry "{name} --help" for more information', 255)
