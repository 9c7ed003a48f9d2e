"""Finds the files that decide on a question's results: its module, and what that imports of ours.

Imports are read off the sources, those inside functions too; a text that names a module counts as
an import of it, since a command line may name one. `litcourse.feedback` is left out: it holds
words, which decide on no score.
"""

from __future__ import annotations

import ast
import hashlib
import platform
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import autograder
import litcourse
from autograder.course import Lab
from litcourse import labs

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy")
"""Libraries whose versions decide on results, too."""
_RUNNERS = ("autograder.verifying.warm_runner", "litcourse.core.scoring")
"""What runs any answer, and judges it."""
_WORDS = "litcourse.feedback"
_OURS = re.compile(r"\b(?:litcourse|autograder)(?:\.\w+)+")
_PLACES = {each.__name__: Path(each.__path__[0]) for each in (litcourse, autograder)}


def digest_of_question(lab: Lab, question_id: str) -> str:
    """SHA-256, hex, of all that decides on a question's results, but the answers themselves.

    The parts are our sources and data files, and the versions of Python and of the libraries.
    """
    roots = (f"litcourse.labs.{lab.id}.{question_id}", *_RUNNERS, *_named_in_notebook(lab))
    judged_by = [Path(__file__).with_name(name) for name in ("trials.py", "verify.py")]
    found = hashlib.sha256()
    for path in [*judged_by, *find_files(roots)]:
        found.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for name in PACKAGES:
        found.update(f"{name} {_version_of(name)}\n".encode())
    found.update(f"{platform.python_version()} {platform.machine()}".encode())
    return found.hexdigest()


def _named_in_notebook(lab: Lab) -> set[str]:
    """Modules of ours that the notebook names: its cells import networks and data."""
    return {name for cell in lab.notebook.cells for name in _OURS.findall(cell.source)}


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def find_files(names: Iterable[str]) -> list[Path]:
    """The files of these modules and of all that they import of ours, data files too, sorted.

    Args:
        names: dotted names of modules, or of what is in one.
    """
    waiting, known = list(names), set[Path]()
    while waiting:
        for path in _files_of(waiting.pop()):
            if path not in known:
                known.add(path)
                waiting += _names_in(path, path.stat().st_mtime_ns)
    return sorted(known)


def _files_of(name: str) -> Iterator[Path]:
    """The files of a module and of each package that it is in, with the data beside them."""
    if f"{name}.".startswith(f"{_WORDS}."):
        return
    package, *parts = name.split(".")
    place = _PLACES[package]
    yield from _files_in(place)
    for number, part in enumerate(parts):
        inside = labs.__path__ if parts[:number] == ["labs"] else (place,)
        place = next((found for p in inside if (found := Path(p, part)).is_dir()), place / part)
        yield from _files_in(place)
        if place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")


def _files_in(folder: Path) -> Iterator[Path]:
    """The data files of a package, and its `__init__`; no files if it is none."""
    if (folder / "__init__.py").is_file():
        yield from (p for p in folder.iterdir() if p.is_file() and p.suffix != ".py")
        yield folder / "__init__.py"


@cache
def _names_in(path: Path, _: int) -> tuple[str, ...]:
    """What a source file, of a given time of change, names of ours."""
    if path.suffix != ".py":
        return ()
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(_OURS.findall(node.value))
    return tuple(name for name in sorted(found) if name.partition(".")[0] in _PLACES)
