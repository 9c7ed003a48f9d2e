"""Lab 1's solution on the real MNIST: what it trains, tests and checks, as a student would."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.course import questions
from tests.litcourse import real_data

pytestmark = pytest.mark.slow

QUESTIONS = questions("lab1_mnist")
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
    """A copy of the real set."""
    return real_data.copied("mnist", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def solved(data_dir: Path) -> Iterator[dict[str, Any]]:
    """The names of the solved notebook."""
    with real_data.solved("lab1_mnist", QUESTIONS, data_dir) as namespace:
        yield namespace


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
