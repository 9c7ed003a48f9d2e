"""A course to attack, and what an attack is: cells that a hostile student hands in.

Everything worth stealing in the course holds a canary, so that it is recognised wherever it
turns up. An attack is told where all of it lies; it need not guess.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode, v4
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.bank import without_markers
from autograder.course import CHECK, Course, Lab, grade_id
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in, read_points
from autograder.engine import client
from autograder.nbgrader_plugins.register import unsolved_notebook
from tests.pages import active

if TYPE_CHECKING:
    import pytest

LAB, QUESTION = "lab1_mnist", "wrap"
CANARY = re.compile(r"CANARY-[0-9a-f]{16}")
VICTIM = "victim"
ADAM, SGD = "torch.optim.Adam(", "torch.optim.SGD("

TOOLS = '''
def try_to(what, action):
    """Report whether something that must not succeed did."""
    try:
        value = action()
    except BaseException as error:
        print(f"held: {what}: {type(error).__name__}: {error}"[:300], flush=True)
    else:
        print(f"REACHED: {what}: {value!r}"[:300], flush=True)
'''


@dataclass(frozen=True)
class Attack:
    """A hostile submission, and what must become of it.

    Args:
        cells: code cells in front of the answer; `TARGETS` and `try_to` are defined there.
        answer: "right", "wrong" or "unsolved", the control whose points it may not exceed; or
            code of its own, which is held against "unsolved".
        after: code cells between the answer and its check.
        last: code cells behind the check.
        texts: text cells, which end the notebook.
        check: what stands in the check cell, if not what the lab has there.
        files: puts further files into the submission's folder.
        settings: of `RunSubmission`.
        held: how many attempts must have been refused.
        says: a regular expression that its outputs must match: it did what it came for.
        finding: code that its record or its page must show.
        share: the share of the points that it gets, where fewer would be a fault too.
        most_text: bytes that its graded notebook may have.
        missing: what this machine lacks for it, and how to enable it, or "".
    """

    cells: tuple[str, ...] = ()
    answer: str = "wrong"
    after: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    check: str = ""
    files: Callable[[Path, Mapping[str, Any]], None] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    held: int = 0
    says: str = ""
    finding: str = ""
    share: float | None = None
    most_text: int = 2**25
    missing: Callable[[], str] = str

    @property
    def control(self) -> str:
        """The honest submission whose points the attack may not exceed."""
        return self.answer if self.answer in {"right", "wrong"} else "unsolved"


@dataclass(frozen=True)
class Result:
    """What grading made of a submission.

    Args:
        points: in the gradebook, None if none were recorded.
        record: of the question, under `evidence/`.
        text: all outputs of the graded notebook, and its mended cells' notices.
        log: of nbgrader.
        size: bytes of the graded notebook.
        active: what could run in the pages that show it.
    """

    points: float | None
    record: dict[str, Any]
    text: str
    log: str
    size: int = 0
    active: Counter[str] = field(default_factory=Counter)

    @property
    def codes(self) -> set[str]:
        """All findings that the record or the page shows."""
        found = {finding["code"] for finding in self.record.get("findings", [])}
        return found | set(re.findall(r"LIT\d{3,4}", self.text))


class Arena:
    """A course of one question in `folder`, with a canary in everything that nobody may read."""

    def __init__(self, origin: Course, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.origin = origin
        self.course = copy_course(origin, folder, origin.lab(LAB), (QUESTION,))
        self.root = folder
        self.lab: Lab = self.course.lab(LAB)
        self.canaries = {name: f"CANARY-{secrets.token_hex(8)}" for name in ("file", "memory")}
        self._plant(patch)
        self.targets = self._targets()
        self.unsolved = self._unsolved()

    def _plant(self, patch: pytest.MonkeyPatch) -> None:
        secret = self.root / ".course-secret"
        secret.write_bytes(self.canaries["file"].encode().ljust(32, b"."))
        secret.chmod(0o600)
        bank = self.root / "autograder/bank/answers.py"
        bank.parent.mkdir(parents=True)
        bank.write_text(f"CASES = ['{self.canaries['file']}']\n", encoding="utf-8")
        notebook = self.lab.notebook
        notebook.cells.append(v4.new_markdown_cell(self.canaries["file"]))
        nbformat.write(notebook, self.lab.path)
        hand_in(self.root, VICTIM, LAB, v4.new_notebook(cells=notebook.cells[-1:]))
        for name, canary in self.canaries.items():
            patch.setenv(f"GRADERS_{name.upper()}", canary)
        # nbgrader starts alembic by name when it makes a gradebook.
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        self.grade_files(VICTIM)
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            gradebook.update_or_create_student(VICTIM, last_name=self.canaries["file"])

    def _targets(self) -> dict[str, Any]:
        import autograder

        server = client.engine()
        return {
            "root": str(self.root),
            "secret": str(self.root / ".course-secret"),
            "gradebook": str(self.root / "gradebook.db"),
            "source": str(self.lab.path),
            "bank": str(self.root / "autograder/bank/answers.py"),
            "other": str(self.root / "submitted" / VICTIM / LAB / f"{LAB}.ipynb"),
            "record": str(self.root / "evidence" / LAB / VICTIM / f"{QUESTION}.json"),
            "package": str(Path(autograder.__path__[0])),
            "checkout": str(self.origin.root),
            "marker": str(self.root / "marker"),
            "grader": os.getpid(),
            "grader_parent": os.getppid(),
            "server": server.pid,
            "socket": str(server.socket),
        }

    def _unsolved(self) -> NotebookNode:
        api = self._api({})
        return unsolved_notebook(Autograde(coursedir=api.coursedir, parent=api), self.lab)

    def _api(self, settings: Mapping[str, Any]) -> NbGraderAPI:
        config = PyFileConfigLoader("nbgrader_config.py", path=str(self.root)).load_config()
        config.CourseDirectory.root = str(self.root)
        # The victim has a name, which makes a roster, and attackers are not on it.
        config.merge(Config({"Autograde": {"create_student": True}}))
        config.merge(Config({"RunSubmission": dict(settings)}))
        return NbGraderAPI(config=config)

    def grade(self, student: str, attack: Attack) -> Result:
        """Hand `attack` in as `student` and grade it as all submission is."""
        path = hand_in(self.root, student, LAB, self.notebook(attack))
        if attack.files:
            attack.files(path.parent, self.targets)
        log = self.grade_files(student, attack.settings)
        return self._result(student, log)

    def grade_files(self, student: str, settings: Mapping[str, Any] | None = None) -> str:
        """Grade what lies in the folder of `student`; nbgrader's log."""
        done = self._api(settings or {}).autograde(LAB, student)
        return f"{done.get('error', '')}\n{done.get('log', '')}"

    def notebook(self, attack: Attack) -> NotebookNode:
        """The notebook that is handed in."""
        made = fill_notebook(self.unsolved, {QUESTION: self.answer(attack.answer)})
        hostile = attack.cells or attack.after or attack.last
        head = (f"TARGETS = {self.targets!r}\n{TOOLS}",) if hostile else ()
        _insert(made, QUESTION, (*head, *attack.cells))
        _insert(made, QUESTION + CHECK, attack.after)
        if attack.check:
            made.cells[_place(made, QUESTION + CHECK)].source = attack.check
        made.cells += [v4.new_code_cell(source) for source in attack.last]
        made.cells += [v4.new_markdown_cell(source) for source in attack.texts]
        return made

    def answer(self, kind: str) -> str:
        """Source of the solution cell."""
        right = without_markers(self.lab.questions[QUESTION].solution)
        stub = str(self.unsolved.cells[_place(self.unsolved, QUESTION)].source)
        kinds = {"right": right, "wrong": right.replace(ADAM, SGD), "unsolved": stub}
        return kinds.get(kind, kind)

    def _result(self, student: str, log: str) -> Result:
        record = self.root / "evidence" / LAB / student / f"{QUESTION}.json"
        graded = self.root / "autograded" / student / LAB / f"{LAB}.ipynb"
        known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        notebook = nbformat.read(graded, as_version=4) if graded.exists() else None
        text = _text(notebook) if notebook else ""
        try:
            found = read_points(self.root, LAB, [student])[student][QUESTION]
        except Exception:  # noqa: BLE001 (nbgrader's MissingEntry and others: nothing recorded)
            found = None
        size = graded.stat().st_size if notebook else 0
        return Result(found, known, text, log, size, active(notebook) if notebook else Counter())


def _place(notebook: NotebookNode, name: str) -> int:
    return [grade_id(cell) for cell in notebook.cells].index(name)


def _insert(notebook: NotebookNode, before: str, sources: tuple[str, ...]) -> None:
    place = _place(notebook, before)
    notebook.cells[place:place] = [v4.new_code_cell(source) for source in sources]


def _text(notebook: NotebookNode) -> str:
    """All that the graded notebook shows beside what was submitted."""
    first = notebook.cells[0]
    shown = [first.source] if first.cell_type == "markdown" else []
    shown += [json.dumps(cell.get("outputs", []), ensure_ascii=False) for cell in notebook.cells]
    return "\n".join(shown).replace("\\n", "\n")
