"""Lab 2's solution on the real CIFAR10: it trains on a part of it, and its checks pass."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.course import LABS, questions
from tests.litcourse import real_data

pytestmark = pytest.mark.slow

LAB = "lab2_cifar10"
VAL_SIZE = 0.7
"""All images take minutes: with 0.1, one epoch got 55.5 % of the test images right."""
QUESTIONS = [name for name in questions(LAB) if not LABS[LAB].find_question(name).files]
"""Those that are about names of the notebook: a program, here `script`, trains on its own."""
TRAINING = """
data = CIFAR10DataModule(data_dir=data_dir, val_size=val_size)
trainer, module = train_cifar10(data, 1, run_dir, seed=1)
"""


def test_the_solution_trains_and_its_checks_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = real_data.copied("cifar10", tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")  # `seed_everything` leaves them
    with real_data.solved(LAB, QUESTIONS, data_dir) as names:
        names |= {"run_dir": tmp_path, "val_size": VAL_SIZE}
        started = time.perf_counter()
        exec(TRAINING, names)  # noqa: S102 (the lines above)
        seconds = time.perf_counter() - started
        accuracy = float(names["trainer"].callback_metrics["val_acc"])
        print(f"{seconds:.0f} s: {accuracy:.3f}")  # noqa: T201 (pytest -s shows it)
        assert names["trainer"].global_step == 118  # 15,000 images by 128
        assert accuracy >= 0.35  # chance is 0.1
        monkeypatch.setenv("LITCOURSE_DATA", str(data_dir))
        for name in QUESTIONS:
            report: Any = eval("check(name)", names | {"name": name})  # noqa: S307
            assert report.verdict.score == 1, str(report)
