"""Rooms: how much a folder holds, what names it uses, and that its map is true.

Each rule is a function of a folder, so that it can be shown to fail on a made-up one.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("litcourse", "autograder", "reference")
PER_QUESTION = ("litcourse/labs", "autograder/bank")
"""Folders whose packages are labs, and whose modules are one for each question."""
MOST_SIBLINGS = 16
MOST_LINES = 350
MOST_HELPERS = 3
"""Helper modules that a question may have beside it, before it gets a folder."""
OURS = (*PACKAGES, "tests", "tools")


# --- what there is ---------------------------------------------------------------------------


def packages(root: Path) -> Iterator[Path]:
    """Every package of ours under `root`, the outermost included."""
    for top in PACKAGES:
        yield from sorted(path.parent for path in (root / top).rglob("__init__.py"))


def rooms(package: Path) -> dict[str, Path]:
    """Modules and packages in a package, by name, without its `__init__` and `__main__`."""
    modules = {path.stem: path for path in package.glob("*.py")}
    folders = {path.parent.name: path.parent for path in package.glob("*/__init__.py")}
    found = {**modules, **folders}
    return {name: found[name] for name in sorted(found) if not name.startswith("__")}


def is_lab(root: Path, package: Path) -> bool:
    """Whether a package holds questions, or the answers to them."""
    return package.parent.relative_to(root).as_posix() in PER_QUESTION


def in_lab(root: Path, package: Path) -> bool:
    """Whether a package is a lab's, or lies in one."""
    inner = package.relative_to(root).as_posix()
    return any(inner.startswith(f"{place}/") for place in PER_QUESTION)


# --- the rules -------------------------------------------------------------------------------


def crowded(root: Path) -> dict[str, int]:
    """Packages with too many rooms, labs left out: a lab has as many questions as it has."""
    counts = {p.relative_to(root).as_posix(): len(rooms(p)) for p in packages(root)
              if not is_lab(root, p)}  # fmt: skip
    return {name: count for name, count in counts.items() if count > MOST_SIBLINGS}


def named_twice(root: Path) -> dict[str, list[str]]:
    """Names that two modules or packages of one tree have; two labs may have one question's id."""
    places: dict[str, list[str]] = defaultdict(list)
    for package in packages(root):
        top = package.relative_to(root).parts[0]
        for name, path in rooms(package).items():
            is_question = is_lab(root, package) and not name.startswith("_")
            if not is_question:
                places[f"{top}: {name}"].append(path.relative_to(root).as_posix())
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def long_modules(root: Path) -> dict[str, int]:
    """Modules with too many lines."""
    files = [*root.glob("*.py"), *(p for top in OURS for p in (root / top).rglob("*.py"))]
    counts = {p.relative_to(root).as_posix(): len(p.read_text("utf-8").splitlines()) for p in files}
    return {name: count for name, count in counts.items() if count > MOST_LINES}


def helpers_used(module: Path) -> set[str]:
    """Helper modules beside `module` that it imports."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            found |= {name for name in names if (module.parent / f"{name}.py").exists()}
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def with_helpers(module: Path) -> set[str]:
    """All helpers of a question's module, those of its helpers included."""
    found: set[str] = set()
    wanted = helpers_used(module)
    while wanted - found:
        found |= wanted
        wanted = {n for name in found for n in helpers_used(module.parent / f"{name}.py")}
    return found


def without_a_folder(root: Path) -> dict[str, list[str]]:
    """Questions whose own helpers lie among other questions, too many of them."""
    found = {}
    for lab in sorted(path.parent for path in (root / "litcourse/labs").glob("*/__init__.py")):
        modules = {name: path for name, path in rooms(lab).items() if name[0] != "_"}
        files = {n: p / "__init__.py" if p.is_dir() else p for n, p in modules.items()}
        uses = {name: with_helpers(path) for name, path in files.items() if path.parent == lab}
        others = {n: {h for m, used in uses.items() if m != n for h in used} for n in uses}
        # A question that has a folder may use what lies beside that, by its full name.
        text = "".join(p.read_text("utf-8") for p in lab.glob("*/*.py"))
        for name, used in uses.items():
            own = sorted(h for h in used - others[name] if not re.search(rf"\b{h}\b", text))
            if len(own) > MOST_HELPERS:
                found[f"{lab.name}/{name}"] = own
    return found


def builders(root: Path) -> list[str]:
    """Folders of code or tests that tools and `.gitignore` take for products."""
    folders = [p for top in OURS for p in (root / top).rglob("*") if p.is_dir()]
    return [p.relative_to(root).as_posix() for p in folders if p.name in {"build", "dist"}]


def off_the_map(root: Path) -> dict[str, list[str]]:
    """Rooms that the text of their package's `__init__` does not name, between backticks."""
    found = {}
    for package in packages(root):
        names = [name for name in rooms(package) if not name.startswith("_")]
        text = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
        missing = [name for name in names if not re.search(rf"`{name}(?:\.py|/)?`", text)]
        if len(names) > 1 and missing and not in_lab(root, package) and not has_labs(root, package):
            found[package.relative_to(root).as_posix()] = missing
    return found


def has_labs(root: Path, package: Path) -> bool:
    """Whether the rooms of a package are the labs, which nobody lists."""
    return package.relative_to(root).as_posix() in PER_QUESTION


