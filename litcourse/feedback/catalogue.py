"""Reads the catalogue of findings, `findings/*.toml`, for cards, `explain` and the command line."""

from __future__ import annotations

import os
import textwrap
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import overload

from litcourse.core.names import UnknownNameError

SITE = "LITCOURSE_SITE"
"""Environment variable with the address of the course's web site."""


@dataclass(frozen=True)
class Entry:
    """The catalogue's entry for a finding.

    Args:
        code: stable code, e.g. "LIT004".
        title: what happened, in one line.
        why: meaning and cause, a paragraph.
        fix: what to do.
        read: where to read on; may be empty.
    """

    code: str
    title: str
    why: str
    fix: str
    read: str = ""

    def __str__(self) -> str:
        """The entry as text of at most 79 columns, an address as it is."""
        body = (self.why, "What to do: " + self.fix, self.read and "Read on: " + self.read)
        parts = [textwrap.fill(part.strip(), 79) for part in body if part]
        parts += [f"On the web: {self.address}"] if self.address else []
        return "\n\n".join([f"{self.code}  {self.title}", *parts])

    __repr__ = __str__

    @property
    def address(self) -> str:
        """Its place on the course's web site, if `$LITCOURSE_SITE` names that; else ""."""
        site = os.environ.get(SITE, "").rstrip("/")
        return f"{site}/findings.html#{self.code.lower()}" if site.startswith("http") else ""

    def _repr_html_(self) -> str:
        read = f"<p>Read on: {escape(self.read)}</p>" if self.read else ""
        if self.address:
            read += f'<p><a href="{escape(self.address)}">On the web</a></p>'
        return (
            f"<h4>{self.code} · {escape(self.title)}</h4><p>{escape(self.why)}</p>"
            f"<p><b>What to do.</b> {escape(self.fix)}</p>{read}"
        )


@cache
def catalogue() -> dict[str, Entry]:
    """All entries by code, in the order of codes.

    Raises:
        ValueError: two files have an entry of the same code.
    """
    found: dict[str, Entry] = {}
    for file in files("litcourse.feedback").joinpath("findings").iterdir():
        for code, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if code in found:
                raise ValueError(f"{file.name}: there is another finding {code}.")
            found[code] = Entry(code, **entry)
    return {code: found[code] for code in sorted(found, key=_number)}


def shown_entry(code: str) -> Entry:
    """The entry for a card; a placeholder for an unknown code, so that the card still appears."""
    why = (
        "The course has no text for this finding. That is a fault of the course, not of your code."
    )
    unknown = Entry(code, "A finding without a text", why, "Tell your instructor its code.")
    return catalogue().get(code, unknown)


def _number(code: str) -> int:
    return int(code.removeprefix("LIT"))


_seen: dict[str, Entry] = {}


def note_codes(codes: Iterable[str]) -> None:
    """Remember findings that came up in this kernel, for `explain()`."""
    _seen.update({code: shown_entry(code) for code in codes})


class Entries:
    """Several entries, as a list of their titles."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)

    def __repr__(self) -> str:
        """A line for each entry."""
        lines = [f"{entry.code}  {entry.title}" for entry in self.entries]
        more = f'More: explain("{self.entries[-1].code}")' if self.entries else ""
        return (
            "\n".join([*lines, more]) if lines else "No finding has come up in this kernel so far."
        )


@overload
def explain(code: str | int) -> Entry: ...
@overload
def explain() -> Entries: ...
def explain(code: str | int | None = None) -> Entry | Entries:
    """What the finding `code` means and what to do about it.

    Args:
        code: such as "LIT102"; its number alone, 102 or "102", will do. Without one: a list of the
            findings that came up in this kernel.

    Raises:
        UnknownNameError: there is no such code; the message lists the nearest ones.
    """
    if code is None:
        return Entries(_seen.values())
    known = catalogue()
    name = str(code).upper()
    if name.isdecimal():
        name = f"LIT{name:0>3}"
    if name not in known:
        raise UnknownNameError("finding", str(code), known)
    return known[name]
