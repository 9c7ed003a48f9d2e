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
from litcourse.ranks import run_ranks
from tests.claims.lessons import Batch, Weight, numbers, on_two_ranks, two_ranks_trainer

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


def test_names_of_a_value_of_steps_and_epoch() -> None:
    """_step or _epoch behind a key comes from on_step=True."""

    class Logs(Weight):
        def validation_step(self, *_: Any) -> None:
            self.log("val_loss", 1.0, on_step=True)

    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(Logs(), numbers(1), numbers(1))
    assert set(trainer.logged_metrics) == {"val_loss_step", "val_loss_epoch"}


def test_a_schedule_under_another_key() -> None:
    """And the rate stays at its first value: a warning at most, no error."""

    class Misspelt(Weight):
        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
            return {"optimizer": optimizer, "scheduler": schedule}

    trainer = quiet_trainer(max_epochs=2)
    with pytest.warns(RuntimeWarning, match="unsupported keys in the optimizer configuration"):
        trainer.fit(Misspelt(), numbers(1))
    assert trainer.optimizers[0].param_groups[0]["lr"] == 1


class ByHand(Weight):
    """Does in training_step what Lightning does as well, and notes the gradient of each step."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what, self.gradients = what, []  # type: tuple[str, list[float]]

    def training_step(self, batch: Batch, index: int) -> Any:
        loss = super().training_step(batch, index)
        if self.what == "zero_grad":
            self.optimizers().zero_grad()  # type: ignore[union-attr]
        if self.what == "backward":
            loss.backward(retain_graph=True)
        return loss

    def on_before_optimizer_step(self, _: Any) -> None:
        self.gradients.append(self.weight.grad.item())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("what", "accumulated"), [("", 0.5), ("zero_grad", 0.5), ("backward", 1.5)]
)
def test_what_shows_with_accumulation_alone(what: str, accumulated: float) -> None:
    """In a plain run Lightning happens to set it back in between; with accumulation it stays …
    so a plain run shows nothing of yours.
    """
    plain, both = ByHand(what), ByHand(what)
    quiet_trainer(max_epochs=1).fit(plain, numbers(2))
    quiet_trainer(max_epochs=1, accumulate_grad_batches=2).fit(both, numbers(2))
    assert (plain.gradients, both.gradients) == ([0, 1], [accumulated])


# --- several ranks -----------------------------------------------------------------------


def test_syncing_is_switched_off_again() -> None:
    """Rank_zero_only=True switches the syncing off again."""

    class Logs(Weight):
        def validation_step(self, *_: Any) -> None:
            for name, alone in (("synced", False), ("alone", True)):
                rank = float(self.global_rank)
                self.log(name, rank, sync_dist=True, rank_zero_only=alone, batch_size=1)

    def work(_: int) -> dict[str, Any]:
        trainer = two_ranks_trainer(max_epochs=1)
        trainer.fit(Logs(), numbers(2), numbers(2))
        return {key: value.item() for key, value in trainer.callback_metrics.items()}

    assert on_two_ranks(work) == [{"synced": 0.5, "alone": rank} for rank in (0.0, 1.0)]


def test_a_rank_that_returns_nothing() -> None:
    """With several it refuses, since the other ranks would wait for this rank's gradient for
    ever.
    """

    class Skips(Weight):
        def training_step(self, *arguments: Any) -> Any:
            return super().training_step(*arguments) if self.global_rank == 0 else None

    def work(_: int) -> dict[str, Any]:
        two_ranks_trainer(max_epochs=1).fit(Skips(), numbers(2))
        return {}

    message = run_ranks(work, 2)["ranks"][1]["error"]["message"]
    assert "by returning None in distributed training is not supported" in message


def test_backward_in_manual_optimization() -> None:
    """In manual optimization call self.manual_backward(loss) and never loss.backward()."""

    class Manual(Weight):
        def __init__(self, *, own: bool) -> None:
            super().__init__()
            self.own, self.automatic_optimization = own, False

        def training_step(self, *_: Any) -> None:
            loss = self.weight * (1 + self.global_rank)
            (loss.backward if self.own else lambda: self.manual_backward(loss))()
            self.optimizers().step()  # type: ignore[union-attr]

    def work(_: int) -> dict[str, Any]:
        weights = {}
        for own in (True, False):
            module = Manual(own=own)
            two_ranks_trainer(max_epochs=1).fit(module, numbers(2))
            weights[str(own)] = round(module.weight.item(), 3)
        return weights

    assert on_two_ranks(work) == [{"True": 0.99, "False": 0.985}, {"True": 0.98, "False": 0.985}]