def unknown_on_the_map(root: Path) -> dict[str, list[str]]:
    """Entries of a map, a number and a name between backticks, that name no room."""
    found = {}
    for package in packages(root):
        text = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
        entries = re.findall(r"^\d+\. `(\w+)`", text, re.MULTILINE)
        gone = [name for name in entries if name not in rooms(package)]
        if gone:
            found[package.relative_to(root).as_posix()] = gone
    return found


# --- the repository --------------------------------------------------------------------------


def test_no_folder_is_crowded() -> None:
    assert not crowded(ROOT), f"at most {MOST_SIBLINGS} modules and packages: make a room of some"


def test_no_name_is_used_twice_in_a_package() -> None:
    assert not named_twice(ROOT)


def test_no_module_is_long() -> None:
    assert not long_modules(ROOT), f"split what is over {MOST_LINES} lines"


def test_a_question_of_many_modules_has_a_folder() -> None:
    assert not without_a_folder(ROOT), "make it litcourse/labs/<lab>/<question>/__init__.py"


def test_no_folder_has_the_name_of_a_product() -> None:
    assert not builders(ROOT), "setuptools, hatchling and .gitignore take it for what they make"


def test_every_package_is_a_map_of_its_modules() -> None:
    assert not off_the_map(ROOT), "give each a line in the package's __init__, in backticks"
    assert not unknown_on_the_map(ROOT)


# --- each of them can fail -------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A small tree without a fault."""
    texts = {
        "litcourse/__init__.py": '"""1. `core`: words.\n2. `data`: sets.\n3. `labs`: questions."""',
        "litcourse/data.py": "",
        "litcourse/core/__init__.py": "",
        "litcourse/core/tree.py": "",
        "litcourse/labs/__init__.py": "",
        **{f"litcourse/labs/{lab}/__init__.py": "" for lab in ("lab1", "lab2")},
        **{f"litcourse/labs/{lab}/fit.py": "" for lab in ("lab1", "lab2")},
        "litcourse/labs/lab2/wrap/__init__.py": "",
        "litcourse/labs/lab2/wrap/_loss.py": "",
        "autograder/__init__.py": "",
        "autograder/data.py": "",
        "tests/test_data.py": "",
    }
    for name, text in texts.items():
        write(tmp_path, name, text)
    return tmp_path


def write(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_tree_without_a_fault_has_none(made: Path) -> None:
    assert not crowded(made)
    assert not named_twice(made)
    assert not long_modules(made)
    assert not without_a_folder(made)
    assert not builders(made)
    assert not off_the_map(made)
    assert not unknown_on_the_map(made)


def test_one_room_too_many_is_noticed_and_questions_are_free(made: Path) -> None:
    for number in range(MOST_SIBLINGS):
        write(made, f"litcourse/labs/lab1/question{number}.py")
        write(made, f"litcourse/core/module{number}.py")
        write(made, f"litcourse/core/data{number}.json")
    assert crowded(made) == {"litcourse/core": MOST_SIBLINGS + 1}


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("litcourse/core/data.py", ["litcourse/data.py", "litcourse/core/data.py"]),
        ("litcourse/core/labs/__init__.py", ["litcourse/labs", "litcourse/core/labs"]),
        ("litcourse/labs/lab1/_loss.py", None),
        ("litcourse/core/fit.py", []),
        ("litcourse/core/__main__.py", []),
    ],
)
def test_a_name_used_twice_is_noticed(made: Path, name: str, places: list[str] | None) -> None:
    write(made, name)
    found = named_twice(made)
    if places is None:
        places = ["litcourse/labs/lab1/_loss.py", "litcourse/labs/lab2/wrap/_loss.py"]
    assert list(found.values()) == ([places] if places else [])


def test_one_line_too_many_is_noticed(made: Path) -> None:
    write(made, "tests/test_long.py", "\n" * (MOST_LINES + 1))
    write(made, "tests/test_full.py", "\n" * MOST_LINES)
    assert long_modules(made) == {"tests/test_long.py": MOST_LINES + 1}


def test_a_question_with_many_helpers_is_noticed(made: Path) -> None:
    names = ["_a", "_b", "_c", "_d"]
    for name in names:
        write(made, f"litcourse/labs/lab1/{name}.py")
    write(made, "litcourse/labs/lab1/_c.py", "from . import _d\n")
    write(made, "litcourse/labs/lab1/fit.py", "from . import _a, _b\nfrom ._c import x\n")
    assert without_a_folder(made) == {"lab1/fit": names}
    write(made, "litcourse/labs/lab1/wrap.py", "from litcourse.labs.lab1._a import y\n")
    assert not without_a_folder(made)


@pytest.mark.parametrize("name", ["autograder/build/__init__.py", "tests/dist/test_x.py"])
def test_a_folder_named_like_a_product_is_noticed(made: Path, name: str) -> None:
    write(made, name)
    assert builders(made) == [str(Path(name).parent)]


def test_a_map_that_is_not_true_is_noticed(made: Path) -> None:
    write(made, "litcourse/models.py")
    assert off_the_map(made) == {"litcourse": ["models"]}
    (made / "litcourse/models.py").unlink()
    (made / "litcourse/data.py").unlink()
    assert unknown_on_the_map(made) == {"litcourse": ["data"]}
