"""What findings alone say of torch and Lightning, shown on the installed versions."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy
from torch import nn

from litcourse.probing.trainers import quiet_trainer
from tests.claims.lessons import Batch, Weight, numbers

if TYPE_CHECKING:
    import lightning as L

pytestmark = pytest.mark.filterwarnings("ignore")


class Curve(Weight):
    """Logs the numbers of a curve as `val_acc`, one in each epoch."""

    def __init__(self, *curve: float) -> None:
        super().__init__()
        self.curve = curve

    def validation_step(self, _: Batch, __: int) -> None:
        self.log("val_acc", self.curve[self.current_epoch])


def hook() -> str:
    """The hook of a callback from which this is called."""
    return [call.name for call in traceback.extract_stack() if call.name.startswith("on_")][-1]


# --- exceptions --------------------------------------------------------------------------


def test_the_epoch_of_what_a_training_step_logs() -> None:
    """Self.log averages over the epoch, in training_step with on_epoch=True."""

    class Logs(Weight):
        def training_step(self, batch: Batch, index: int) -> Any:
            self.log("step", batch[0].mean())
            self.log("epoch", batch[0].mean(), on_step=False, on_epoch=True)
            return super().training_step(batch, index)

    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(Logs(), numbers(3))
    assert {k: v.item() for k, v in trainer.callback_metrics.items()} == {"step": 2, "epoch": 1}


class Checkpoint(ModelCheckpoint):
    """Notes where it looks up its monitor."""

    hooks: tuple[str, ...] = ()

    def _save_topk_checkpoint(self, *arguments: Any) -> None:
        self.hooks = (*self.hooks, hook())
        super()._save_topk_checkpoint(*arguments)


class Stopping(EarlyStopping):
    """The same."""

    hooks: tuple[str, ...] = ()

    def _run_early_stopping_check(self, trainer: L.Trainer) -> None:
        self.hooks = (*self.hooks, hook())
        super()._run_early_stopping_check(trainer)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, 2 * ("on_train_epoch_end",)),
        ({"val_check_interval": 0.5}, 4 * ("on_validation_end",)),
        ({"check_val_every_n_epoch": 2}, ("on_validation_end",)),
    ],
)
def test_when_a_monitor_is_looked_up(
    arguments: dict[str, Any], expected: tuple[str, ...], tmp_path: Path
) -> None:
    """When a training epoch ends, its validation with it, or, with val_check_interval or
    check_val_every_n_epoch, when a validation does.
    """
    callbacks: list[Any] = [Checkpoint(tmp_path, monitor="val_acc"), Stopping("val_acc")]
    trainer = quiet_trainer(
        max_epochs=2, enable_checkpointing=True, callbacks=callbacks, **arguments
    )
    trainer.fit(Curve(0.1, 0.2), numbers(2), numbers(1))
    assert [callback.hooks for callback in callbacks] == [expected, expected]


def test_a_run_that_ends_before_its_first_validation() -> None:
    """A run that ends in the middle of an epoch may not have validated yet."""
    trainer = quiet_trainer(max_steps=2, callbacks=[EarlyStopping("val_acc")])
    with pytest.raises(RuntimeError, match="`val_acc` which is not available"):
        trainer.fit(Curve(0.1), numbers(4), numbers(1))


def test_what_backward_keeps_of_an_inference_tensor() -> None:
    """Nor be kept for backward, as a product of it with weights has to."""
    weight = nn.Parameter(torch.ones(2))
    with torch.inference_mode():
        made = torch.ones(2)
    (weight + made).sum().backward()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        weight * made


# --- the Trainer -------------------------------------------------------------------------


def test_a_checkpoint_of_weights_alone(tmp_path: Path) -> None:
    """The file has the weights, the epoch and the step, and no state of optimizers, schedules and
    callbacks: Lightning refuses to go on from it.
    """
    checkpoint = ModelCheckpoint(tmp_path, save_weights_only=True)
    quiet_trainer(max_epochs=1, enable_checkpointing=True, callbacks=[checkpoint]).fit(
        Weight(), numbers(2)
    )
    saved = torch.load(checkpoint.best_model_path, weights_only=True)
    assert (saved["epoch"], saved["global_step"]) == (0, 2)
    assert not {"optimizer_states", "lr_schedulers", "callbacks"} & set(saved)
    with pytest.raises(KeyError, match="checkpoint contains only the model"):
        quiet_trainer(max_epochs=2).fit(Weight(), numbers(2), ckpt_path=checkpoint.best_model_path)


def test_a_second_fit() -> None:
    """Called again on the same Trainer, it goes on behind the epoch at which early stopping had
    ended it. A new Trainer with new callbacks forgets how long it has waited and what was best.
    """
    module, stop = Curve(0.9, 0.1, 0.1, 0.1), EarlyStopping("val_acc", mode="max", patience=1)
    trainer = quiet_trainer(max_epochs=4, callbacks=[stop])
    epochs = []
    for _ in range(2):
        trainer.fit(module, numbers(2), numbers(1))
        epochs.append(trainer.current_epoch)
    assert (epochs, stop.wait_count) == ([2, 3], 2)
    fresh = EarlyStopping("val_acc", mode="max", patience=9)
    quiet_trainer(max_epochs=1, callbacks=[fresh]).fit(Curve(0.1), numbers(2), numbers(1))
    assert fresh.wait_count == 0
    assert fresh.best_score.item() == pytest.approx(0.1)


def test_half_precision_loses_small_gradients() -> None:
    """It overflows beyond 65504, and small gradients become 0."""
    assert torch.tensor([65504.0, 65520.0, 2e-8]).half().tolist() == [65504, float("inf"), 0]
    assert torch.tensor(2e-8).bfloat16() > 0


def test_accumulation_by_a_dict() -> None:
    """Now the Trainer keeps it without a word, and the first step fails."""
    by_epoch: Any = {0: 2}
    trainer = quiet_trainer(max_epochs=1, accumulate_grad_batches=by_epoch)
    with pytest.raises(TypeError):
        trainer.fit(Weight(), numbers(2))


def test_a_number_of_epochs_as_text() -> None:
    """The Trainer's loops compare numbers. They stop with a bare AssertionError."""
    text: Any = "3"
    with pytest.raises(AssertionError):
        quiet_trainer(max_epochs=text).fit(Weight(), numbers(2))


def test_a_strategy_object_of_another_trainer() -> None:
    """An object at module level, in a dictionary or a cache is handed out again, and the next
    Trainer refuses it.
    """
    strategy = DDPStrategy()
    quiet_trainer(strategy=strategy)
    with pytest.raises(Exception, match="set through"):
        quiet_trainer(strategy=strategy)
