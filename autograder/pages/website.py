"""`autograder pages`: writes the MyST pages of the site, with or without solutions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.building import leak_scan
from autograder.course import Course
from autograder.pages.findings_page import findings_page
from autograder.pages.kept_outputs import printed_by_given_cells
from autograder.pages.lesson_page import Page, lesson_page
from autograder.pages.templated import templated_pages

PUBLIC, WITH_SOLUTIONS = Path("site"), Path("dist", "site-solutions")
"""Where pages go; what is published is the first one, and never holds a solution."""
CONTENT = "content"


@dataclass(frozen=True)
class Written:
    """What `write_pages` did.

    Args:
        folder: the folder of all pages.
        changed: names of the files that changed, relative to it.
    """

    folder: Path
    changed: tuple[str, ...]


def write_pages(course: Course, *, solutions: bool = False, out: Path | None = None) -> Written:
    """Write the pages of all labs and those around them.

    A file that is right keeps its time stamp, so that Sphinx reads only what has changed.

    Args:
        course: the course.
        solutions: also solutions, for instructors.
        out: folder in place of `site/` or `dist/site-solutions/`.

    Raises:
        AuthorError: outputs are not those of the notebooks, or a page would hold an answer;
            nothing is written.
    """
    target = (out or course.root / (WITH_SOLUTIONS if solutions else PUBLIC)) / CONTENT
    with tempfile.TemporaryDirectory(prefix="pages-") as scratch:
        for name, page in _pages(course, solutions=solutions):
            _write(Path(scratch), name, page)
        if not solutions:
            labs = course.labs.values()
            shown = [text for lab in labs for text in printed_by_given_cells(lab)]
            leak_scan.scan(course, labs, Path(scratch), shown)
        return Written(target, tuple(_publish(Path(scratch), target)))


def _pages(course: Course, *, solutions: bool) -> Iterator[tuple[str, Page]]:
    for lab in course.labs.values():
        yield lab.id, lesson_page(lab, solutions=solutions)
    yield "findings", Page(findings_page(), {})
    yield from templated_pages(course)


def _write(folder: Path, name: str, page: Page) -> None:
    path = folder / f"{name}.md"
    path.write_text(page.text, encoding="utf-8")
    for picture, data in page.pictures.items():
        place = folder / picture
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def _publish(fresh: Path, target: Path) -> Iterator[str]:
    """Bring `target` to the state of `fresh`, and yield the names of files that changed."""
    names = {p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file()}
    for name in sorted(names):
        place, data = target / name, (fresh / name).read_bytes()
        if not place.is_file() or place.read_bytes() != data:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            yield name.as_posix()
    for old in sorted(p.relative_to(target) for p in target.rglob("*") if p.is_file()):
        if old not in names:
            (target / old).unlink()
            yield old.as_posix()
    for folder in sorted(target.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder)
