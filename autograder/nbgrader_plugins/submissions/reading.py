"""Reads any submission into a notebook that the later steps can rely on."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import stat
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, v4
from nbformat.corpus.words import generate_corpus_id as random_cell_id

from autograder.nbgrader_plugins.submission_metadata import SubmissionMetadata
from autograder.nbgrader_plugins.submissions import wrong_notebook
from litcourse.core.serialization import writable

MAX_BYTES = 50 * 2**20
"""Limit of a notebook's size: outputs are dropped anyway, and text needs far less."""
MAX_CELLS = 2000
"""Limit of a notebook's cells: the labs have some 60."""
MAX_TEXT = 4 * 2**20
"""Limit of the characters in all cells: the labs have 100,000. Each may be a line, and the graded
notebook has a string of JSON for each line."""
MAX_PICTURES = 100
"""Limit of the pictures that are attached to one cell."""
_MORE: dict[str, dict[str, Any]] = {
    "code": {"execution_count": None, "outputs": []},
    "markdown": {},
    "raw": {},
}
"""Further fields of a cell of each type, beside type, source, metadata and id."""
_ATTACHED = re.compile(r"attachment:([^)\s\"'>]*)")
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read(path: Path, unsolved: NotebookNode, missing: str = "") -> NotebookNode:
    """The notebook at `path`, rebuilt from its cells' types, sources and nbgrader metadata.

    Its `SubmissionMetadata` holds the digest, and the trouble if the notebook can't be read.

    Args:
        path: the submitted notebook; it may be missing or be no notebook.
        unsolved: the lab as students got it, which takes the place of an unreadable notebook.
        missing: if there is no notebook, what is there instead.

    Raises:
        OSError: the file can't be read.
    """
    metadata = SubmissionMetadata(hashlib.sha256(b"").hexdigest())
    try:
        data = _read_bytes(path)
        metadata.submission = hashlib.sha256(data).hexdigest()
        if kind := _other_kind(data):
            metadata.trouble, metadata.detail = "LIT908", kind
        else:
            notebook = _notebook(data)
    except FileNotFoundError:
        metadata.trouble, metadata.detail = "LIT914", missing or f"no {path.name}"
    except _TooLargeError as error:
        metadata.trouble, metadata.detail = "LIT919", str(error)
    except json.JSONDecodeError as error:
        metadata.trouble, metadata.detail = "LIT908", _describe_json_error(error)
    except OSError:
        raise  # of the grader's machine: it says nothing of the file
    except Exception as error:  # noqa: BLE001 (a damaged file may break any part of a reader)
        metadata.trouble, metadata.detail = "LIT908", _first_line(error)
    if metadata.trouble:
        notebook = copy.deepcopy(unsolved)
    else:
        metadata.notices += wrong_notebook.find_wrong_notebook(
            path, notebook, unsolved, read_notebook
        )
    metadata.write(notebook)
    return notebook


class _TooLargeError(Exception):
    """A file is too large to be read."""


def read_notebook(path: Path) -> NotebookNode:
    """The notebook at `path`, rebuilt as `read` does it; raises anything if it is none."""
    return _notebook(_read_bytes(path))


def _notebook(data: bytes) -> NotebookNode:
    return _rebuild(_parse(data.decode(json.detect_encoding(data))))


def _read_bytes(path: Path) -> bytes:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("a link or a folder, no file")  # a link could lead to another's work
    if status.st_size > MAX_BYTES:
        size = f"{status.st_size / 2**20:.1f} MiB"
        raise _TooLargeError(f"{size}, and at most {MAX_BYTES // 2**20} MiB are read")
    return path.read_bytes()


_BEGINNINGS = {
    b"PK\x03\x04": "a zip file under a notebook's name: hand in the notebook that is in it",
    b"%PDF": "a PDF: hand in the notebook itself, not its print",
    b"<": "a web page: an export, or the page of a log-in in place of the download",
    b"version https://git-lfs": "Git LFS's pointer to the notebook: fetch it with git lfs pull",
    b"# ---\n# jupyter:": "a script of jupytext, no notebook: export it as .ipynb",
}
"""What a file is that begins like that; a merge conflict begins with several "<"."""
_SHORTCUT = (
    "a link to a document in Google Drive, not the notebook itself: open it in Colab, and choose "
    "File, Download, Download .ipynb"
)
_LONGEST_SHORTCUT = 4096


