"""What lab 3 says of ranks that wait, write and skip, and of programs, shown on real ranks."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import nn

from litcourse.probing.trainers import quiet_trainer
from litcourse.ranks import run_ranks
from tests.claims.lessons import Weight, numbers, on_two_ranks, two_ranks_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


# --- part 2 ------------------------------------------------------------------------------


def test_what_ends_a_rank_that_waits(tmp_path: Path) -> None:
    """<kbd>Ctrl</kbd>+<kbd>C</kbd> and `kill PID` (SIGTERM) do not end a rank that waits in a
    collective.
    """
    pid_file = tmp_path / "pid"

    class Waits(L.Callback):
        def on_train_start(self, trainer: L.Trainer, _: Any) -> None:
            pid_file.write_text(str(os.getpid()), encoding="utf-8")
            trainer.strategy.barrier()

    class Signals(L.Callback):
        alive = False

        def on_train_start(self, *_: Any) -> None:
            while not (pid_file.exists() and pid_file.read_text(encoding="utf-8")):
                time.sleep(0.02)
            time.sleep(0.3)
            pid = int(pid_file.read_text(encoding="utf-8"))
            for number in (signal.SIGTERM, signal.SIGINT):
                os.kill(pid, number)
            time.sleep(1)
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
            self.alive = state.split()[0] in "SRD"
            os.kill(pid, signal.SIGKILL)
            raise KeyboardInterrupt

    def work(rank: int) -> dict[str, Any]:
        signals = Signals()
        callbacks: list[L.Callback] = [Waits() if rank == 0 else signals]
        with contextlib.suppress(KeyboardInterrupt, SystemExit, RuntimeError):
            two_ranks_trainer(max_epochs=1, callbacks=callbacks).fit(Weight(), numbers(4))
        return {"alive": signals.alive}

    killed, sender = run_ranks(work, 2)["ranks"]
    assert sender["value"] == {"alive": True}, sender
    assert "value" not in killed, killed


def test_how_long_ranks_wait() -> None:
    """Waits for ever (or for half an hour: then torch's time limit ends the job)."""
    assert DDPStrategy()._timeout == timedelta(minutes=30)


def test_a_shorter_wait() -> None:
    """While you search, let torch give up sooner than after half an hour."""

    class Alone(L.Callback):
        def on_train_start(self, trainer: L.Trainer, _: Any) -> None:
            if trainer.is_global_zero:
                trainer.strategy.barrier()
            time.sleep(2)

    def work(_: int) -> dict[str, Any]:
        strategy = DDPStrategy(timeout=timedelta(seconds=1))
        two_ranks_trainer(max_epochs=1, strategy=strategy, callbacks=[Alone()]).fit(
            Weight(), numbers(2)
        )
        return {}

    assert "Timed out" in run_ranks(work, 2)["ranks"][0]["error"]["message"]


CRASH = """
import torch
from torch import nn
store = torch.distributed.HashStore()
torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=store)
assert torch.distributed.get_debug_level() == torch.distributed.DebugLevel.DETAIL
nn.parallel.DistributedDataParallel(nn.Linear(1, 1))
"""


def test_the_debug_level_for_ranks_that_train() -> None:
    """DDP over gloo does not survive it (torch 2.15 ends in a segmentation fault when the model
    is wrapped).
    """
    if torch.__version__ < "2.15":
        pytest.skip("torch 2.15 has the fault; to enable: install it")
    variables = {**os.environ, "TORCH_DISTRIBUTED_DEBUG": "DETAIL"}
    command = [sys.executable, "-c", CRASH]
    done = subprocess.run(command, env=variables, capture_output=True, check=False)
    assert done.returncode == -signal.SIGSEGV, "it survives: the lesson may recommend it again"


def test_the_debug_level_in_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a cell, after torch was imported, it does nothing."""
    monkeypatch.setenv("TORCH_DISTRIBUTED_DEBUG", "DETAIL")
    levels = on_two_ranks(
        lambda _: {"level": torch.distributed.get_debug_level().name}  # type: ignore[attr-defined]
    )
    assert levels == 2 * [{"level": "OFF"}]


# --- questions 5 to 7 --------------------------------------------------------------------


def test_reduce_works_in_place() -> None:
    """`reduce` works *in place*: the tensor that you hand over holds the result afterwards, so a
    running count that is reduced after each epoch is counted again and again.
    """

    class Totals(L.Callback):
        def __init__(self) -> None:
            self.count, self.totals = torch.tensor(3), []  # type: tuple[Any, list[int]]

        def on_train_epoch_end(self, trainer: L.Trainer, _: Any) -> None:
            self.totals.append(int(trainer.strategy.reduce(self.count, reduce_op="sum")))

    def work(_: int) -> dict[str, Any]:
        totals = Totals()
        two_ranks_trainer(max_epochs=3, callbacks=[totals]).fit(Weight(), numbers(4))
        return {"totals": totals.totals, "count": int(totals.count)}

    assert on_two_ranks(work) == 2 * [{"totals": [6, 12, 24], "count": 24}]


class Ends(L.Callback):
    """Counts the ends of epochs, notes `current_epoch`, and stops or saves at a step."""

    def __init__(self, *, stop: int = -1, save: tuple[int, Path] | None = None) -> None:
        self.ends, self.stop, self.save = 0, stop, save
        self.first = self.last = 0

    def on_train_start(self, trainer: L.Trainer, _: Any) -> None:
        self.first = trainer.current_epoch

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        trainer.should_stop = trainer.global_step == self.stop
        if self.save and trainer.global_step == self.save[0]:
            trainer.save_checkpoint(self.save[1])

    def on_train_epoch_end(self, *_: Any) -> None:
        self.ends += 1

    def on_train_end(self, trainer: L.Trainer, _: Any) -> None:
        self.last = trainer.current_epoch


def test_epochs_that_are_cut_short() -> None:
    """One that `max_steps` or `should_stop` cuts short counts: Lightning ends it as it ends a
    whole one, with `on_train_epoch_end`.
    """
    for arguments, stop in (({"max_steps": 6}, -1), ({}, 6)):
        ends = Ends(stop=stop)
        quiet_trainer(max_epochs=5, callbacks=[ends], **arguments).fit(Weight(), numbers(4))
        assert (ends.ends, ends.last) == (2, 2)


def test_epochs_after_a_checkpoint(tmp_path: Path) -> None:
    """A fit that goes on from a checkpoint begins with the number of epochs that the checkpoint has
    seen: trainer.current_epoch counts all of them.
    """
    for step in (4, 6):  # at the end of epoch 0, and in the middle of epoch 1
        file = tmp_path / f"{step}.ckpt"
        saving = Ends(save=(step, file))
        quiet_trainer(max_epochs=2, callbacks=[saving]).fit(Weight(), numbers(4))
        ends = Ends()
        trainer = quiet_trainer(max_epochs=5, callbacks=[ends])
        trainer.fit(Weight(), numbers(4), ckpt_path=file)
        assert (ends.last, ends.last - ends.first) == (5, ends.ends)


class Branches(L.LightningModule):
    """All ranks use `both`, rank 0 uses `one`, and nobody `none`; weight decay would move all."""

    def __init__(self) -> None:
        super().__init__()
        self.both, self.one, self.none = (nn.Parameter(torch.ones(1)) for _ in range(3))
        self.gradients: dict[str, float | None] = {}

    def training_step(self, _: Any, __: int) -> Any:
        return (self.both + self.one if self.global_rank == 0 else self.both).sum()

    def on_before_optimizer_step(self, _: Any) -> None:
        self.gradients = {
            name: None if weight.grad is None else weight.grad.item()
            for name, weight in self.named_parameters()
        }

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1, weight_decay=0.5)


def test_gradients_of_what_is_not_used() -> None:
    """What another rank has used counts as zeros here, so that the mean is right; what *no* rank
    has used has no gradient (`None`), and the optimizer leaves it where it is.
    """

    def work(_: int) -> dict[str, Any]:
        module = Branches()
        trainer = two_ranks_trainer(max_epochs=1, strategy="ddp_find_unused_parameters_true")
        trainer.fit(module, numbers(2))
        return {**module.gradients, "left": module.none.item()}

    assert on_two_ranks(work) == 2 * [{"both": 1.0, "one": 0.5, "none": None, "left": 1.0}]


class Skipping(L.LightningModule):
    """Has three weights; `uses(rank, step)` says which of them a step uses."""

    def __init__(self, uses: Callable[[int, int], str]) -> None:
        super().__init__()
        self.uses, self.weights = uses, nn.ParameterDict({name: torch.ones(1) for name in "abc"})

    def training_step(self, _: Any, step: int) -> Any:
        used = [self.weights[name] for name in self.uses(self.global_rank, step)]
        return torch.stack(used).sum() * (1 + self.global_rank)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def skipping(uses: Callable[[int, int], str], steps: int = 3) -> list[dict[str, Any]]:
    """What becomes of two ranks under plain DDP."""

    def work(_: int) -> dict[str, Any]:
        module = Skipping(uses)
        two_ranks_trainer(max_epochs=1).fit(module, numbers(2 * steps))
        return {"a": round(module.weights["a"].item(), 3)}

    ranks: list[dict[str, Any]] = run_ranks(work, 2)["ranks"]
    return ranks


@pytest.mark.parametrize("other", ["ab", "ac"])
def test_branches_that_every_rank_skips(other: str) -> None:
    """DDP notices in the *next* step and raises … a network as small as ours fits into one bucket,
    and DDP raises as above.
    """
    for rank in skipping(lambda rank, _: "ab" if rank == 0 else other):
        assert "parameters that were not used in producing the loss" in rank["error"]["message"]


def test_a_branch_that_one_rank_skips() -> None:
    """The first waits in `backward` for the other's bucket: a deadlock, without a word."""
    first, second = skipping(lambda rank, _: "abc" if rank == 0 else "ab")
    assert first["stuck"]["waits_for"] == "all_reduce (gradients, in backward)"
    assert second["stuck"]["waits_for"].startswith("broadcast")


def test_a_branch_that_is_skipped_at_last() -> None:
    """That step's gradients were never averaged, and the ranks end with different weights."""
    ranks = skipping(lambda _, step: "abc" if step == 0 else "ab", steps=2)
    assert [rank["value"] for rank in ranks] == [{"a": 0.75}, {"a": 0.65}]


def test_values_of_find_unused_parameters() -> None:
    """It takes True or False (1, 0 and None as well), and no tuple, list or text, be it empty."""

    def work(_: int) -> dict[str, Any]:
        taken = []
        values: tuple[Any, ...] = (True, 1, 0, None, (), [], "")
        for value in values:
            strategy = DDPStrategy(find_unused_parameters=value)
            try:
                two_ranks_trainer(max_epochs=1, strategy=strategy).fit(Weight(), numbers(2))
            except TypeError:
                taken.append(False)
            else:
                taken.append(True)
        return {"taken": taken}

    assert on_two_ranks(work)[0] == {"taken": 4 * [True] + 3 * [False]}


def test_how_loader_workers_start() -> None:
    """And so do loader workers on macOS, on Windows and from Python 3.14 on, where they are not
    forked.
    """
    forks = sys.platform == "linux" and sys.version_info < (3, 14)
    assert (multiprocessing.get_context().get_start_method() == "fork") is forks
