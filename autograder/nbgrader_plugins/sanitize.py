r"""Removes from a graded notebook what could run in a reader's browser.

The formgrader and the feedback render `autograded/` by nbconvert 7.17, which prints HTML as it is
written. In the formgrader a script would run with the instructor's rights: it could set all points.

Texts are not escaped, as that would show in formulas and in code. A space goes where the browser,
Markdown or MathJax would begin to read more than text: `< script>`, `\ href`, `[a] (b)`. That reads
well everywhere, and a second run changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Collection, Mapping
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.course import grade_id
from autograder.nbgrader_plugins.submission_metadata import KEY
from litcourse.core.serialization import writable

_SHOWN = ("image/png", "image/jpeg")
"""Kinds of pictures that nbconvert shows among outputs."""
_ATTACHED = (*_SHOWN, "image/gif")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
"""Names of attachments that Markdown and URLs leave as they are."""
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Control characters: browsers drop some of them, which joins the texts on both sides."""
# MathJax commands that link, load, style, or call others by a name that is put together.
_COMMANDS = "href|url|require|class|cssId|style|data|bbox|mmlToken|includegraphics|csname|html"
_MARKUP = (
    re.compile(r"<(?=[A-Za-z/!?])"),  # a tag, a comment, <https://...>
    re.compile(r"&(?=[A-Za-z#])"),  # an entity: Markdown turns it into any character
    re.compile(rf"\\(?={_COMMANDS})"),
    re.compile(r"\](?=:)"),  # [name]: address
)
_MERMAID = re.compile(r"([`~]{3}[^\S\n]*)(?=mermaid)")
"""The language of a diagram, which nbconvert prints unescaped and scripts would draw."""
_LINKED = r"https?://|[\w./-]+\.(?:png|jpe?g|gif)[)\s]"
"""Targets that a link may have. Not other files: a submitted page would run when it opens."""


def sanitize(notebook: NotebookNode, unsolved: NotebookNode, head: str = "") -> None:
    """Change `notebook` in place, until nothing in it can run where it is shown.

    Args:
        notebook: an executed submission, with our `SubmissionMetadata`.
        unsolved: the lab as students got it; its texts are ours and stay.
        head: source of the first text cell if `grade` added it, else "".
    """
    named = {grade_id(cell): cell for cell in unsolved.cells if grade_id(cell)}
    texts = {cell.source: cell for cell in unsolved.cells if cell.cell_type == "markdown"}
    known = notebook.metadata[KEY]
    notebook.metadata = copy.deepcopy(unsolved.metadata)
    notebook.metadata[KEY] = known
    for index, cell in enumerate(notebook.cells):
        _set_metadata(cell, named.get(grade_id(cell)))
        if cell.cell_type == "code":
            cell.execution_count = _count(cell)
            cell.outputs = _outputs(cell)
        elif cell.cell_type == "markdown" and cell.source in texts:
            _set_attachments(cell, texts[cell.source].get("attachments", {}))
        elif index > 0 or cell.source != head:
            _set_attachments(cell, _pictures(cell.get("attachments")))
            cell.source = sanitize_text(cell.source, cell.get("attachments", {}))


def sanitize_text(text: str, attached: Collection[str] = ()) -> str:
    """The Markdown `text`, with spaces in front of all but text, formulas and pictures.

    Args:
        text: the source of a text cell.
        attached: names of its attachments.
    """
    text = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    for begins in _MARKUP:
        text = begins.sub(lambda found: f"{found[0]} ", text)
    names = "|".join(re.escape(name) for name in attached)
    linked = rf"{_LINKED}|attachment:(?:{names})[)\s]" if names else _LINKED
    text = re.sub(rf"\]\((?!{linked})", "] (", text)
    return _MERMAID.sub(r"\1text ", text)


def _set_metadata(cell: NotebookNode, own: NotebookNode | None) -> None:
    """Give the cell the lab's metadata, or none: nbgrader's templates print some unescaped."""
    skipped = cell.metadata.get(KEY, {}).get("skip")
    cell.metadata = NotebookNode() if own is None else copy.deepcopy(own.metadata)
    if skipped:
        cell.metadata[KEY] = {"skip": True}


def _set_attachments(cell: NotebookNode, attachments: Mapping[str, Any]) -> None:
    cell.pop("attachments", None)
    if attachments:
        cell["attachments"] = copy.deepcopy(attachments)


def _pictures(found: object) -> dict[str, dict[str, str]]:
    """The attachments of a text cell that are pictures and nothing else."""
    files = found.items() if isinstance(found, Mapping) else ()
    kept = {name: _bundle(kinds, _ATTACHED) for name, kinds in files if _NAME.fullmatch(name)}
    return {name: kinds for name, kinds in kept.items() if kinds}


def _outputs(cell: NotebookNode) -> list[NotebookNode]:
    made = (_output(found, cell.execution_count) for found in cell.outputs)
    return [nbformat.from_dict(output) for output in made if output]


def _output(found: Mapping[str, Any], count: int | None) -> dict[str, Any]:
    """An output, rebuilt from the parts that may stay; empty if none may."""
    kind = found.get("output_type")
    if kind == "stream":
        name = "stderr" if found.get("name") == "stderr" else "stdout"
        return {"output_type": kind, "name": name, "text": _text(found.get("text", ""))}
    if kind == "error":
        lines = found.get("traceback")
        named = {key: _text(found.get(key, "")) for key in ("ename", "evalue")}
        traceback = [_text(line) for line in lines] if isinstance(lines, list) else []
        return {"output_type": kind, **named, "traceback": traceback}
    data = _data(found.get("data"))
    if not data:
        return {}
    made: dict[str, Any] = {"output_type": "display_data", "data": data, "metadata": {}}
    if kind == "execute_result":
        made |= {"output_type": kind, "execution_count": count}
    return made


def _data(found: object) -> dict[str, str]:
    kept = _bundle(found, _SHOWN)
    if isinstance(found, Mapping) and "text/plain" in found:
        kept["text/plain"] = _text(found["text/plain"])
    return kept


def _bundle(found: object, kinds: Collection[str]) -> dict[str, str]:
    """The pictures of a bundle of data; other bytes could become HTML of the page."""
    if not isinstance(found, Mapping):
        return {}
    pictures = {kind: _base64(found[kind]) for kind in kinds if kind in found}
    return {kind: data for kind, data in pictures.items() if data}


def _base64(data: object) -> str:
    text = "".join(_text(data).split())
    try:
        base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return ""
    return text


def _count(cell: NotebookNode) -> int | None:
    count = cell.get("execution_count")
    return count if isinstance(count, int) else None


def _text(found: object) -> str:
    return writable("".join(map(str, found)) if isinstance(found, list) else str(found))