def _other_kind(data: bytes) -> str:
    """What the file is, for kinds that people mistake for a notebook; "" for any other."""
    start = data.lstrip()[:64]
    for beginning, kind in _BEGINNINGS.items():
        if start.startswith(beginning) and not start.startswith(b"<<"):
            return kind
    if len(data) > _LONGEST_SHORTCUT:
        return ""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    is_link = isinstance(found, Mapping) and {"doc_id", "url"} & found.keys()
    return _SHORTCUT if is_link and "cells" not in found else ""


def _describe_json_error(error: json.JSONDecodeError) -> str:
    if not error.doc.strip():
        return "the file is empty"
    line = error.doc.split("\n")[error.lineno - 1].strip()[:60]
    return f"no JSON, line {error.lineno}, column {error.colno}: {error.msg}, at {line!r}"


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or "no message").splitlines()[0][:200]
    return f"{type(error).__name__}: {line}"


def _parse(text: str) -> Mapping[str, Any]:
    """The notebook as JSON; only formats older than 4 go through nbformat's reader."""
    found = json.loads(text)
    _refuse_many_cells(found)
    if isinstance(found, Mapping) and found.get("nbformat") == v4.nbformat:
        return found
    older: NotebookNode = nbformat.reads(text, as_version=v4.nbformat)
    return older


def _refuse_many_cells(found: object) -> None:
    """Refuse too many cells before any is read; formats before 4 hold them in worksheets."""
    if isinstance(found, Mapping):
        sheets = found.get("worksheets")
        holders = [found, *(sheets if isinstance(sheets, list) else [])]
        lists = [holder.get("cells") for holder in holders if isinstance(holder, Mapping)]
        count = sum(len(cells) for cells in lists if isinstance(cells, list))
        if count > MAX_CELLS:
            raise ValueError(f"{count:,} cells; at most {MAX_CELLS:,} are read")


def _rebuild(found: Mapping[str, Any]) -> NotebookNode:
    if not isinstance(found.get("cells"), list):
        raise ValueError("there is no list of cells in it")  # noqa: TRY004 (of a file, not a call)
    cells = [_cell(cell) for cell in found["cells"] if isinstance(cell, Mapping)]
    if (count := sum(len(cell.source) for cell in cells)) > MAX_TEXT:
        raise _TooLargeError(f"{count:,} characters in its cells; at most {MAX_TEXT:,} are read")
    taken: set[str] = set()
    for cell in cells:
        if cell["id"] in taken:
            cell["id"] = random_cell_id()
        taken.add(cell["id"])
    made: NotebookNode = v4.new_notebook(cells=cells)
    return made


def _cell(found: Mapping[str, Any]) -> NotebookNode:
    kind = str(found.get("cell_type"))
    kind = kind if kind in _MORE else "raw"
    metadata = found.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    kept = {"nbgrader": marks} if isinstance(marks, Mapping) else {}
    # nbformat's own functions validate each cell: a tenth of a second per notebook.
    cell: NotebookNode = nbformat.from_dict(
        {
            "cell_type": kind,
            "id": random_cell_id(),
            "metadata": kept,
            "source": _join_source(found.get("source", "")),
            **copy.deepcopy(_MORE[kind]),
        }
    )
    if cell.cell_type == "markdown":
        _set_attachments(cell, found.get("attachments"))
    if _ID.fullmatch(str(found.get("id", ""))):
        cell["id"] = str(found["id"])
    return cell


def _set_attachments(cell: NotebookNode, found: object) -> None:
    """Keep pictures of a text cell; nbconvert 7.17 fails on a named picture that is missing."""
    files = found.items() if isinstance(found, Mapping) else ()
    pictures = ((name, kinds) for name, kinds in files if _is_picture(kinds))
    kept = dict(islice(pictures, MAX_PICTURES))
    if kept:
        cell["attachments"] = kept
    cell.source = _ATTACHED.sub(
        lambda named: named[0] if named[1] in kept else f"missing:{named[1]}", cell.source
    )


def _is_picture(kinds: object) -> bool:
    return (
        isinstance(kinds, Mapping)
        and bool(kinds)
        and all(isinstance(data, str) for data in kinds.values())
    )


def _join_source(source: object) -> str:
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return writable(text)
