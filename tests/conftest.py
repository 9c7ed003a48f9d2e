"""Gives every test a clean environment, and fails a test that leaves something behind.

At the end of a run it lists the skipped tests, with the command that would enable them.
Tests marked `release` are collected only where `-m` names them.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}


@dataclass(frozen=True)
class Need:
    """Programs that tests under a marker need, and the command that installs them."""

    marker: str
    programs: tuple[tuple[str, ...], ...]  # one of each group has to be on the PATH
    enable: str

    def missing(self) -> list[str]:
        """The first name of each group without an installed program."""
        return [group[0] for group in self.programs if not any(map(shutil.which, group))]


NEEDS = (
    Need(
        "browser",
        (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)),
        "sudo apt-get install chromium chromium-driver",
    ),
    Need(
        "postgresql",
        (("pg_createcluster", "initdb"),),
        "sudo apt-get install postgresql",
    ),
    Need("slurm", (("sbatch",), ("slurmctld",)), "sudo apt-get install slurm-wlm"),
)


def pytest_configure(config: pytest.Config) -> None:
    """Keep a person's Jupyter and IPython settings out of the tests, and ours out of their home."""
    # `make test &` in a script ignores SIGINT, and so would all programs that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        return  # a worker of xdist inherits the variables
    # Short, because kernels put Unix sockets there, whose paths have at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="pt-"))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        os.environ[name] = str(folder / name.split("_")[-1].lower())
        Path(os.environ[name]).mkdir(exist_ok=True)
    os.environ["MPLBACKEND"] = "Agg"
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that this machine can't run; in CI, where everything is installed, fail."""
    if "release" not in config.option.markexpr:
        later = [item for item in items if item.get_closest_marker("release")]
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if item not in later]
    for need in NEEDS:
        concerned = [item for item in items if item.get_closest_marker(need.marker)]
        missing = need.missing() if concerned else []
        if missing and IN_CI:
            names = ", ".join(missing)
            raise pytest.UsageError(
                f"CI runs all tests, but {len(concerned)} marked '{need.marker}' need {names}. "
                f"Add the package to .ci/run ({need.enable})."
            )
        if missing:
            reason = f"needs {', '.join(missing)}; to enable: {need.enable}"
            for item in concerned:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List each reason for skipping once, with the number of tests it concerns."""
    counts: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = text.removeprefix("Skipped: ")
        counts[reason] = counts.get(reason, 0) + 1
    if counts:
        terminalreporter.section("not run on this machine")
        for reason, count in sorted(counts.items()):
            terminalreporter.line(f"{count:4d} x {reason}")


# ---------------------------------------------------------------- nothing is left behind

# Set by libraries for the rest of the process; none of them changes what a later test does.
HARMLESS_VARIABLES = frozenset(
    {
        "PYTEST_CURRENT_TEST",  # pytest itself
        "KMP_DUPLICATE_LIB_OK",  # scikit-learn and torch, when imported
        "KMP_INIT_AT_FORK",
        "TORCHINDUCTOR_CACHE_DIR",
        "PYDEVD_USE_FRAME_EVAL",  # ipykernel, when imported
        "PYTORCH_NVML_BASED_CUDA_CHECK",  # Lightning, when imported
    }
)
# Helpers of Python that live as long as the process which first needed them.
HARMLESS_PROCESSES = ("resource_tracker", "multiprocessing.forkserver")
CACHES = frozenset(
    {"__pycache__", ".git", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}
)
_written: set[Path] = set()


def _note_writes(event: str, args: tuple[Any, ...]) -> None:
    """Audit hook: collect files of the checkout that this process opens for writing."""
    if event != "open" or not isinstance(args[0], str):
        return
    flags = args[2]
    if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        path = Path(os.path.abspath(args[0]))  # noqa: PTH100  resolve() would ask the disk
        if path.is_relative_to(ROOT) and not CACHES.intersection(path.parts):
            _written.add(path)


sys.addaudithook(_note_writes)


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Fail a test that changes the environment or the folder, or writes into the checkout."""
    variables, folder = dict(os.environ), Path.cwd()
    _written.clear()
    yield
    found = [f"environment variable {name}" for name in _changed(variables)]
    found += [f"a handler of {number.name}" for number in _restored()]
    found += [f"file {path.relative_to(ROOT)}" for path in sorted(_written) if path.exists()]
    os.environ.update(variables)
    if Path.cwd() != folder:
        found.append(f"current folder {Path.cwd()}")
        os.chdir(folder)
    if found:
        pytest.fail(
            "the test left behind: " + "; ".join(found) + ". Use monkeypatch and tmp_path.",
            pytrace=False,
        )


