"""Reads the points and the order of questions from the notebook's file, as it was last saved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

SESSION = "JPY_SESSION_NAME"
"""Jupyter sets it in a kernel: the path of the notebook, or an id where there is no file."""
_CHECK = "-check"
_LARGEST = 64 * 2**20  # bytes


def find_notebook(lab: str) -> Path | None:
    """The file of this kernel's notebook: the session's, else `LAB.ipynb` in the working folder."""
    name = os.environ.get(SESSION, "")
    candidates = [Path(name), Path(Path(name).name)] if name.endswith(".ipynb") else []
    return next((path for path in [*candidates, Path(f"{lab}.ipynb")] if path.is_file()), None)


def read_points(lab: str) -> dict[str, float]:
    """Points of each question by its id, in the notebook's order; {} if no file tells them."""
    try:
        return dict(filter(None, map(_points_of, _read_cells(lab))))
    except (TypeError, KeyError, AttributeError):
        return {}  # no notebook of nbgrader


def read_answers(lab: str) -> dict[str, str]:
    """Texts of the cells with an id of nbgrader, by that id; {} if there is no such file."""
    found = {}
    for cell in _read_cells(lab):
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")
        source = cell.get("source", "")
        if name:
            found[str(name)] = source if isinstance(source, str) else "".join(source)
    return found


def _read_cells(lab: str) -> list[dict[str, Any]]:
    path = find_notebook(lab)
    try:
        if path is None or path.stat().st_size > _LARGEST:
            return []
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, TypeError, KeyError):
        return []  # half saved, or no notebook at all
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def _points_of(cell: dict[str, Any]) -> tuple[str, float] | None:
    """The question's id and points if this is its check cell."""
    known = cell["metadata"].get("nbgrader", {})
    grade_id, points = known.get("grade_id", ""), known.get("points")
    if not grade_id.endswith(_CHECK) or not isinstance(points, (int, float)):
        return None
    return grade_id.removesuffix(_CHECK), float(points)
