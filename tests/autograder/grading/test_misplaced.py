"""A notebook that is nearly in its place is graded, by `autograder grade` and by nbgrader alike."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from autograder.demo.made_up_students import fill_notebook

from .conftest import LAB, QUESTION, RIGHT, WRONG, Class

POINTS = 5.0
READS = (
    f"def {QUESTION}(number):\n"
    "    return number + int((FILES / 'one.txt').read_text(encoding='utf-8'))"
)
"""An answer that needs the file beside its notebook."""
Grade = Callable[[Class], None]


def _by_autograder(group: Class) -> None:
    assert group.grade() == 0


def _by_nbgrader(group: Class) -> None:
    group.nbgrader_autograde()


BOTH = pytest.mark.parametrize("grade", [_by_autograder, _by_nbgrader])


def _notebook(group: Class, answer: str = RIGHT) -> bytes:
    lab = group.course.lab(LAB)
    return str(nbformat.writes(fill_notebook(lab.notebook, {QUESTION: answer}))).encode()


def _send(group: Class, student: str, files: Mapping[str, bytes | Mapping[str, bytes]]) -> Path:
    """Submit files; a mapping is a zip file."""
    folder = group.root / "submitted" / student / LAB
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
            continue
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for inner, data in content.items():
                archive.writestr(inner, data)
    return folder


def _head(group: Class, student: str) -> str:
    path = group.graded(student) / f"{LAB}.ipynb"
    return str(nbformat.read(path, as_version=4).cells[0].source)


@BOTH
@pytest.mark.parametrize(
    ("place", "packed"),
    [
        (f"{LAB} (1).ipynb", ""),
        (f"{LAB}-1.ipynb", ""),
        ("Lab0_TINY.ipynb", ""),
        (f"{LAB} (copy).ipynb", ""),
        (f"{LAB}.ipynb.txt", ""),
        (f"my lab/{LAB}.ipynb", ""),
        (f"a/b/{LAB}-Copy1.ipynb", ""),
        (f"{LAB}.ipynb", "work.zip"),
        (f"my lab/{LAB} (1).ipynb", "Work.ZIP"),
        (f"my lab/{LAB}.ipynb", "sent/work.zip"),
    ],
)
def test_the_one_notebook_is_graded_with_what_lies_beside_it(
    group: Class, grade: Grade, place: str, packed: str
) -> None:
    beside = str(Path(place).with_name("one.txt"))
    content = {place: _notebook(group, READS), beside: b"1"}
    _send(group, "ada", {packed: content} if packed else content)
    grade(group)
    assert group.students() == {"ada": POINTS}
    where = f"{packed}/{place}" if packed else place
    assert f": this is {where}. " in _head(group, "ada")
    names = {str(p.relative_to(group.graded("ada"))) for p in group.graded("ada").rglob("*.*")}
    assert names == {f"{LAB}.ipynb", "one.txt"}


def test_both_ways_draw_the_same_inputs_and_the_run_says_what_it_took(
    group: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    _send(group, "ada", {"w.zip": {f"x/{LAB}.ipynb": _notebook(group), "x/one.txt": b"1"}})
    inputs = group.root / "evidence" / LAB / "ada" / f"{QUESTION}.inputs"
    assert group.grade() == 0
    assert "The notebook had another name or place (LIT952)" in " ".join(
        capsys.readouterr().out.split()
    )
    assert "this is w.zip/x/" in group.page("ada").read_text(encoding="utf-8")
    assert group.record("ada").place == f"w.zip/x/{LAB}.ipynb"
    first = inputs.read_bytes()
    group.nbgrader_autograde("--force")
    assert inputs.read_bytes() == first
    group.points(20)
    assert group.rejudge() == 0
    assert group.record("ada").place == f"w.zip/x/{LAB}.ipynb"
    assert group.record("ada").notices == ["LIT952"]
    capsys.readouterr()
    assert group.grade() == 0
    assert "1 done already" in capsys.readouterr().out


@BOTH
@pytest.mark.parametrize(
    ("files", "detail"),
    [
        ({"a.ipynb": RIGHT, "b.ipynb": WRONG}, "2 notebooks of this lab: a.ipynb, b.ipynb; which"),
        ({"A.ipynb": RIGHT, "a.ipynb": WRONG}, "2 notebooks of this lab: A.ipynb, a.ipynb"),
        ({"a.ipynb": RIGHT, "w.zip": {"a.ipynb": WRONG}}, "a.ipynb, w.zip/a.ipynb"),
        ({"w.zip": {"a.ipynb": RIGHT, "x/A.ipynb": WRONG}}, "w.zip/a.ipynb, w.zip/x/A.ipynb"),
        ({"other.ipynb": ""}, "there is other.ipynb, which has not the cells of this lab"),
        ({f"{LAB}.py": "x"}, f"there is {LAB}.py"),
        ({f"{LAB}.ipynb.gdoc": "{}"}, "holds only an address: download the notebook itself"),
        ({"w.zip": "PK"}, "w.zip can&#x27;t be opened: it is no zip file, or only a part of one"),
    ],
)
def test_what_is_ambiguous_or_absent_is_named_and_not_guessed(
    group: Class,
    grade: Grade,
    files: dict[str, str | dict[str, str]],
    detail: str,
) -> None:
    def made(text: str) -> bytes:
        if text in (RIGHT, WRONG):
            return _notebook(group, text)
        return nbformat.writes(v4.new_notebook()).encode() if not text else text.encode()

    plain: dict[str, bytes | dict[str, bytes]] = {}
    for name, content in files.items():
        if isinstance(content, str):
            plain[name] = made(content)
        else:
            plain[name] = {inner: made(text) for inner, text in content.items()}
    _send(group, "eve", plain)
    group.hand_in("ada", RIGHT)
    grade(group)
    assert group.students() == {"ada": POINTS, "eve": 0}
    head = _head(group, "eve")
    assert f"no {LAB}.ipynb" in head
    assert detail in head
    assert "LIT914" in head


@BOTH
def test_a_notebook_alone_needs_nothing_beside_it(group: Class, grade: Grade) -> None:
    _send(group, "ada", {"final version.ipynb": _notebook(group)})
    grade(group)
    assert group.students() == {"ada": POINTS}


@BOTH
def test_two_copies_of_the_same_are_one(group: Class, grade: Grade) -> None:
    _send(group, "ada", {"a (1).ipynb": _notebook(group), "a.zip": {"a.ipynb": _notebook(group)}})
    grade(group)
    assert group.students() == {"ada": POINTS}


@BOTH
def test_a_notebook_in_its_place_counts_whatever_lies_beside_it(group: Class, grade: Grade) -> None:
    _send(group, "ada", {f"{LAB}.ipynb": _notebook(group), "w.zip": {"b.ipynb": b"{}"}})
    _send(group, "ada", {f"{LAB} (1).ipynb": _notebook(group, WRONG)})
    grade(group)
    assert group.students() == {"ada": POINTS}
    assert "LIT952" not in _head(group, "ada")
    assert (group.graded("ada") / "w.zip").is_file()


@BOTH
def test_a_time_in_a_zip_file_or_a_folder_does_not_count(group: Class, grade: Grade) -> None:
    late = b"2036-11-01 10:00:00 UTC"
    files = {"x/n.ipynb": _notebook(group), "x/timestamp.txt": late}
    _send(group, "ada", {"w.zip": files})
    _send(group, "ben", {**files, "timestamp.txt": b"2026-11-01 10:00:00 UTC"})
    grade(group)
    assert group.students() == {"ada": POINTS, "ben": POINTS}
    assert not (group.graded("ada") / "timestamp.txt").exists()
    assert b"2026" in (group.graded("ben") / "timestamp.txt").read_bytes()
    with group.gradebook() as gradebook:
        assert gradebook.find_submission(LAB, "ben").timestamp.year == 2026


def test_the_files_of_a_shifted_notebook_are_those_of_its_digest(group: Class) -> None:
    folder = _send(group, "ada", {"w.zip": {f"{LAB}.ipynb": _notebook(group), "one.txt": b"1"}})
    group.grade()
    before = json.loads((group.root / f"evidence/{LAB}/ada/{QUESTION}.json").read_text("utf-8"))
    (folder / "w.zip").unlink()
    _send(group, "ada", {"w.zip": {f"{LAB}.ipynb": _notebook(group), "one.txt": b"2"}})
    group.grade()
    after = json.loads((group.root / f"evidence/{LAB}/ada/{QUESTION}.json").read_text("utf-8"))
    assert before["submission"] != after["submission"]
