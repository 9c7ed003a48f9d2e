"""Pieces of MyST: fences, directives, links; and the parts of a notebook's Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from markdown_it.token import Token

HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$")
_DETAILS = re.compile(
    r"^<details><summary>(.*?)</summary>\s*?\n(.*?)</details>\s*?$", re.MULTILINE | re.DOTALL
)
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")
_LINK = re.compile(r"(!?)\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]+)\)")


@cache
def parser() -> MarkdownIt:
    """Reads CommonMark with tables, as notebooks have it."""
    return MarkdownIt("commonmark").enable("table")


def fence(code: str, language: str) -> str:
    """A block of code; its fence is longer than any in the code."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{code.rstrip()}\n{marks}"


def directive(name: str, body: str, title: str = "", classes: str = "") -> str:
    """A directive around `body`; its fence is longer than those inside."""
    longest = max((len(run) for run in re.findall(r"^:{3,}", body, re.MULTILINE)), default=2)
    marks = ":" * (longest + 1)
    option = f":class: {classes}\n" if classes else ""
    head = f"{marks}{{{name}}} {title}".rstrip()
    return f"{head}\n{option}\n{body.strip()}\n{marks}"


def dropdown(title: str, body: str, classes: str = "") -> str:
    """A box that opens on a click; without JavaScript, and in print, it is open."""
    if title == "Hint":
        return directive("hint", body, classes="dropdown")
    return directive("admonition", body, title, f"{classes} dropdown".strip())


def target(name: str) -> str:
    """A label for what follows, to which `[text](#name)` leads."""
    return f"({name})="


def escape(text: str) -> str:
    """A plain text, so that nothing in it is read as Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def with_dropdowns(text: str) -> str:
    """The text with `<details>` as dropdowns."""
    return _DETAILS.sub(lambda found: dropdown(found[1].strip(), found[2]), text)


def with_links(text: str, pages: Mapping[str, str], picture: Callable[[str], str]) -> str:
    """The text of a document with links that lead somewhere on the site, or nowhere.

    Args:
        text: Markdown.
        pages: where a relative link leads to on the site, by the file that it names.
        picture: the place on the site of a picture, by its relative path.
    """

    def change(found: re.Match[str]) -> str:
        mark, label, goal = found.groups()
        name, _, _ = goal.partition("#")
        if "://" in goal:
            return found[0]
        if mark:
            return f"![{label}]({picture(goal)})"
        if name in pages:
            return f"[{label}]({pages[name]})"
        return label  # a file of the repository, or a heading of this page

    return _LINK.sub(change, text)


# --- reading ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Section:
    """A heading with its text, up to the next heading of any level.

    Args:
        level: 1 for the title; 0 for what stands before any heading.
        title: the heading, as Markdown.
        body: its text.
    """

    level: int
    title: str
    body: str


def sections(text: str) -> list[Section]:
    """The parts of a text between headings."""
    lines = text.splitlines()
    found, start = [(0, "", 0, 0)], 0
    for token in parser().parse(text):
        if token.type == "heading_open" and token.level == 0 and token.map:
            first, start = token.map
            heading = HEADING.match(lines[first])
            title = heading[2] if heading else lines[first]
            found.append((int(token.tag[1]), title, first, start))
    ends = [first for _, _, first, _ in found[1:]] + [len(lines)]
    return [
        Section(level, title, "\n".join(lines[start:end]).strip())
        for (level, title, _, start), end in zip(found, ends, strict=True)
    ]


def headings(text: str) -> list[tuple[int, str]]:
    """Levels and titles of all headings of a text."""
    return [(part.level, part.title) for part in sections(text) if part.level]


@dataclass(frozen=True)
class Table:
    """A table: its source, and its cells row by row, the head first."""

    source: str
    rows: tuple[tuple[str, ...], ...]


def tables(text: str) -> list[Table]:
    """The tables of a text."""
    lines, found = text.splitlines(), []
    tokens = parser().parse(text)
    for place, token in enumerate(tokens):
        if token.type == "table_open" and token.map:
            first, end = token.map
            found.append(Table("\n".join(lines[first:end]), _rows(tokens[place:])))
    return found


def _rows(tokens: list[Token]) -> tuple[tuple[str, ...], ...]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            rows[-1].append(token.content)
    return tuple(tuple(row) for row in rows)


def bold_terms(text: str) -> dict[str, str]:
    """What stands in bold, outside of tables, with its first paragraph or list item."""
    found: dict[str, str] = {}
    tables_around = 0
    for token in parser().parse(text):
        tables_around += token.nesting if token.type.startswith("table_") else 0
        shown = token.content if token.type == "inline" and not tables_around else ""
        for word in re.findall(r"\*\*(.+?)\*\*", shown):
            found.setdefault(word.replace("`", ""), " ".join(token.content.split()))
    return found
