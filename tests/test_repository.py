"""What holds for the repository as a whole, whichever part of it changed."""

import ast
import json
import re
import subprocess
import tomllib
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TEXT = {".py", ".md", ".toml", ".ipynb", ".sh", ".sbatch", ".jinja", ".lock", ".json", ".txt", ""}
FUNCTION_LINES = 40

# Put together here, so that this file does not hold what it looks for.
REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "download.py" + "torch.org",
              "--extra-index" + "-url", "--index" + "-url ", "--find" + "-links ")  # fmt: skip
MACHINE_PATHS = re.compile(
    "|".join(
        ("/wor" + r"k/\w", "/ro" + r"ot/[.\w]", "/ho" + r"me/(?!student\b)\w", "/Use" + r"rs/\w")
    )
)
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]))


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked or could be, as git sees it."""
    # A checkout that another user owns, as in a container, is git's to doubt and not ours.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    listed = done.stdout.split("\0")
    if listed == [""]:
        pytest.skip("needs a git checkout; to enable: git clone the repository")
    paths = (ROOT / name for name in sorted(set(listed)) if name)
    return tuple(path for path in paths if path.is_file())


def texts() -> dict[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in files()
        if path.suffix in TEXT
    }


def modules() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def load(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


def markdown() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def test_no_file_names_a_registry() -> None:
    found = [(name, word) for name, text in texts().items() for word in REGISTRIES if word in text]
    assert not found


def test_no_file_names_a_path_of_one_machine() -> None:
    hits = {name: MACHINE_PATHS.search(prose(name, text)) for name, text in texts().items()}
    assert not {name: hit.group() for name, hit in hits.items() if hit}


def test_nothing_is_marked_unfinished() -> None:
    hits = {name: UNFINISHED.search(prose(name, text)) for name, text in texts().items()}
    assert not {name: hit.group() for name, hit in hits.items() if hit}


def prose(name: str, text: str) -> str:
    """The text without what is no text: a notebook's pictures, the hashes of the lock."""
    if name.endswith(".lock"):
        return ""
    if not name.endswith(".ipynb"):
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def test_functions_are_short() -> None:
    long = {}
    for path in modules():
        if "bank" in path.parts:
            continue  # answers as students write them
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = body_lines(node)
                if count > FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = count
    assert not long, f"split what is over {FUNCTION_LINES} lines, docstring not counted"


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_what_ships_imports_nothing_that_does_not() -> None:
    imports = {
        (str(path.relative_to(ROOT)), name)
        for path in modules()
        if path.is_relative_to(ROOT / "litcourse")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in imported(node)
    }
    assert not {pair for pair in imports if pair[1].split(".")[0] in {"autograder", "reference"}}


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


# --------------------------------------------------------------------------- documents

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_links_in_documents_lead_somewhere() -> None:
    broken = []
    for path in markdown():
        for target in LINK.findall(without_code(path.read_text())):
            name, _, anchor = target.partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            goal = path.parent / name if name else path
            if not goal.exists() or (anchor and anchor not in anchors(goal)):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert not broken


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ +(.+)$", path.read_text(), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def test_make_targets_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        (str(path.relative_to(ROOT)), target)
        for path in markdown()
        for target in re.findall(r"`make ([a-z]+)", path.read_text())
    }
    assert not {pair for pair in named if pair[1] not in targets}


def test_file_map_of_the_readme_is_complete() -> None:
    text = (ROOT / "README.md").read_text()
    tops = {path.relative_to(ROOT).parts[0] for path in files()}
    tops -= {"README.md"}
    unnamed = {top for top in tops if not top.startswith(".") and f"`{top}" not in text}
    assert not unnamed, "give each of them a caption in the README's file map"


# ------------------------------------------------------------- versions and dependencies


def test_versions_agree() -> None:
    outer, inner = load("pyproject.toml"), load("litcourse/pyproject.toml")
    version = inner["project"]["version"]
    assert outer["project"]["version"] == version
    assert f"litcourse=={version}" in outer["project"]["dependencies"]
    assert f'__version__ = "{version}"' in (ROOT / "litcourse/__init__.py").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def locked() -> dict[str, set[str]]:
    """Each package of the lock with its versions (several where Python or platform decide)."""
    found: dict[str, set[str]] = {}
    lock = (ROOT / "requirements.lock").read_text()
    for name, version in re.findall(r"^([\w.\-]+)==([^\s;]+)", lock, flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def test_lock_meets_every_range() -> None:
    outer, inner = load("pyproject.toml")["project"], load("litcourse/pyproject.toml")["project"]
    wanted = outer["dependencies"] + inner["dependencies"]
    wanted += outer["optional-dependencies"]["dev"]
    versions = locked()
    stale = [
        text
        for text in wanted
        if (need := Requirement(text)).name != "litcourse"
        and not all(map(need.specifier.contains, versions.get(canonicalize_name(need.name), {""})))
    ]
    assert not stale, "run: make lock"


def test_lock_holds_a_hash_for_each_package() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]


def test_course_refuses_the_bad_lightning_releases() -> None:
    for path in ("litcourse/pyproject.toml",):
        needs = [Requirement(text) for text in load(path)["project"]["dependencies"]]
        (lightning,) = (need for need in needs if need.name == "lightning")
        # 2.6.2 and 2.6.3 were malicious; up to 2.6.5 a checkpoint can run code when loaded.
        assert not any(map(lightning.specifier.contains, ("2.6.2", "2.6.3", "2.6.5")))


def test_sums_of_the_release_list_what_is_committed() -> None:
    release = ROOT / "release"
    committed = {p.relative_to(release).as_posix() for p in files() if p.is_relative_to(release)}
    lines = (release / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    assert listed.keys() <= committed, "a bare clone would lack them"
    digests = {name: sha256((release / name).read_bytes()).hexdigest() for name in listed}
    assert digests == listed, "run: make release"


def test_git_ignores_the_student_wheel() -> None:
    name = "release/litcourse-9.9.9-py3-none-any.whl"
    command = ["git", "-c", "safe.directory=*", "check-ignore", "--quiet", name]
    assert files()  # or this is no checkout
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_student_wheel_carries_the_licence() -> None:
    assert (ROOT / "litcourse/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
