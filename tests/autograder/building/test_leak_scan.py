"""The leak scan finds what must not be published, wherever it hides, and only that."""

import base64
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder.building.build import make_release
from autograder.building.leak_scan import bank_entries, documents, scan, solutions, telling_lines
from autograder.course import AuthorError, Course, Lab
from autograder.secret import SECRET_FILE

ANSWER = """def add_one(number):
    ### BEGIN SOLUTION
    following = number + 1
    if following > number:
        return following
    ### END SOLUTION
"""
ONE_LINE = """def add_one(number):
    ### BEGIN SOLUTION
    return sum([number, 1])
    ### END SOLUTION
"""
LONG = "    return int(round(float(number) + float(True)))"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def with_solution(course: Course, source: str, task: str = "Add one.") -> Lab:
    lab = course.lab("lab0_tiny")
    for cell in lab.notebook.cells:
        if cell.id == "add_one":
            cell.source = source
        elif cell.id == "add_one-task":
            cell.source = task
    return lab


def notebook(*sources: str) -> str:
    cells = [nbformat.v4.new_markdown_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))


def wheel(path: Path, name: str, text: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, text)


def finds(course: Course, lab: Lab, folder: Path) -> str:
    with pytest.raises(AuthorError) as error:
        scan(course, [lab], folder)
    return str(error.value)


# --- solutions -----------------------------------------------------------------------------


def test_a_region_in_a_notebook_is_found(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ANSWER)
    (out / "a.ipynb").write_text(notebook("Hello", f"As follows:\n{ANSWER}"))
    message = finds(tiny, lab, out)
    assert message.startswith("a.ipynb, question 'add_one'")
    assert "following = number + 1" in message


def test_indentation_blank_lines_and_comments_hide_nothing(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ANSWER)
    text = "following =  number + 1\n\n# now\nif following > number:\n\treturn following\n"
    (out / "page.md").write_text(text)
    assert "page.md" in finds(tiny, lab, out)


def test_a_region_inside_the_wheel_is_found(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ANSWER)
    wheel(out / "litcourse-1-py3-none-any.whl", "litcourse/hidden.py", ANSWER)
    assert "litcourse-1-py3-none-any.whl:litcourse/hidden.py" in finds(tiny, lab, out)


@pytest.mark.parametrize("name", ["students.zip", "numbers.bin"])
def test_a_wheel_inside_an_archive_is_opened_whatever_its_name(
    tiny: Course, out: Path, tmp_path: Path, name: str
) -> None:
    lab = with_solution(tiny, ANSWER)
    inner = tmp_path / "inner.whl"
    wheel(inner, "litcourse/hidden.py", ANSWER)
    with zipfile.ZipFile(out / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "course/inner.whl")
    assert f"{name}:course/inner.whl:litcourse/hidden.py" in finds(tiny, lab, out)


def test_half_a_region_is_no_leak(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ANSWER)
    (out / "page.md").write_text("following = number + 1\nanother line of text\nreturn following")
    scan(tiny, [lab], out)


def test_a_region_of_one_line_is_found_within_prose(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ONE_LINE)
    (out / "page.md").write_text("Just write `return sum([number, 1])` and be done.")
    assert "page.md" in finds(tiny, lab, out)


def test_a_long_line_of_a_region_leaks_alone(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ANSWER.replace("        return following", LONG))
    (out / "page.md").write_text(f"Hint: {LONG.strip()}")
    assert "page.md" in finds(tiny, lab, out)


def test_what_the_lesson_shows_anyway_is_no_leak(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ONE_LINE, task="Such as `return sum([number, 1])`.")
    (out / "page.md").write_text("return sum([number, 1])")
    scan(tiny, [lab], out)


def test_code_that_only_contains_the_line_is_no_leak(tiny: Course, out: Path) -> None:
    lab = with_solution(tiny, ONE_LINE)
    (out / "judge.py").write_text("    return sum([number, 1]) + offset\n")
    scan(tiny, [lab], out)


def test_lines_that_any_program_holds_say_nothing() -> None:
    assert telling_lines("  else:\n    x = 1\n    # a long comment of many words\n\n") == ()
    assert telling_lines("\tloss =   function(images)") == ("loss = function(images)",)


# --- the bank and the secret ---------------------------------------------------------------


def test_an_answer_of_the_bank_is_found(tiny: Course, lab: Lab, out: Path) -> None:
    path = tiny.root / "autograder/bank/lab0_tiny/add_one.py"
    code = "def add_one(number):\n    wrong = number + 2\n    return wrong - 0"
    path.write_text(
        f"from autograder.bank import wrong\nCASES = [wrong('two', 'LIT900', code={code!r})]\n"
    )
    (out / "cases.md").write_text(code)
    assert "autograder/bank/lab0_tiny/add_one.py" in finds(tiny, lab, out)


@pytest.mark.parametrize("form", ["raw", "hex", "base64"])
def test_the_secret_is_found_in_any_form(tiny: Course, lab: Lab, out: Path, form: str) -> None:
    secret = bytes(range(7, 39))
    (tiny.root / SECRET_FILE).write_bytes(secret)
    forms = {"raw": secret, "hex": secret.hex().encode(), "base64": base64.b64encode(secret)}
    (out / "data.bin").write_bytes(b"before" + forms[form] + b"after")
    assert "the course secret" in finds(tiny, lab, out)


# --- the course itself ---------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_leaks_from_the_course(root: Path, tmp_path: Path) -> None:
    course = Course(root)
    out = tmp_path / "made"
    archive = make_release(course, list(course.labs.values()), out)
    assert archive is not None
    for lab in course.labs.values():
        assert {p.question_id for p in solutions(lab, "")} == set(lab.questions), (
            "nothing to look for"
        )
        assert {p.question_id for p in bank_entries(lab)} == set(lab.questions)
    names = [document.name for document in documents(out)]
    for top in ("release/", f"dist/students/{archive.name}:{archive.stem}/"):
        assert f"{top}lab1_mnist/lab1_mnist.ipynb" in names
        inside = [name for name in names if name.startswith(top)]
        assert any(n.endswith(".whl:litcourse/check.py") for n in inside), "the wheel is closed"
    assert not [name for name in names if "bank" in name or "autograder" in name]
