"""What a run of a notebook in a real kernel says of the machine's faults, and of the code's own."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from traitlets.config import Config

from autograder.bank import without_markers
from autograder.course import Course, Lab
from autograder.demo.made_up_students import copy_course, fill_notebook
from autograder.engine import client, syscalls
from autograder.engine.machine_faults import MachineError
from autograder.nbgrader_plugins import canary, execute, submission_metadata
from autograder.nbgrader_plugins.execute import SKIPPED, QuestionEvidence, RunSubmission
from autograder.nbgrader_plugins.graded_kernel import Kernel
from autograder.nbgrader_plugins.judge_client import judge_client
from autograder.nbgrader_plugins.submission_metadata import KEY, Context, SubmissionMetadata
from tests.litcourse.ranks.test_own_time import busy_machine, pinned

pytestmark = pytest.mark.slow

LAB, QUESTION = "lab1_mnist", "timer"
SPIN, SLEEP = "while True: pass", "import time\ntime.sleep(600)"
Result = tuple[QuestionEvidence, list[str]]


@dataclass
class Grader:
    """Runs answers to one question in kernels of the warm process."""

    lab: Lab
    folder: Path

    def run(self, before: str, *, alone: bool = False, **settings: Any) -> Result:
        """Run a right answer behind the code `before`; its evidence, and codes of the notices."""
        step = RunSubmission(config=Config({"RunSubmission": settings}))
        right = without_markers(self.lab.questions[QUESTION].solution)
        notebook = fill_notebook(self.lab.notebook, {QUESTION: f"{before}\n{right}"})
        SubmissionMetadata("digest").write(notebook)
        context = Context(self.folder, self.lab, self.lab.notebook, "ada", self.lab.folder)
        resources: dict[str, Any] = {KEY: context}
        inputs = step.draw_inputs(context, "digest")
        step.run_notebook(notebook, resources, inputs, alone=alone)
        notices = [notice.code for notice in submission_metadata.read(notebook).notices]
        return resources["question_evidence"][QUESTION], notices


@pytest.fixture(scope="module")
def grader(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grader]:
    folder, whole = tmp_path_factory.mktemp("course"), Course(root)
    course = copy_course(whole, folder, whole.lab(LAB), [QUESTION])
    client.stop()
    client.engine()
    made = Grader(course.lab(LAB), folder)
    made.run("")  # the imports of the warm process
    yield made
    judge_client().close()
    client.stop()


@pytest.mark.parametrize(
    ("before", "settings", "code"),
    [
        ("import os\nos._exit(247)", {}, "LIT907"),
        (SPIN, {"cell_seconds": 6}, "LIT906"),
        (SLEEP, {"cell_seconds": 2}, "LIT906"),
        (SLEEP, {"notebook_seconds": 4}, "LIT906"),
        (SPIN, {"limits": {"cpu_seconds": 2}}, "LIT920"),
    ],
    ids=["exit", "endless", "asleep", "notebook", "processor"],
)
def test_what_the_code_did_itself_is_scored(
    grader: Grader, before: str, settings: dict[str, Any], code: str
) -> None:
    """Alone: other tests may keep the machine busy."""
    found, notices = grader.run(before, alone=True, **settings)
    assert found.evidence is None or found.code == "LIT916", "the answer was not defined"
    assert code in notices


def _kill_kernel() -> None:
    """Kill the kernel: the child of an init process, which is a child of the warm process."""
    for init in psutil.Process(client.engine().pid).children():
        for kernel in init.children():
            os.kill(kernel.pid, signal.SIGKILL)


def test_a_kernel_that_others_kill_says_nothing_of_the_code(grader: Grader) -> None:
    later = threading.Timer(3, _kill_kernel)
    later.start()
    with pytest.raises(MachineError, match="killed from outside"):
        grader.run(SLEEP)
    later.join()


def test_no_kernel_says_nothing_of_the_code(grader: Grader) -> None:
    with pytest.raises(MachineError, match="no kernel"):
        grader.run("", startup_seconds=0)


def test_a_machine_short_of_memory_says_nothing_of_the_code(
    grader: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter([3, 4])
    monkeypatch.setattr(execute, "count_memory_kills", lambda: next(kills))
    with pytest.raises(MachineError, match="out of memory"):
        grader.run("")


def test_a_second_run_tells_nothing_twice(grader: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    kills = iter([3, 4, 4, 4])
    monkeypatch.setattr(execute, "count_memory_kills", lambda: next(kills))
    notebook = fill_notebook(grader.lab.notebook, {QUESTION: "import os\nos._exit(247)"})
    SubmissionMetadata("digest").write(notebook)
    context = Context(grader.folder, grader.lab, grader.lab.notebook, "ada", grader.lab.folder)
    notebook, _ = RunSubmission().preprocess(notebook, {KEY: context, SKIPPED: {}})
    found = submission_metadata.read(notebook).notices
    assert [notice.code for notice in found] == ["LIT907"]


PAGE = os.sysconf("SC_PAGE_SIZE")
AS_ROOT = os.geteuid() == 0


@pytest.mark.skipif(not AS_ROOT, reason="mounts a tiny disk; to enable: run it as root")
@pytest.mark.parametrize("left", [0, PAGE], ids=["inputs", "evidence"])
def test_a_full_disk_says_nothing_of_the_code(
    grader: Grader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """It fills up just before a check: the inputs find no room, or the evidence behind them."""
    take_evidence = Kernel.take_evidence

    def on_a_full_disk(self: Kernel, *arguments: Any) -> Any:
        filler = tmp_path / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(tmp_path).free - left))
        try:
            return take_evidence(self, *arguments)
        finally:
            filler.unlink()

    monkeypatch.setattr(Kernel, "take_evidence", on_a_full_disk)
    monkeypatch.setattr(client.engine(), "folder", tmp_path)  # where a run makes its folders
    syscalls.mount_tmpfs(tmp_path, "size=20m")
    try:
        with pytest.raises(OSError, match="No space left") as full:
            grader.run("")
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
    assert full.value.errno == errno.ENOSPC


@contextlib.contextmanager
def busy_processor(count: int) -> Iterator[None]:
    """Have new kernels share one processor with `count` busy processes."""
    pid = client.engine().pid
    before = os.sched_getaffinity(pid)
    os.sched_setaffinity(pid, {min(before)})
    try:
        with pinned(), busy_machine(count):
            yield
    finally:
        os.sched_setaffinity(pid, before)


def test_a_busy_machine_says_nothing_of_the_code(grader: Grader) -> None:
    with busy_processor(15), pytest.raises(MachineError, match="on a busy machine"):
        grader.run(SPIN, cell_seconds=3)


def test_alone_it_has_three_times_as_long(grader: Grader) -> None:
    work = "import time\nend = time.process_time() + 2\nwhile time.process_time() < end: pass"
    began = time.monotonic()
    with busy_processor(3):
        found, _ = grader.run(work, alone=True, cell_seconds=4)
    assert time.monotonic() - began > 4
    assert found.evidence is not None
    assert found.code != "LIT906"


def test_the_solution_flies_in_a_real_kernel(grader: Grader) -> None:
    step = RunSubmission()
    assert canary.fly(step, grader.folder, grader.lab, grader.lab.notebook) == {}
    step.startup_seconds = 0
    failed = canary.fly(step, grader.folder, grader.lab, grader.lab.notebook)
    assert "no kernel" in failed[QUESTION]
