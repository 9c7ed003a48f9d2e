"""Searches files that are about to be published for answers and for the course secret.

It compares lines without their indentation, and skips lines that any program might hold (`return
loss`, `else:`); the others are *telling*. A passage leaks if

- all its telling lines follow one another (solutions, answers of the bank), or
- one long line of a solution occurs anywhere, unless the unsolved part of a lab's source, which
  students see anyway, holds it. Shorter lines may be quoted: advice has to name things.

The course secret must not occur as raw bytes, in hex or in base64.
"""

from __future__ import annotations

import base64
import importlib
import io
import pkgutil
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder import bank
from autograder.bank import Case
from autograder.course import AuthorError, Course, Lab, grade_id
from autograder.secret import SECRET_FILE

TELLING = 12
"""Length from which a line is telling."""
ALONE = 30
"""Length from which one line of a solution leaks by itself."""
WHOLE = 20
"""The same for the only line of a solution region."""

_REGION = re.compile(
    r"^[^\n]*BEGIN SOLUTION[^\n]*\n(.*?)^[^\n]*END SOLUTION[^\n]*$", re.MULTILINE | re.DOTALL
)
_COMMON = frozenset({"super().__init__()", "raise NotImplementedError()", "return self.model(x)"})


@dataclass(frozen=True)
class Passage:
    """Lines that must not be published.

    Args:
        file: the file that holds them.
        question_id: the question that they answer.
        lines: the telling lines, without indentation.
        telling_lines: those of the lines that leak by themselves.
    """

    file: str
    question_id: str
    lines: tuple[str, ...]
    telling_lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A file that is about to be published, or a member of an archive.

    Args:
        name: its path, with that of the member.
        data: its bytes.
        text: its telling lines; of a notebook those of the cells.
    """

    name: str
    data: bytes
    text: str


def scan(course: Course, labs: Iterable[Lab], folder: Path, shown: Iterable[str] = ()) -> None:
    """Search every file under `folder`, also in archives and in wheels within them.

    Args:
        course: the course.
        labs: the labs whose answers are searched for.
        folder: what is about to be published.
        shown: further texts that students see anyway, such as what given cells print.

    Raises:
        AuthorError: a file holds something that is not for students.
    """
    labs = list(labs)
    public = unsolved_text([*course.labs.values(), *labs]) + _join(shown)
    passages = [p for lab in labs for p in (*solutions(lab, public), *bank_entries(lab))]
    secrets = _secrets(course.root / SECRET_FILE)
    for document in documents(folder):
        if any(secret in document.data for secret in secrets):
            step = "find out how it got there; nothing was published"
            raise AuthorError(document.name, "", "it holds the course secret", step)
        for passage in passages:
            _compare(passage, document)


def has_answer(text: str, passages: Iterable[Passage]) -> bool:
    """Whether a text holds one of the passages, as what a demonstration prints may."""
    document = _document("", text.encode())
    return any(_hits(passage, document) for passage in passages)


def _hits(passage: Passage, document: Document) -> list[str]:
    """Lines of the passage that the document must not hold."""
    passage_text = "\n".join(passage.lines)
    hits = (
        [passage_text] if len(passage.lines) > 1 and f"\n{passage_text}\n" in document.text else []
    )
    # Prose may quote a line within another one; in code a longer line that holds it is innocent.
    within = "\n{}\n" if document.name.endswith(".py") else "{}"
    return hits + [line for line in passage.telling_lines if within.format(line) in document.text]


def _compare(passage: Passage, document: Document) -> None:
    hits = _hits(passage, document)
    if hits:
        shown = hits[0].splitlines()[0]
        fault = f"it holds a line of the answer in {passage.file}: {shown!r}"
        step = "take it out of what is published, then: autograder build"
        raise AuthorError(document.name, passage.question_id, fault, step)


# --- what must not leave ---------------------------------------------------------------


def unsolved_text(labs: Iterable[Lab]) -> str:
    """The telling lines of all labs outside of solution regions, which students see anyway."""
    return _join(_REGION.sub("", cell.source) for lab in labs for cell in lab.notebook.cells)


def solutions(lab: Lab, public: str) -> list[Passage]:
    """Every solution region of the lab; a line that `public` holds does not leak by itself."""
    found = []
    for cell in lab.notebook.cells:
        for region in _REGION.findall(cell.source):
            lines = telling_lines(region)
            enough = WHOLE if len(lines) == 1 else ALONE
            alone = tuple(n for n in lines if len(n) >= enough and n not in public)
            found.append(Passage(str(lab.path), grade_id(cell), lines, alone))
    return [passage for passage in found if passage.lines]


def bank_entries(lab: Lab) -> list[Passage]:
    """Every answer of the lab's bank: its code, or the new texts of its edits."""
    found = []
    for name in _bank_modules(lab):
        module = importlib.import_module(f"autograder.bank.{lab.id}.{name}")
        file = f"autograder/bank/{lab.id}/{name}.py"
        for case in getattr(module, "CASES", []):
            found += [Passage(file, name, telling_lines(text)) for text in _texts(case)]
    return [passage for passage in found if passage.lines]


def _bank_modules(lab: Lab) -> list[str]:
    folders = [str(Path(folder) / lab.id) for folder in bank.__path__]
    return [m.name for m in pkgutil.iter_modules(folders)]


def _texts(case: Case) -> list[str]:
    return [text for text in (case.code, *(new for _, new in case.edits)) if text]


def _secrets(path: Path) -> tuple[bytes, ...]:
    if not path.exists():
        return ()
    secret = path.read_bytes()
    forms = (secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"="))
    return tuple(form for form in forms if form)


# --- what is to be published -----------------------------------------------------------


def documents(folder: Path) -> Iterator[Document]:
    """Every file under `folder`, and every member of an archive, of a wheel within it, and so on.

    A member's name is `archive.zip:folder/package.whl:module.py`.
    """
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield from _unpack(path.relative_to(folder).as_posix(), path.read_bytes())


def _unpack(name: str, data: bytes) -> Iterator[Document]:
    # By content, not by name: a packed file shows nothing before it is unpacked.
    if not zipfile.is_zipfile(io.BytesIO(data)):
        yield _document(name, data)
        return
    yield Document(name, data, "")  # its members are documents of their own
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in sorted(archive.namelist()):
            yield from _unpack(f"{name}:{member}", archive.read(member))


def _document(name: str, data: bytes) -> Document:
    text = data.decode("utf-8", errors="replace")
    if name.endswith(".ipynb"):
        cells = nbformat.reads(text, as_version=nbformat.NO_CONVERT).cells
        return Document(name, data, _join(cell.source for cell in cells))
    if name.endswith(".toml"):
        text = text.replace('\\"', '"')
    return Document(name, data, _join([text]))


def telling_lines(text: str) -> tuple[str, ...]:
    """The telling lines, without indentation and with single spaces."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return tuple(n for n in lines if len(n) >= TELLING and n[0] != "#" and n not in _COMMON)


def _join(texts: Iterable[str]) -> str:
    return "\n" + "\n".join(line for text in texts for line in telling_lines(text)) + "\n"
