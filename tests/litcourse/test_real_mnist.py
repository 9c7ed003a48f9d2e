"""Lab 1's solution on the real MNIST: what it trains, tests and checks, as a student would."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.bank import without_markers
from autograder.course import Course

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("LITCOURSE_TEST_DATA") or ROOT.parent / "shared" / "data") / "mnist"
LAB = "lab1_mnist"
QUESTIONS = ("wrap", "evaluate", "datamodule", "fit", "reload", "timer")
TRAINING = """
torch.manual_seed(1)
data = MNISTDataModule(data_dir=data_dir, batch_size=256, val_size=0.1)
trainer = train(EvaluatedClassifier(MLP(hidden=(256,)), lr=2e-3), data, 4, run_dir)
best = load_best(trainer)
tester = L.Trainer(logger=False, enable_progress_bar=False, enable_model_summary=False)
(scores,) = tester.test(best, datamodule=data, verbose=False)
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real set: torchvision unpacks what lies packed beside it."""
    if not REAL.is_dir():
        pytest.skip(
            "no real MNIST; to enable: LITCOURSE_TEST_DATA=FOLDER make test, with FOLDER/mnist "
            "as torchvision downloads it"
        )
    folder = tmp_path_factory.mktemp("data") / "mnist"
    shutil.copytree(REAL, folder)
    return folder


@pytest.fixture(scope="module")
def solved(data_dir: Path) -> Iterator[dict[str, Any]]:
    """The names of the solved notebook, its demonstrations left out."""
    import torch

    threads = torch.get_num_threads()
    lab = Course(ROOT).lab(LAB)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in lab.notebook.cells}
    namespace: dict[str, Any] = {"__name__": "__main__", "data_dir": data_dir}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        for name in ("setup", *QUESTIONS):
            source = without_markers(cells[name].source)
            exec(compile(source, f"<{name}>", "exec"), namespace)  # noqa: S102 (our own notebook)
        yield namespace
    torch.set_num_threads(threads)


def test_the_solution_reaches_97_percent(solved: dict[str, Any], tmp_path: Path) -> None:
    names = solved | {"run_dir": tmp_path}
    exec(TRAINING, names)  # noqa: S102 (the lines above)
    scores, trainer = names["scores"], names["trainer"]
    assert len(names["data"].test_set) == 10_000
    assert trainer.global_step == trainer.current_epoch * 211  # 54,000 images by 256
    print(f"{trainer.current_epoch} epochs: {scores}")  # noqa: T201 (pytest -s shows it)
    assert scores["test_acc"] >= 0.97


@pytest.mark.parametrize("name", QUESTIONS)
def test_checks_pass_while_the_variable_names_the_real_set(
    solved: dict[str, Any], data_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LITCOURSE_DATA", str(data_dir))
    report = eval("check(name)", solved | {"name": name})  # noqa: S307 (as its check cell does)
    assert report.verdict.score == 1, str(report)
