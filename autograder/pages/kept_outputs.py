"""What demonstrations showed when the solved notebooks ran, kept beside this module.

`kept/<lab>/outputs.json` has, for each code cell that showed something, its texts and the names of
its pictures, which lie beside it. A digest of the notebook's code tells whether they are of now.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypedDict

from nbformat import NotebookNode

from autograder.bank import without_markers
from autograder.course import CHECK, AuthorError, Lab, grade_id

KEPT = Path(__file__).parent / "kept"
NEXT_STEP = "make site-outputs"
CELL_SECONDS = 600
"""Seconds that one cell may take."""
_COLOURS = 64
"""Of a kept picture: line drawings lose nothing by it, and become a third as large."""
_STANDS_ON_ANSWERS = {"raises-exception"}
"""Tag of a demonstration that fails as long as a question is unanswered."""
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Shown(TypedDict, total=False):
    """One output of a cell: a text, or the name of a picture's file."""

    text: str
    picture: str


class KeptOutputs(TypedDict):
    """All outputs of a lab, by cell id, and the digest of the code that made them."""

    digest: str
    cells: dict[str, list[Shown]]


def digest_of(sources: Iterable[str]) -> str:
    """SHA-256 of the sources of cells."""
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def solved_notebook(lab: Lab) -> NotebookNode:
    """The lab's notebook with its solutions, without check cells and pictures of its text."""
    notebook = NotebookNode(lab.notebook)
    cells = [NotebookNode(cell) for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [cell for cell in cells if not grade_id(cell).endswith(CHECK)]
    for cell in notebook.cells:
        cell.source, cell.outputs = without_markers(cell.source), []
    return notebook


def code_digest(lab: Lab) -> str:
    """The digest of all code of the solved notebook."""
    return digest_of(cell.source for cell in solved_notebook(lab).cells)


def read_outputs(lab: Lab) -> KeptOutputs:
    """The kept outputs of a lab.

    Raises:
        AuthorError: there are none.
    """
    path = KEPT / lab.id / "outputs.json"
    if not path.is_file():
        raise AuthorError(path, "", "no outputs of this lab are kept", NEXT_STEP)
    kept: KeptOutputs = json.loads(path.read_text(encoding="utf-8"))
    return kept


def printed_by_given_cells(lab: Lab) -> Iterator[str]:
    """What cells print that stand on no answer: a student's own notebook prints it, too."""
    kept = read_outputs(lab)["cells"]
    for cell in lab.notebook.cells:
        if grade_id(cell) not in lab.questions and not _STANDS_ON_ANSWERS & set(_tags(cell)):
            yield from (shown["text"] for shown in kept.get(cell.id, []) if "text" in shown)


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def is_stale(lab: Lab) -> bool:
    """Whether the notebook's code has changed since its outputs were kept, or none are."""
    try:
        return read_outputs(lab)["digest"] != code_digest(lab)
    except AuthorError:
        return True


def remake_outputs(lab: Lab) -> None:
    """Run the solved notebook from top to bottom in a kernel of its own, and keep what it shows.

    Raises:
        AuthorError: a cell raises.
    """
    notebook, pictures = _executed(lab), {}
    cells: dict[str, list[Shown]] = {}
    for cell in notebook.cells:
        shown: list[Shown] = []
        for output in cell.outputs:
            _refuse_error(lab, cell, output)
            if "image/png" in (output.get("data") or {}):
                name = f"{cell.id}-{len(shown) + 1}.png"
                pictures[name] = _small(base64.b64decode(output["data"]["image/png"]))
                shown.append({"picture": name})
            else:
                _append_text(shown, _text(output))
        if shown:
            cells[cell.id] = shown
    folder = KEPT / lab.id
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
    kept: KeptOutputs = {"digest": code_digest(lab), "cells": cells}
    write_json(folder / "outputs.json", kept)


def write_json(path: Path, content: object) -> None:
    """Write data so that a change of one output changes few lines."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _executed(lab: Lab) -> NotebookNode:
    from nbclient import NotebookClient

    notebook, work = solved_notebook(lab), tempfile.mkdtemp(prefix="pages-")
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": work}},
    )
    try:
        client.execute()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for cell in notebook.cells:  # a folder of this run says nothing to a reader
        cell.outputs = [_without(output, f"{work}/") for output in cell.outputs]
    return notebook


def _without(output: NotebookNode, word: str) -> NotebookNode:
    if "text" in output:
        output["text"] = output["text"].replace(word, "")
    return output


def _refuse_error(lab: Lab, cell: NotebookNode, output: NotebookNode) -> None:
    if output.output_type == "error":
        fault = f"its cell {cell.id!r} raises {output.ename}: {output.evalue}"
        raise AuthorError(lab.path, "", fault, f"mend the cell, then: {NEXT_STEP}")


def _text(output: NotebookNode) -> str:
    data = output.get("data") or {}
    return _ANSI.sub("", str(output.get("text") or data.get("text/plain", ""))).rstrip()


def _append_text(shown: list[Shown], text: str) -> None:
    """Add a text; one that follows another one belongs to it."""
    if not text:
        return
    if shown and "text" in shown[-1]:
        shown[-1]["text"] += f"\n{text}"
    else:
        shown.append({"text": text})


def _small(picture: bytes) -> bytes:
    from PIL import Image

    small = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(_COLOURS).save(small, format="png", optimize=True)
    return min(picture, small.getvalue(), key=len)
