"""Every finding of the catalogue as a section of one page: `findings.html#lit102`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files

from autograder.pages.myst_text import escape, target
from litcourse.feedback.catalogue import Entry, catalogue

_HEAD = """# Findings

What a check may say, each with what it means and what to do. In a notebook `explain("LIT102")`, in
a shell `litcourse explain LIT102`, tell the same.
"""


def findings_page() -> str:
    """The page, its parts in the order of codes."""
    parts = [_HEAD]
    for title, codes in groups().items():
        parts.append(f"## {title}")
        parts += (section(catalogue()[code]) for code in codes)
    return "\n\n".join(parts) + "\n"


def groups() -> dict[str, list[str]]:
    """The codes of each file of the catalogue, by what the file's first comment says of it."""
    found = {}
    for file in sorted(files("litcourse.feedback").joinpath("findings").iterdir(), key=str):
        text = file.read_text(encoding="utf-8")
        codes = sorted(tomllib.loads(text), key=lambda code: int(code.removeprefix("LIT")))
        found[_title(file.name, text)] = codes
    return dict(sorted(found.items(), key=lambda pair: int(pair[1][0].removeprefix("LIT"))))


def _title(name: str, text: str) -> str:
    """A name for a file of the catalogue: the first sentence of its comment."""
    comment = text.partition("\n")[0].lstrip("# ").partition(".")[0].partition(",")[0]
    return comment or name


def section(entry: Entry) -> str:
    """A finding, with its anchor."""
    return "\n\n".join(_parts(entry))


def _parts(entry: Entry) -> Iterator[str]:
    yield target(entry.code.lower())
    yield f"### {entry.code} · {escape(entry.title)}"
    yield escape(entry.why)
    yield f"**What to do.** {escape(entry.fix)}"
    if entry.read:
        yield f"Read on: {escape(entry.read)}"
