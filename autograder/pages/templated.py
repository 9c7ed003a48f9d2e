"""The pages around the lessons: `templates/*.md.jinja`, filled from lessons and documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

import litcourse
from autograder.building.release import page_text
from autograder.course import AuthorError, Course
from autograder.pages.facts import facts_of, glossary, link_to, tables_of
from autograder.pages.lesson_page import Page
from autograder.pages.myst_text import (
    escape,
    parser,
    sections,
    with_dropdowns,
    with_links,
)

ON_THE_SITE = {
    "../reference/README.md": "programs.md",
    "../slurm/README.md": "jobs.md",
    "RESULTS.md": "results.md",
    "reference/README.md": "programs.md",
    "reference/RESULTS.md": "results.md",
    "slurm/README.md": "jobs.md",
}
"""Documents of the repository that are pages, as other documents name them."""


def templated_pages(course: Course) -> Iterator[tuple[str, Page]]:
    """Name and page of each template."""
    environment = Environment(  # noqa: S701 (Markdown, of our own texts)
        loader=PackageLoader("autograder.pages"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    labs = [facts_of(lab) for lab in course.labs.values()]
    known = {
        "labs": labs,
        "lab": {lab.id: lab for lab in labs},
        "cell": partial(link_to, course),
        "tables": lambda *place: [table.source for table in tables_of(course, *place)],
        "glossary": glossary(course.labs.values()),
        "escape": escape,
        "release_readme": page_text("README.md", course.labs.values(), _wheel_name()),
        "lead": lambda path: _lead(_read(course, path)),
        "sbatch": partial(_directives, course),
    }
    for name in sorted(environment.list_templates(["jinja"])):
        pictures: dict[str, bytes] = {}
        document = partial(_document, course, pictures)
        text = environment.get_template(name).render(**known, document=document)
        yield name.removesuffix(".md.jinja"), Page(text, pictures)


def _wheel_name() -> str:
    return f"litcourse-{litcourse.__version__}-py3-none-any.whl"


def _read(course: Course, path: str) -> str:
    """A document of the repository.

    Raises:
        AuthorError: it is not there.
    """
    try:
        return (course.root / path).read_text(encoding="utf-8")
    except OSError as error:
        fault = f"it can't be read ({error.strerror}), and a page of the site is made of it"
        step = "restore it with git, or take the page out of autograder/pages/templates/"
        raise AuthorError(path, "", fault, step) from error


def _document(course: Course, pictures: dict[str, bytes], path: str) -> str:
    """A document as a page; its pictures come along."""
    folder = (course.root / path).parent

    def picture(name: str) -> str:
        place = f"figures/{folder.name}/{Path(name).name}"
        pictures[place] = (folder / name).read_bytes()
        return place

    text = with_dropdowns(_read(course, path))
    text = re.sub(r"<!--.*?-->\n*", "", text, flags=re.DOTALL)
    return with_links(text, ON_THE_SITE, picture)


def _lead(text: str) -> str:
    """What stands between a document's title and its first section, without pictures.

    A paragraph that ends in a colon announces them, and is left out, too.
    """
    first = sections(text)[1].body
    lines = first.splitlines()
    blocks = [
        "\n".join(lines[slice(*token.map)])
        for token in parser().parse(first)
        if token.level == 0 and token.map and token.nesting >= 0
    ]
    shown = [b for b in blocks if not b.lstrip().startswith(("![", "<")) and b[-1:] != ":"]
    return with_links("\n\n".join(shown), ON_THE_SITE, str)


def _directives(course: Course, name: str) -> tuple[str, str]:
    """What a job script is for, by its first comment, and its `#SBATCH` lines."""
    lines = _read(course, f"slurm/{name}.sbatch").splitlines()
    about = next(line.lstrip("# ") for line in lines[1:] if line.startswith("# "))
    return about, "\n".join(line for line in lines if line.startswith("#SBATCH"))
