"""Writes the pages of `release/`, compares it with a new build, and publishes that."""

from __future__ import annotations

import difflib
import filecmp
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from string import Template

from autograder.building import checksums
from autograder.building.wheel import is_student_wheel, members
from autograder.course import AuthorError, Lab

_MANY = 20
_TEMPLATES = {
    "README.md": "release_readme.md.template",
    "AGENTS.md": "release_agents.md.template",
    "nbgrader_config.py": "release_nbgrader_config.py.template",
    "requirements.txt": "release_requirements.txt.template",
}


def write_pages(labs: Iterable[Lab], wheel: Path, folder: Path) -> None:
    """Write the pages and requirements.txt for `labs` and the student wheel into `folder`."""
    labs = list(labs)
    for name in _TEMPLATES:
        (folder / name).write_text(page_text(name, labs, wheel.name), encoding="utf-8")


def page_text(name: str, labs: Iterable[Lab], wheel: str) -> str:
    """A page of a release, or its requirements.txt, for `labs` and the name of a wheel."""
    labs = list(labs)
    names = {
        "labs": "\n".join(f"- `{_notebook(lab)}`: {_title(lab)}" for lab in labs),
        "first": _notebook(labs[0]) if labs else "",
        "question": next((question for lab in labs for question in lab.questions), ""),
        "wheel": wheel,
    }
    template = files("autograder.building").joinpath("templates", _TEMPLATES[name])
    return Template(template.read_text(encoding="utf-8")).substitute(names)


def _notebook(lab: Lab) -> str:
    return f"{lab.id}/{lab.id}.ipynb"


def _title(lab: Lab) -> str:
    """The notebook's first heading."""
    lines = (line for cell in lab.notebook.cells for line in cell.source.splitlines())
    return next((line.lstrip("# ") for line in lines if line.startswith("# ")), lab.id)


def differences(fresh: Path, old: Path, *, all_labs: bool, kept: Collection[str] = ()) -> list[str]:
    """The differences between `old` and `fresh`, as lines to print.

    A missing wheel is no difference, because a clone has none before its first build. A wheel that
    is there has to be the right one.

    Args:
        fresh: a new release folder.
        old: the present release folder.
        all_labs: also report files that only `old` has, as after a build of all labs.
        kept: folders of `old` that belong to nbgrader alone.
    """
    wanted = [n for n in _list_files(fresh) if not is_student_wheel(n) or (old / n).is_file()]
    found = [line for name in wanted for line in _compare(fresh / name, old / name, name)]
    if not found and not checksums.matches(old, wanted):
        found.append(f"release/{checksums.NAME}: not of these files")
    superfluous = _find_superfluous(fresh, old, kept) if all_labs else []
    return [*found, *_name_superfluous(superfluous)]


def _name_superfluous(superfluous: Collection[str]) -> Iterator[str]:
    """A line for each file, or one for a folder with many, such as a `.venv`."""
    counts = Counter(name.split("/", 1)[0] for name in superfluous)
    for name in superfluous:
        if counts[name.split("/", 1)[0]] <= _MANY:
            yield f"release/{name}: not made from source/ (any more)"
    for folder, count in counts.items():
        if count > _MANY:
            yield f"release/{folder}: {count:,} files that are not made from source/ (any more)"


def _find_superfluous(fresh: Path, old: Path, kept: Collection[str]) -> list[str]:
    found = set(_list_files(old)) - set(_list_files(fresh))
    return sorted(name for name in found if name.split("/", 1)[0] not in {*kept, checksums.NAME})


def _list_files(folder: Path) -> list[str]:
    paths = (p for p in folder.rglob("*") if p.is_file() and ".ipynb_checkpoints" not in p.parts)
    return sorted(p.relative_to(folder).as_posix() for p in paths)


def _compare(fresh: Path, old: Path, name: str) -> Iterator[str]:
    if not old.is_file():
        yield f"release/{name}: missing"
    elif fresh.suffix == ".whl":
        yield from _compare_wheels(fresh, old, name)
    elif not filecmp.cmp(fresh, old, shallow=False):
        yield from _compare_text(fresh, old, name)


def _compare_text(fresh: Path, old: Path, name: str) -> Iterator[str]:
    before, after = _lines(old), _lines(fresh)
    if before is None or after is None:
        yield f"release/{name}: other bytes"
        return
    labels = f"release/{name}", f"release/{name} (built from source/)"
    yield from difflib.unified_diff(before, after, *labels, lineterm="")


def _lines(path: Path) -> list[str] | None:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        return None


def _compare_wheels(fresh: Path, old: Path, name: str) -> Iterator[str]:
    """Compare members, since another zlib packs the same files into other bytes."""
    before, after = members(old), members(fresh)
    if not before:
        yield f"release/{name}: not a wheel"
        return
    changed = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    if len(changed) > _MANY:  # one line says it, as this happens after every `git pull`
        yield f"release/{name}: {len(changed):,} files are not those of litcourse/ (any more)"
        return
    for member in changed:
        state = (
            "differs"
            if member in before and member in after
            else ("missing" if member in after else "not made from litcourse/ (any more)")
        )
        yield f"release/{name}: {member} {state}"


def publish(fresh: Path, release: Path, *, all_labs: bool, kept: Collection[str] = ()) -> list[str]:
    """Bring `release` to the state of `fresh`; returns the names of the files that changed.

    Folders in `kept` belong to nbgrader alone and stay. A file that is right keeps its bytes, as
    does a wheel of which only the packing differs. Files that no build wrote stay. Wheels of other
    versions are removed, since a person would not know which one to install.

    Raises:
        AuthorError: a file to be replaced was changed since the last build.
    """
    known, names = checksums.read(release), _list_files(fresh)
    changed = [n for n in names if any(_compare(fresh / n, release / n, n))]
    for name in changed:
        if (release / name).is_file() and not checksums.is_ours(release, name, known):
            raise _in_the_way_error(release / name)
    for name in changed:
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(fresh / name, release / name)
    gone = _find_superfluous(fresh, release, kept) if all_labs else _old_wheels(fresh, release)
    gone = [name for name in gone if checksums.is_ours(release, name, known)]
    for name in gone:
        (release / name).unlink()
    others = (
        {} if all_labs else {name: digest for name, digest in known.items() if name not in gone}
    )
    checksums.write(release, names, others)
    return changed + gone


def _in_the_way_error(path: Path) -> AuthorError:
    fault = (
        "it was changed since the last build, so it may hold somebody's answers; nothing is written"
    )
    step = f"mv {path} ~/{path.name}   (or rm, if nobody needs it), then the same again"
    return AuthorError(path, "", fault, step)


def _old_wheels(fresh: Path, release: Path) -> list[str]:
    """Wheels that `fresh` does not have."""
    return sorted({p.name for p in release.glob("*.whl")} - {p.name for p in fresh.glob("*.whl")})
