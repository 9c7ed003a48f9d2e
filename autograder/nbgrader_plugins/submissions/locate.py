"""Decides which notebook of a submission is the lab's, if none has the lab's name.

A browser writes `lab1_mnist (1).ipynb`, a person makes a folder or a zip file around it. If exactly
one notebook has the lab's check cells, it is graded, as if it lay in place under the lab's name.
Of two nobody can know which one is meant: then none is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from autograder.course import CHECK, grade_id
from autograder.engine.client import scratch
from autograder.nbgrader_plugins.submissions import reading
from autograder.nbgrader_plugins.submissions.submission_files import (
    SUBMISSION_SECRET,
    TIMESTAMP,
    Contents,
    is_in_the_way,
    open_plain,
    scan,
)
from autograder.nbgrader_plugins.submissions.zip_files import ZipFileError, unpack

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from nbgrader.coursedir import CourseDirectory

MOST_NOTEBOOKS, MOST_BYTES = 20, 50 * 2**20
"""Limits of what is read to find a notebook: how many, and the bytes of all."""
MOST_ZIPS = 5
"""Zip files of one submission that are opened."""
_KILO = 1000  # nbgrader's limits of sizes are in kilobytes
_MOST_NAMES = 5
_NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json")
"""Ends of a notebook's name, in small letters; some browsers add the last part."""
_SHORTCUTS = (".gdoc", ".gcolab", ".gsheet", ".gslides", ".webloc", ".url")
"""Ends of the names of files that hold an address alone."""


@dataclass(frozen=True)
class Located:
    """A submission's files in the places where they belong.

    Args:
        contents: the files, the lab's notebook under the lab's name.
        place: the path that the notebook had, such as "work.zip/lab/lab1_mnist.ipynb"; "" if it
            was in its place, or if there is none.
        missing: if there is none, what is there instead.
    """

    contents: Contents
    place: str = ""
    missing: str = ""


@contextlib.contextmanager
def locate(
    course: CourseDirectory, folder: Path, unsolved: NotebookNode, lab: str
) -> Iterator[Located]:
    """The submission in `folder`, with the lab's notebook in its place if it can be found.

    Args:
        course: nbgrader's course, whose limits hold.
        folder: the submission.
        unsolved: the lab as students got it.
        lab: the lab's id.
    """
    sent = scan(course, folder)
    if os.path.lexists(folder / f"{lab}.ipynb"):
        yield Located(sent)
        return
    with _unpacked(course, sent) as (files, left_out, faults):
        found = _Search(unsolved, lab).search(files)
        missing = "" if found.place else "; ".join([found.missing, *faults])
        arranged = Contents(sent.files, sent.left_out, sent.timestamp)
        if found.place:
            arranged.files = arrange(files, found.place, sent, lab)
            arranged.left_out = sent.left_out + left_out
        yield Located(arranged, found.place, missing)


@contextlib.contextmanager
def relocate(course: CourseDirectory, folder: Path, lab: str, place: str) -> Iterator[Contents]:
    """The files of a submission as `locate` arranged them when it found the notebook at `place`."""
    sent = scan(course, folder)
    if not place:
        yield sent
        return
    with _unpacked(course, sent) as (files, _, _):
        yield Contents(arrange(files, place, sent, lab), sent.left_out, sent.timestamp)


def arrange(files: Mapping[str, Path], place: str, sent: Contents, lab: str) -> dict[str, Path]:
    """The files of a submission whose notebook is at `place`, as if it had been in its place.

    What lies in the notebook's folder, or below it, moves with it. Everything else keeps its name;
    of a zip file, its name in there.

    Args:
        files: path by name, with those of zip files.
        place: name of the notebook.
        sent: the submission as it is.
        lab: the lab's id.
    """
    packed = _zip_of(place, sent)
    base = PurePosixPath(place).parent
    moved = {f"{lab}.ipynb": files[place]} if place in files else {}
    others: dict[str, Path] = {}
    for name, path in files.items():
        inner = PurePosixPath(name)
        in_zip = bool(packed) and inner.is_relative_to(packed)
        if name in {place, packed} or not (in_zip or name in sent.files):
            continue
        if inner.is_relative_to(base):
            moved.setdefault(str(inner.relative_to(base)), path)
        else:
            others.setdefault(str(inner.relative_to(packed)) if in_zip else name, path)
    kept = {n: p for n, p in others.items() if n not in moved and not is_in_the_way(n, moved)}
    arranged = moved | kept
    for name in (TIMESTAMP, SUBMISSION_SECRET):
        arranged.pop(name, None)  # the exchange writes them: no folder, no zip file has a say
        if name in sent.files:
            arranged[name] = sent.files[name]
    return arranged


