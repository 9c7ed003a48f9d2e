"""`import litcourse` is cheap: nothing heavy until something needs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "lightning", "numpy", "IPython", "matplotlib", "jinja2", "otter")


def imported_by(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has after `code`."""
    tail = "\nimport json, sys; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import litcourse",
        "from litcourse import Check; check = Check('lab1_mnist'); dir(check), repr(check)",
        "import litcourse; str(litcourse.explain('LIT001'))",
        "import litcourse.core.question, litcourse.core.serialization, litcourse.core.evidence",
        "import litcourse.frontends.kernel_entry",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    assert not imported_by(code) & set(HEAVY)


def test_the_measurement_can_see_an_import() -> None:
    assert "numpy" in imported_by("import litcourse, numpy")


def test_what_a_student_imports_is_small() -> None:
    import litcourse

    assert litcourse.__all__ == ["Check", "explain"]
