"""The page on a network and data of one's own: its program runs as it stands there."""

from __future__ import annotations

import csv
import importlib
import json
import re
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reference.convert import main as convert
from tests.reference.fits import Ranks
from tests.reference.test_flags import told

pytestmark = pytest.mark.slow
ONE = ("--trainer.accelerator=cpu", "--trainer.devices=1")


@pytest.fixture
def page(root: Path, tmp_path: Path) -> str:
    """The page, whose program and recipe lie in a folder now."""
    text = (root / "docs/make-it-yours.md").read_text()
    for kind, name in (("python", "shapes.py"), ("yaml", "shapes.yaml")):
        block = re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)[0]
        (tmp_path / name).write_text(block)
    return text


def shapes(folder: Path, args: list[str]) -> list[Any]:
    """The page's program, on a rank."""
    sys.path.insert(0, str(folder))
    module = importlib.import_module("shapes")

    def main(given: list[str]) -> None:
        module.run(module.ShapeClassifier, module.Shapes, folder / "shapes.yaml", given)

    return told(main, [*args, f"--run_dir={folder}/run", "--trainer.accelerator=cpu"])


def commands(page: str, folder: Path) -> list[list[str]]:
    """What the page types to its program and to `convert`, which comes as a word of its own."""
    page = page.replace("\\\n", " ").replace(" best.ckpt", f" {folder}/best.ckpt")
    page = page.replace("runs/shapes", f"{folder}/run").replace("-m reference.convert", "- convert")
    found = re.findall("^    python (?:shapes.py|-) .*", page, re.MULTILINE)
    return [shlex.split(line)[2:] for line in found]


def test_the_commands_of_the_page(ranks: Ranks, tmp_path: Path, page: str) -> None:
    found = commands(page, tmp_path)
    assert len(found) == 8
    few = ["--trainer.limit_train_batches=4", "--trainer.max_epochs=1"]
    for args in found:
        if args[0] == "convert":
            assert convert(args[1:]) == 0
            continue
        on = 2 if any("strategy" in arg for arg in args) else 1
        rest = [*(few if args[0] == "fit" else []), f"--trainer.devices={on}"]
        for code, _, error in ranks(partial(shapes, tmp_path, [*args, *rest]), on):
            assert code == 0, error
    summaries = tmp_path / "run/summaries"
    assert {"test_acc", "test_f1"} <= json.loads((summaries / "fit-0.json").read_text()).keys()
    assert json.loads((summaries / "test-0.json").read_text())["test_f1"] > 0


def test_a_network_of_torchvision_and_data_by_flag(ranks: Ranks, tmp_path: Path) -> None:
    network = tmp_path / "network.yaml"
    network.write_text(
        "model: {network: {class_path: reference.classifier.Function, init_args: "
        "{name: torchvision.models.squeezenet1_1, arguments: {num_classes: 10}}}}"
    )
    args = ["fit", "--config=reference/cifar10/configs/smoke.yaml", f"--config={network}",
            "--data=reference.cifar10.cifar10_data.PhotoData", f"--run_dir={tmp_path}/run",
            "--trainer.logger=CSVLogger", f"--trainer.logger.save_dir={tmp_path}/logs",
            "--trainer.max_epochs=1", *ONE]  # fmt: skip
    ((code, _, error),) = ranks(partial(told, "mnist", args), 1)
    assert code == 0, error
    logged = next((tmp_path / "logs").rglob("metrics.csv"))
    rows = list(csv.DictReader(logged.open()))
    assert any(row.get("lr-Adam") for row in rows), "the rate"
    hyperparameters = (logged.parent / "hparams.yaml").read_text()
    assert "squeezenet1_1" in hyperparameters
    assert "batch_size: 16" in hyperparameters
    last = tmp_path / "run/checkpoints/last.ckpt"
    again = [
        "test",
        f"--ckpt_path={last}",
        args[3],
        args[4],
        "--trainer.limit_test_batches=1",
        *ONE,
    ]
    ((code, _, error),) = ranks(partial(told, "mnist", again), 1)
    assert code == 0, error
