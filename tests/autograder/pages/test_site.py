"""The site of all labs: it builds without a warning, says what it should, and keeps answers out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_selenium_python import Axe

from autograder.building import leak_scan
from autograder.course import AuthorError, Course
from autograder.pages import website
from autograder.pages.website import write_pages
from litcourse.feedback.catalogue import catalogue
from tests.browser.jupyterlab import chromium
from tests.course import LABS, ROOT

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SETTINGS = ROOT / "autograder" / "pages" / "sphinx"
LOOKED_AT = ("index", "quick_reference", "instructors", "setup")
SERIOUS = ("serious", "critical")


def sphinx(content: Path, out: Path) -> str:
    """What Sphinx has to say of the pages in `content`; any warning is an error."""
    options = ["-q", "-W", "--keep-going", "-n", "-c", str(SETTINGS), str(content), str(out)]
    command = [sys.executable, "-m", "sphinx", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages, `content/`, and the site of them, `html/`."""
    folder = tmp_path_factory.mktemp("site")
    written = write_pages(Course(ROOT), out=folder)
    assert not sphinx(written.folder, folder / "html")
    return folder


class Seen(HTMLParser):
    """Ids, links, pictures of a page, and its text outside of code."""

    CODE = ("pre", "code", "script", "style")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag in self.CODE:
            self._open.append(tag)
        self.ids.add(names.get("id") or "")
        if tag == "a" and names.get("href"):
            self.links.append(str(names["href"]))
        if tag == "img":
            self.pictures.append(names)

    def handle_endtag(self, tag: str) -> None:
        if self._open and tag == self._open[-1]:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += "" if self._open else data


@pytest.mark.slow
def test_links_lead_somewhere_and_pictures_are_there(site: Path) -> None:
    pages = {path.name: Seen(path) for path in (site / "html").glob("*.html")}
    assert {f"{lab}.html" for lab in LABS} < pages.keys()
    for name, page in pages.items():
        for link in page.links:
            goal, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link) or (link.startswith("#") and not anchor):
                continue
            assert (site / "html" / (goal or name)).is_file(), f"{name}: {link}"
            assert not anchor or anchor in pages[goal or name].ids, f"{name}: {link}"
        for picture in page.pictures:
            source = str(picture["src"])
            assert picture.get("alt"), f"{name}: {source} has no text for who can't see it"
            assert source.startswith("data:") or (site / "html" / source).is_file()


@pytest.mark.slow
def test_no_markup_is_left_over(site: Path) -> None:
    for path in (site / "html").glob("*.html"):
        text = Seen(path).text
        assert not re.findall(r"`{3,}.*|:{3,}.*|\]\(.*|<\w+>.*|\{#?\w+\} ?`.*", text), path.name


@pytest.mark.slow
def test_every_finding_has_its_anchor(site: Path) -> None:
    page = Seen(site / "html" / "findings.html")
    assert {code.lower() for code in catalogue()} <= page.ids


@pytest.mark.slow
def test_what_has_not_changed_is_not_written_again(site: Path) -> None:
    page = site / "content" / f"{next(iter(LABS))}.md"
    page.write_text("changed")
    (site / "content" / "figures" / "gone.png").write_bytes(b"of before")
    changed = write_pages(Course(ROOT), out=site).changed
    assert sorted(changed) == ["figures/gone.png", page.name]


@pytest.mark.slow
@pytest.mark.browser
def test_nothing_serious_keeps_people_out(site: Path, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        pages = (site / "html" / f"{name}.html" for name in LOOKED_AT)
        assert not dict(faults(browser, pages))


@pytest.mark.release
@pytest.mark.browser
def test_nothing_serious_keeps_people_out_of_any_page(site: Path, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        assert not dict(faults(browser, sorted((site / "html").glob("*.html"))))


def faults(browser: Chrome, pages: Any) -> Iterator[tuple[str, list[Any]]]:
    """What axe finds in pages, light and dark, by page and look."""
    browser.set_script_timeout(300)
    for page in pages:
        for look in ("light", "dark"):
            scheme = {"name": "prefers-color-scheme", "value": look}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            browser.get(page.as_uri())
            axe = Axe(browser)
            axe.inject()
            found = axe.run(options={"resultTypes": ["violations"]})["violations"]
            serious = [
                (fault["id"], fault["nodes"][0]["html"])
                for fault in found
                if fault["impact"] in SERIOUS
            ]
            if serious:
                yield f"{page.name}, {look}", serious


@pytest.mark.release
def test_the_site_with_solutions_builds_too(tmp_path: Path) -> None:
    written = write_pages(Course(ROOT), solutions=True, out=tmp_path)
    assert not sphinx(written.folder, tmp_path / "html")


@pytest.mark.slow
def test_solutions_go_elsewhere_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [website.WITH_SOLUTIONS, website.PUBLIC]
    assert [place.parts[0] for place in places] == ["dist", "site"]
    monkeypatch.setattr(Course, "labs", {name: LABS[name] for name in list(LABS)[:1]})
    monkeypatch.setattr(website, "templated_pages", lambda _: iter(()))
    (tmp_path / "source").mkdir()
    written = write_pages(Course(tmp_path), solutions=True)
    assert written.folder == tmp_path / "dist" / "site-solutions" / "content"
    assert not (tmp_path / "site").exists()


@pytest.mark.slow
def test_an_answer_on_a_page_is_found_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = next(iter(LABS.values()))
    answer = leak_scan.solutions(lab, "")[0].lines
    page = "```python\n" + "\n".join(f"    {line}" for line in answer) + "\n```\n"
    monkeypatch.setattr(website, "findings_page", lambda: page)
    with pytest.raises(AuthorError, match="it holds a line of the answer"):
        write_pages(Course(ROOT), out=tmp_path)
    assert not list(tmp_path.rglob("*.md"))
