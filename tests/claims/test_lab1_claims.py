"""What lab 1 and its findings say of torch and Lightning, shown on the installed versions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from litcourse.data import mnist
from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Batch, Modes, Trained, Weight, fit, numbers

pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_small_set_of_digits() -> None:
    """About 1,400 images to train on and 360 to test on."""
    assert round(len(mnist(train=True)), -2) == 1400
    assert round(len(mnist(train=False)), -1) == 360


def test_steps_of_a_small_epoch() -> None:
    """Which is written every 50 steps unless you say otherwise, does not get a row in every
    epoch: one of ours has 18 steps.
    """
    assert math.ceil(round(len(mnist(train=True)) * 0.8) / 64) == 18


def test_the_order_of_a_step() -> None:
    """`zero_grad`, `backward`, `step`, in this order."""
    calls: list[str] = []

    class Order(L.Callback):
        def on_before_zero_grad(self, *_: Any) -> None:
            calls.append("zero_grad")

        def on_before_backward(self, *_: Any) -> None:
            calls.append("backward")

        def on_before_optimizer_step(self, *_: Any) -> None:
            calls.append("step")

    quiet_trainer(max_epochs=1, callbacks=[Order()]).fit(Weight(), numbers(2))
    assert calls == 2 * ["zero_grad", "backward", "step"]


def test_modes_of_validation() -> None:
    """`eval()` and no gradients for validation and test, then the modes of before."""
    module = Modes()
    quiet_trainer(max_epochs=2).fit(module, numbers(1), numbers(1))
    assert module.noted == 2 * [("train", True, False, True), ("val", False, False, False)]


def test_modes_of_training() -> None:
    """Lightning does not call `train()` when `fit` begins: it trains a network as it finds it,
    and warns if some part is in `eval` mode.
    """
    module = Modes().eval()
    with pytest.warns(UserWarning, match=r"module\(s\) in eval mode at the start of training"):
        quiet_trainer(max_epochs=1).fit(module, numbers(1))
    assert module.noted == [("train", False, False, True)]


def test_averages_of_validation() -> None:
    """In validation and test: averages what you log over the epoch, weighted by the size of
    each batch.
    """

    class Logs(Weight):
        def validation_step(self, batch: Batch, _: int) -> None:
            self.log("mean", batch[0].mean())

        test_step = validation_step

    trainer = quiet_trainer()
    for run in (trainer.validate, trainer.test):
        found = run(Logs(), numbers(5, batch_size=4), verbose=False)[0]["mean"]
        assert found == 2, "the mean of batch means would be 2.75"


def test_values_of_training() -> None:
    """In `training_step` the defaults are `on_step=True, on_epoch=False`: the value of each
    batch.
    """
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(Trained(), numbers(5, batch_size=4))
    assert {k: v.item() for k, v in trainer.callback_metrics.items()} == {"train_mae": 4}


def test_values_of_training_and_of_its_epoch() -> None:
    """`on_epoch=True` in `training_step` adds the epoch's mean, as `train_mae_epoch` beside
    `train_mae_step`.
    """
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(Trained(on_epoch=True), numbers(5, batch_size=4))
    found = {key: value.item() for key, value in trainer.callback_metrics.items()}
    assert found == {"train_mae": 2, "train_mae_epoch": 2, "train_mae_step": 4}


def test_a_step_that_returns_nothing() -> None:
    """Training runs to its end with one warning and no error, and no weight ever moves … the
    optimizer's step has no gradients to move by, and the weights stay where they were. The
    steps are counted all the same.
    """

    class Nothing(Weight):
        def training_step(self, *_: Any) -> None:
            return None

    module, trainer = Nothing(), quiet_trainer(max_epochs=2)
    with pytest.warns(UserWarning, match="`training_step` returned `None`") as caught:
        trainer.fit(module, numbers(3))
    assert sum("returned `None`" in str(each.message) for each in caught) == 1
    assert (module.weight.item(), trainer.global_step) == (1, 6)


def test_an_optimizer_that_is_not_returned() -> None:
    """If it returns nothing, all you get is a warning and an untrained network."""

    class Nothing(Weight):
        def configure_optimizers(self) -> None:
            return None

    module = Nothing()
    with pytest.warns(UserWarning, match="will run with no optimizer"):
        quiet_trainer(max_epochs=1).fit(module, numbers(3))
    assert module.weight.item() == 1


def test_layers_in_a_list() -> None:
    """Layers in a plain Python list have no parameters as far as torch can see."""
    module = nn.Module()
    module.layers = [nn.Linear(1, 1)]  # type: ignore[assignment]
    assert not list(module.parameters())


def test_softmax_twice() -> None:
    """Ten classes can't get below a loss of about 1.46."""
    best = F.cross_entropy(F.one_hot(torch.tensor([3]), 10).float(), torch.tensor([3]))
    assert best.item() == pytest.approx(1.46, abs=0.005)


def test_a_network_among_the_hyperparameters(tmp_path: Path) -> None:
    """Otherwise the whole network would lie there as a pickle, which the loading of question 5
    refuses.
    """

    class Keeps(Weight):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.model = model

    trainer = fit(Keeps(nn.Linear(1, 1)), tmp_path, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "a.ckpt", weights_only=True)


def test_shuffling() -> None:
    """With `shuffle=True` each epoch draws a new order."""
    module = Weight()
    quiet_trainer(max_epochs=2).fit(module, numbers(50, batch_size=50, shuffle=True))
    first, second = module.order().values()
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
