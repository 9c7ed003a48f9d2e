"""Answers that are the same or nearly so: evidence for a person, never a reason for points.

Only solution cells count, without what the stub brings. Right answers to small tasks look alike, so
a pair is told with how much of what it shares hardly anybody else in the class has.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from autograder.course import Lab, grade_id
from autograder.grading.records import Record, RecordStore
from autograder.stubs import clear_answers
from autograder.term.report.class_facts import Look
from litcourse.core.atomic_write import write_atomically
from litcourse.core.names import count_noun

if TYPE_CHECKING:
    from copydetect import CodeFingerprint

FILE = "_answers.json"
"""Beside a record: what is compared of its answers, so that it is made once a submission."""
NEAR = 0.9
"""Answers are nearly the same with this part of both in common, names and strings left out."""
LEAST = 40
"""Characters of a normalised text below which it says nothing."""
MOST_PAIRS = 10
_GRAM, _WINDOW = 25, 1
"""As copydetect uses them: the shortest passage that counts, and every one of them."""
RARE, RARE_PART = 3, 1 / 8
"""What so many answers have at most is rare: a pair and one more, or this part of a large class."""
LEAST_RARE = 0.1
"""A pair with less of it in common shares only what many others have, and says nothing."""
_LONGEST = 60_000
"""Characters of all answers of a submission that are compared; a lab's solutions have 10,000."""


@dataclass(frozen=True)
class Answers:
    """The answers of one submission, for comparison.

    Args:
        notebook: SHA-256 of the graded notebook, hex.
        digest: SHA-256 of the bytes of the solution cells, hex; "" if all are stubs.
        text: the code without comments, names and strings, as copydetect makes it.
    """

    notebook: str
    digest: str
    text: str


def find_similar(lab: Lab, records: Sequence[Record], store: RecordStore) -> list[Look]:
    """Groups with the same answers, then the pairs with the most in common.

    Args:
        lab: the lab.
        records: those of its submissions.
        store: the course's records.
    """
    stub = _Stub(lab)
    found = {one.student: answers for one in records if (answers := _read(stub, one, store))}
    written = {student: answers for student, answers in found.items() if answers.digest}
    groups = defaultdict(list)
    for student, answers in sorted(written.items()):
        groups[answers.digest].append(student)
    same = [who for who in groups.values() if len(who) > 1]
    looks = [Look(who, "the same answers, letter by letter") for who in same]
    alone = {who[0]: written[who[0]] for who in groups.values()}  # one of each group
    return [*looks, *_near(alone, stub)]


class _Stub:
    """The lab's unsolved cells."""

    def __init__(self, lab: Lab) -> None:
        self.questions = list(lab.questions)
        self.cells = cells_of(clear_answers(lab.notebook), self.questions)
        self.text = normalise("\n".join(self.cells.values()))


def cells_of(notebook: nbformat.NotebookNode, questions: Sequence[str]) -> dict[str, str]:
    """Source of the solution cell of each question."""
    found = {grade_id(cell): str(cell.source) for cell in notebook.cells}
    return {name: found[name] for name in questions if name in found}


def normalise(source: str) -> str:
    """Python code without comments, names and strings; the rest of what is very long is left out.

    Blank lines go first: pygments 2.21 reads all that follow anew for each.
    """
    from copydetect.utils import filter_code  # it imports pyplot, which takes half a second

    lines = [line for line in source[:_LONGEST].splitlines(keepends=True) if line.strip()]
    text: str = filter_code("".join(lines), "answers.py", "python")[0]
    return text


def _read(stub: _Stub, record: Record, store: RecordStore) -> Answers | None:
    """What is kept of a submission's answers; made if it is of another notebook."""
    path = store.folder(record.lab, record.student) / FILE
    try:
        kept = Answers(**json.loads(path.read_text(encoding="utf-8")))
        if kept.notebook == record.notebook:
            return kept
    except (OSError, ValueError, TypeError):
        pass
    text = store.notebook(record)
    if text is None:
        return None
    answers = _make(stub, record.notebook, nbformat.reads(text, as_version=4))
    _keep(path, answers)
    return answers


def _make(stub: _Stub, digest: str, notebook: nbformat.NotebookNode) -> Answers:
    cells = cells_of(notebook, stub.questions)
    written = {name: cell for name, cell in cells.items() if cell != stub.cells.get(name)}
    if not written:
        return Answers(digest, "", "")
    source = "\n".join(written.values())
    same = hashlib.sha256(json.dumps(written, sort_keys=True).encode("utf-8", "replace"))
    return Answers(digest, same.hexdigest(), normalise(source))


def _keep(path: Path, answers: Answers) -> None:
    try:
        text = json.dumps(asdict(answers), ensure_ascii=True)
        write_atomically(path, text.encode())
    except OSError:
        return  # a folder that this account may only read: made again next time


def _near(found: Mapping[str, Answers], stub: _Stub) -> list[Look]:
    """The pairs that are nearly the same, those first that share what hardly anybody else has.

    Passages are compared without names, so that a copy with other names is as rare as a plain one.
    """
    prints = _fingerprints(found, stub)
    owners = Counter(passage for one in prints.values() for passage in one.hashes)
    most, pairs = max(RARE, int(RARE_PART * len(prints))), []
    for one, other, part in _alike(prints):
        common = prints[one].hashes & prints[other].hashes
        rare = sum(owners[passage] <= most for passage in common) / max(len(common), 1)
        if rare >= LEAST_RARE:
            pairs.append((rare, part, one, other))
    looks = []
    for rare, part, one, other in sorted(pairs, key=lambda p: (-p[0], -p[1], p[2:]))[:MOST_PAIRS]:
        text = f"nearly the same answers: {part:.0%} alike, names aside; of that "
        text += f"{rare:.0%} is in at most {count_noun(most - 2, 'other answer')}"
        looks.append(Look([one, other], text))
    return looks


def _fingerprints(found: Mapping[str, Answers], stub: _Stub) -> dict[str, CodeFingerprint]:
    """The passages of each student's answers, without those of the stub."""
    from copydetect import CodeFingerprint

    def marks(text: str, but: Sequence[int] = ()) -> CodeFingerprint:
        return CodeFingerprint(
            "answers.py", _GRAM, _WINDOW, boilerplate=but, filter=False, fp=io.StringIO(text)
        )

    of_stub = sorted(marks(stub.text).hashes)
    texts = {who: answers.text for who, answers in found.items() if len(answers.text) >= LEAST}
    return {who: marks(text, of_stub) for who, text in sorted(texts.items())}


def _alike(prints: Mapping[str, CodeFingerprint]) -> Iterator[tuple[str, str, float]]:
    """Pairs whose texts have `NEAR` of both in common, with the smaller part."""
    from copydetect import compare_files

    for (one, left), (other, right) in combinations(prints.items(), 2):
        common = len(left.hashes & right.hashes)
        if common < NEAR * 0.5 * max(len(left.hashes), len(right.hashes), 1):
            continue  # far from it: the exact comparison takes longer
        part = float(min(compare_files(left, right)[1]))
        if part >= NEAR:
            yield one, other, min(part, 1.0)