_HANDLERS = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
"""The handlers, before any test, of the signals that tests and people send."""


def _restored() -> list[signal.Signals]:
    """Restore the first handlers; returns the signals that had another one."""
    changed = [n for n, handler in _HANDLERS.items() if signal.getsignal(n) != handler]
    for number in changed:
        signal.signal(number, _HANDLERS[number])
    return changed


def _changed(before: dict[str, str]) -> list[str]:
    """The variables that differ from `before`; removes the new ones."""
    after = dict(os.environ)
    names = before.keys() | after.keys()
    changed = {name for name in names if before.get(name) != after.get(name)}
    changed -= HARMLESS_VARIABLES
    for name in changed - before.keys():
        del os.environ[name]
    return sorted(changed)


@pytest.fixture(autouse=True)
def _no_children(_no_leftovers: None) -> Iterator[None]:
    """Fail a test that leaves a process running, and end that process."""
    before = set(psutil.Process().children(recursive=True))
    yield
    new = [child for child in psutil.Process().children(recursive=True) if child not in before]
    if not new:
        return
    # A kernel that was told to end gets the time to do so.
    _, alive = psutil.wait_procs(new, timeout=20)
    left = [(child, _command(child)) for child in alive]
    left = [(child, command) for child, command in left if command]
    for child, _ in left:
        child.kill()
    if left:
        lines = "; ".join(f"{child.pid}: {command}" for child, command in left)
        pytest.fail(f"the test left processes running: {lines}. End them.", pytrace=False)


def _command(process: Any) -> str:
    """The command line of a process; "" if it is harmless or has ended."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        command = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    return "" if any(name in command for name in HARMLESS_PROCESSES) else command[:200]


@pytest.fixture(autouse=True)
def _neutral(_no_children: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove variables of a person's shell that change what the course does."""
    for name in ("LITCOURSE_DATA", "NBGRADER_EXECUTION", "NBGRADER_VALIDATING"):
        monkeypatch.delenv(name, raising=False)


# -------------------------------------------------- what child processes leave, in CI alone


def _tree() -> str:
    """The state of the checkout by git; "" if this is no git checkout."""
    command = ["git", "-c", "safe.directory=*", "status", "--porcelain", "--untracked-files=all"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.fixture(scope="session", autouse=True)
def _clean_tree() -> Iterator[None]:
    """Fail in CI, where nobody edits files meanwhile, if the tests changed the checkout."""
    before = _tree() if IN_CI else ""
    yield
    if IN_CI and _tree() != before:
        pytest.fail(f"the tests changed the checkout:\n{_tree()}", pytrace=False)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture
def run_in() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a folder: `run_in(folder, "nbgrader", "validate", ...)`, text captured.

    The programs of the environment that runs the tests come first. Does not raise on failure;
    pass `timeout=` in seconds (default 300).
    """

    def run(
        folder: Path, *command: str, timeout: float = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, **variables}
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def own_engine() -> Iterator[None]:
    """One warm process for a file of tests, which ends with it."""
    from autograder.engine import client

    client.stop()
    client.engine()
    yield
    client.stop()
