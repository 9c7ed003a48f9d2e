"""Assigns late penalties by the course's plugin, and keeps those that a person entered.

nbgrader 0.9.6 overwrites the penalty each time it grades. `evidence/<lab>/<student>/_penalty.json`
holds the values that the plugin assigned; any other value in the gradebook is a person's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties

from autograder.nbgrader_plugins.evidence_store import make_private
from autograder.nbgrader_plugins.submission_metadata import KEY
from autograder.students.extensions import apply_extension, read_extensions
from litcourse.core.atomic_write import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode

FILE = "_penalty.json"
EVIDENCE = "evidence"
"""In nbconvert's resources: the folder of the student's evidence in this lab."""
Penalty = float | None
_ROUNDING = 1e-6  # in points: a database may add the parts of a score in another order


class LatePenalties(AssignLatePenalties):
    """nbgrader's AssignLatePenalties, with its settings; it leaves a person's penalty alone."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Assign the submission's penalty in the gradebook; `nb` stays unchanged."""
        names, folder = resources["nbgrader"], Path(resources[EVIDENCE])
        lab, student = names["assignment"], names["student"]
        # `autograder grade` writes scores without a context, in the course's folder.
        root = resources[KEY].root if KEY in resources else Path.cwd()
        extensions = read_extensions(root)
        with Gradebook(names["db_url"]) as gradebook:
            apply_extension(gradebook, extensions, lab, student)
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
        """The penalty in points that the plugin gives now, or None.

        Args:
            student: id of the student.
            score: all points of the submission.
            late: seconds after the due date.
        """
        if late <= 0:
            return None
        self.init_plugin()
        penalty = self.plugin_inst.late_submission_penalty(student, score, late)
        return None if penalty is None else min(max(float(penalty), 0.0), score)


def is_same(one: Penalty, other: Penalty) -> bool:
    """Whether two penalties are the same; None and 0 points are not."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < _ROUNDING


def is_assigned(found: Penalty, due: Penalty, known: Sequence[Penalty]) -> bool:
    """Whether the gradebook's penalty is the plugin's, or nobody has entered one.

    Args:
        found: the gradebook's penalty.
        due: the penalty that the plugin gives now.
        known: the penalties that it assigned last, from `read_assigned`.
    """
    return any(is_same(found, value) for value in known or [None, due])


def read_assigned(folder: Path, notebook: str) -> list[Penalty]:
    """The penalty that the plugin assigned last; also the one before if a run was killed between.

    Args:
        folder: folder of the student's evidence.
        notebook: the gradebook's id of the submitted notebook. A new gradebook has other ids, so
            values for another id do not count.

    Returns:
        the values; empty if they are not known.
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
    """Store the assigned `values`, unless they are `known`: each write waits for the disk."""
    distinct = list(dict.fromkeys(values))
    if distinct == (known or [None]):  # most submissions are on time, and need no file
        return
    make_private(folder)
    text = json.dumps({"notebook": notebook, "assigned": distinct})
    write_atomically(folder / FILE, (text + "\n").encode(), durable=True)