def _zip_of(place: str, sent: Contents) -> str:
    """Name of the zip file in which `place` lies, or ""."""
    parents = map(str, PurePosixPath(place).parents)
    return next((parent for parent in parents if parent in sent.files), "")


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


@contextlib.contextmanager
def _unpacked(
    course: CourseDirectory, sent: Contents
) -> Iterator[tuple[dict[str, Path], list[str], list[str]]]:
    """The files of a submission and of its zip files, names that were left out, and faults."""
    files, left_out, faults = dict(sent.files), [], []
    room = min(course.max_dir_size, course.max_file_size) * _KILO
    zips = sorted(filter(_is_zip, sent.files), key=_depth)
    faults += [f"{name} was not opened, as there are so many" for name in zips[MOST_ZIPS:]]
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=scratch()) as place:
        for count, name in enumerate(zips[:MOST_ZIPS]):
            folder = Path(place, str(count))
            folder.mkdir()
            try:
                left_out += [f"{name}/{n}" for n in unpack(sent.files[name], folder, room)]
            except ZipFileError as error:
                faults.append(f"{name} can't be opened: {error}")
                shutil.rmtree(folder)
                continue
            inner = scan(course, folder)
            room -= sum(path.stat().st_size for path in inner.files.values())
            files |= {f"{name}/{n}": path for n, path in inner.files.items()}
            left_out += [f"{name}/{n}" for n in inner.left_out]
        yield files, left_out, faults


def _depth(name: str) -> tuple[int, str]:
    """A key that puts the names near the top first."""
    return name.count("/"), name


@dataclass(frozen=True)
class _Found:
    place: str = ""
    missing: str = ""


class _Search:
    """Looks for the lab's notebook among files."""

    def __init__(self, unsolved: NotebookNode, lab: str) -> None:
        self.lab = lab
        cells = [cell for cell in unsolved.cells if grade_id(cell).endswith(CHECK)]
        self.texts = {cell.source.strip(): grade_id(cell) for cell in cells}
        self.own = set(self.texts.values())

    def search(self, files: Mapping[str, Path]) -> _Found:
        """The one notebook that is the lab's, or what is there in its place."""
        names = sorted((n for n in files if n.lower().endswith(_NOTEBOOKS)), key=_depth)
        head = f"no {self.lab}.ipynb"
        if len(names) > MOST_NOTEBOOKS or sum(map(_size, map(files.get, names))) > MOST_BYTES:
            return _Found(missing=f"{head}; there are more notebooks than are looked into")
        found: dict[str, str] = {}  # name by digest: two copies of the same are one
        for name in names:
            if self._belongs(files[name]):
                found.setdefault(_digest(files[name]), name)
        if len(found) == 1:
            return _Found(place=next(iter(found.values())))
        if found:
            return _Found(missing=f"{head}, but {len(found)} notebooks of this lab: "
                          f"{_some(found.values())}; which one is meant?")  # fmt: skip
        return _Found(missing=f"{head}; there is {self._describe(files)}")

    def _belongs(self, path: Path) -> bool:
        """Whether a file is a notebook with at least half of the lab's check cells."""
        try:
            cells = reading.read_notebook(path).cells
        except OSError:
            raise  # of the grader's machine: it says nothing of the file
        except Exception:  # noqa: BLE001 (a damaged file may break any part of a reader)
            return False
        names = {grade_id(cell) or self.texts.get(cell.source.strip(), "") for cell in cells}
        return 2 * len(names & self.own) >= max(1, len(self.own))

    def _describe(self, files: Mapping[str, Path]) -> str:
        names = [name for name in files if name != TIMESTAMP]
        links = [name for name in names if name.lower().endswith(_SHORTCUTS)]
        if links:
            return (
                f"{_some(links)}, which holds only an address: download the notebook itself "
                "(in Colab: File, Download, Download .ipynb)"
            )
        notebooks = [name for name in names if name.lower().endswith(_NOTEBOOKS)]
        if notebooks:
            return f"{_some(notebooks)}, which has not the cells of this lab"
        return _some(names) if names else "no file at all"


def _size(path: Path | None) -> int:
    return path.lstat().st_size if path else 0


def _digest(path: Path) -> str:
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _some(names: Iterable[str]) -> str:
    found = sorted(names, key=_depth)
    more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
    return ", ".join(found[:_MOST_NAMES]) + more
