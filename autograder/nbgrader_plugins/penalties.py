"""Assigns late penalties by the course's plugin, and leaves alone those that a person entered.

nbgrader 0.9.6 overwrites whatever is there each time it grades. Which values the plugin assigned
stands in `evidence/<lab>/<student>/_penalty.json`; any other one in the gradebook is a person's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties

from litcourse.core.atomic_write import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode

FILE = "_penalty.json"
EVIDENCE = "evidence"
"""In nbconvert's resources: the folder of the student's evidence in this lab."""
Penalty = float | None
_ROUNDING = 1e-6  # in points: a database may add a score up in another order than we do


class LatePenalties(AssignLatePenalties):
    """Does what nbgrader's AssignLatePenalties does, whose settings it has, but for a person's."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Assign the penalty of the submission in the gradebook; `nb` stays as it is."""
        names, folder = resources["nbgrader"], Path(resources[EVIDENCE])
        lab, student = names["assignment"], names["student"]
        with Gradebook(names["db_url"]) as gradebook:
            late = gradebook.find_submission(lab, student).total_seconds_late
            notebook = gradebook.find_submission_notebook(names["notebook"], lab, student)
            found = notebook.late_submission_penalty
            due = self.due(student, notebook.score, late)
            known = read_assigned(folder, notebook.id)
            if not is_assigned(found, due, known):
                self.log.warning("%s: a person's late penalty stays: %s", student, found)
                return nb, resources
            # Before the commit, so that no kill makes the plugin's value look like a person's.
            _keep_assigned(folder, notebook.id, known, [found, due])
            if not is_same(found, due):
                self.log.warning("%s: %s s late, penalty %s", student, late, due)
                notebook.late_submission_penalty = due
                gradebook.db.commit()
                _keep_assigned(folder, notebook.id, [found, due], [due])
        return nb, resources

    def due(self, student: str, score: float, late: float) -> Penalty:
        """What the plugin says.

        Args:
            student: id of the student.
            score: all points of the submission.
            late: how late it came, in seconds.
        """
        if late <= 0:
            return None
        self.init_plugin()
        penalty = self.plugin_inst.late_submission_penalty(student, score, late)
        return None if penalty is None else min(max(float(penalty), 0.0), score)


def is_same(one: Penalty, other: Penalty) -> bool:
    """Whether two penalties are the same; none at all and one of 0 points are not."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < _ROUNDING


def is_assigned(found: Penalty, due: Penalty, known: Sequence[Penalty]) -> bool:
    """Whether the gradebook's penalty is the plugin's, or nobody's yet.

    Args:
        found: the penalty.
        due: what the plugin says now.
        known: what it assigned last, by `assigned`.
    """
    return any(is_same(found, value) for value in known or [None, due])


def read_assigned(folder: Path, notebook: str) -> list[Penalty]:
    """What the plugin assigned last; the value before it too, where a run was killed in between.

    Args:
        folder: of the student's evidence.
        notebook: the gradebook's id of the submitted notebook. A gradebook that was made anew
            has other ids, and what is kept for one counts for no other.

    Returns:
        the values; none if that is not known.
    """
    try:
        plain = json.loads((folder / FILE).read_bytes())
        values = [None if value is None else float(value) for value in plain["assigned"]]
        return values if plain["notebook"] == notebook else []
    except (OSError, ValueError, TypeError, LookupError):
        return []


def _keep_assigned(
    folder: Path, notebook: str, known: Sequence[Penalty], values: Sequence[Penalty]
) -> None:
    """Keep what the plugin assigned, unless it is `known`: each write waits for the disk."""
    distinct = list(dict.fromkeys(values))
    if distinct == (known or [None]):  # most are on time, and need no file
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps({"notebook": notebook, "assigned": distinct})
    write_atomically(folder / FILE, (text + "\n").encode(), durable=True)
