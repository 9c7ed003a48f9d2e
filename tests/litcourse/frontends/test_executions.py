"""Which execution of which cell a check judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from litcourse.frontends.executions import Executions, defined_names

CELLS = {
    "class A:\n    b = 1\n": {"A"},
    "def f(): ...\nasync def g(): ...\n": {"f", "g"},
    "a = b = 1\nc, (d, *e) = 1, (2, 3)\nh: int = 4\n": {"a", "b", "c", "d", "e", "h"},
    "%%writefile train.py\nclass A: pass\n": {"train.py"},
    '%%writefile "one gpu.sbatch"\n#!/bin/bash\n': {"one gpu.sbatch"},
    "%%file -a train.py\n": {"train.py"},
    "%%writefile\n": set(),
    "%%writefile 'train.py\n": set(),
    "class A(\n": {"A"},
    "def f(:\n    x = 1\ny = (\n": {"f", "y"},
    "print(x == 1)\ncheck.wrap()\n": set(),
    "": set(),
}


@pytest.mark.parametrize(("source", "names"), CELLS.items())
def test_names_that_a_cell_defines(source: str, names: set[str]) -> None:
    assert defined_names(source) == names


class Kernel:
    """A kernel whose cells are run by `exec`."""

    def __init__(self) -> None:
        self.executions = Executions()
        self.names: dict[str, Any] = {}
        self.number = 0

    def run(self, source: str) -> None:
        self.number += 1
        before = after = None
        try:
            code = compile(source, "<cell>", "exec")
        except SyntaxError as error:
            before = error
        else:
            try:
                exec(code, self.names)  # noqa: S102 (a cell)
            except Exception as error:  # noqa: BLE001 (a cell's)
                after = error
        result = SimpleNamespace(
            execution_count=self.number,
            info=SimpleNamespace(raw_cell=source),
            error_before_exec=before,
            error_in_exec=after,
        )
        self.executions.note(result, self.names)

    def judged(self, *names: str) -> str:
        return self.executions.describe(names)


def test_the_last_run_counts() -> None:
    kernel = Kernel()
    kernel.run("def f(): return 1")
    kernel.run("x = 1")
    kernel.run("def f(): return 2")
    assert kernel.judged("f") == "Judged: your code as run in [3]."


def test_several_names() -> None:
    kernel = Kernel()
    kernel.run("def f(): return 1")
    kernel.run("def g(): return 1")
    assert kernel.judged("f", "g") == "Judged: your code as run in [1], [2]."


@pytest.mark.parametrize(
    ("source", "error"),
    [("def f(:", "SyntaxError"), ("1 / 0\ndef f(): return 3", "ZeroDivisionError")],
)
def test_a_later_run_that_failed_is_named_first(source: str, error: str) -> None:
    kernel = Kernel()
    kernel.run("def f(): return 1")
    kernel.run(source)
    assert kernel.judged("f") == (
        f"The cell run as [2] ended with {error}, so this is not about it. "
        "Judged: your code as run in [1]."
    )


def test_a_run_that_failed_below_the_definition_counts() -> None:
    kernel = Kernel()
    kernel.run("def f(): return 1")
    kernel.run("def f(): return 2\n1 / 0")
    assert kernel.judged("f") == "Judged: your code as run in [2]."


def test_what_nobody_saw_is_not_guessed() -> None:
    kernel = Kernel()
    assert kernel.judged("f") == ""
    kernel.run("def f(:")
    assert "Judged" not in kernel.judged("f")
