"""What every run measures and says, and what it leaves out: throughput, epochs, a report."""

from __future__ import annotations

import json
import logging
import platform
import resource
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.throughput import get_available_flops, measure_flops
from lightning.pytorch.callbacks import ModelCheckpoint

from reference.refusals import RefusalError

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics")


class Throughput(L.Callback):
    """Logs how fast each training epoch was; validation, also within an epoch, is left out.

    `epoch_seconds`, `images_per_second` of all ranks, `step_ms`, and `waiting`: the share of the
    time in which this rank waited for its next batch. On a GPU whose peak Lightning knows also
    `mfu`, the model's arithmetic by what the GPUs could have done. The first epoch holds the start
    of loaders and caches; the report has the numbers of the fastest one.
    """

    def __init__(self) -> None:
        self.best: dict[str, float] = {}
        self._start: float | None = None
        self._batch_over = self._waited = self._paused = 0.0
        self._images = self._steps = 0
        self._flops: float | None = None

    def on_train_batch_start(
        self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock with the first batch: `on_train_epoch_start` is left out on resuming."""
        if self._flops is None:
            self._flops = flops_per_image(module, batch[0])
        if self._start is None:
            self._start, self._waited, self._images, self._steps = _now(), 0.0, 0, 0
        else:
            self._waited += time.perf_counter() - self._batch_over

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the images; stop the clock at the epoch's end, before it is validated."""
        self._images += len(batch[0])
        self._steps += 1
        self._batch_over = time.perf_counter()
        if not trainer.is_last_batch or self._start is None:
            return
        values = self._values(trainer, _now() - self._start)
        self._start = None
        if values["images_per_second"] > self.best.get("images_per_second", 0.0):
            self.best = values
        module.log_dict(values, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)

    def _values(self, trainer: L.Trainer, seconds: float) -> dict[str, float]:
        rate = self._images * trainer.world_size / seconds
        values = {
            "epoch_seconds": seconds,
            "images_per_second": rate,
            "step_ms": 1000 * seconds / self._steps,
            "waiting": self._waited / seconds,
        }
        peak = _peak_flops(trainer)
        if peak and self._flops:
            values["mfu"] = rate * self._flops / (trainer.world_size * peak)
        return values

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Stop the clock."""
        self._paused = _now()

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Let it go on."""
        if self._start is not None:
            pause = _now() - self._paused
            self._start += pause
            self._batch_over += pause


def flops_per_image(module: L.LightningModule, images: torch.Tensor) -> float:
    """Arithmetic of a training step for an image, forward and backward; 0 if it is not known.

    Counted on a network without weights, so it is that of the whole one, however it is sharded.
    """
    make = getattr(module, "network", None)
    if not callable(make):
        return 0.0
    try:
        with torch.device("meta"):
            network, image = make(), torch.empty(1, *images.shape[1:])
        network.eval()  # a batch norm refuses to train on one image
        return float(measure_flops(network, lambda: network(image), torch.sum))
    except Exception:  # noqa: BLE001  what a network of somebody's can't do on meta
        return 0.0


def _peak_flops(trainer: L.Trainer) -> float | None:
    """What the rank's device could do in a second, if Lightning knows it."""
    device = trainer.strategy.root_device
    if device.type != "cuda":
        return None
    low = "16" in str(trainer.precision)
    return get_available_flops(device, torch.bfloat16 if low else torch.float32)


class Monitored(L.Callback):
    """Refuses a monitor that validation does not log; Lightning would after the first epoch.

    What training logs is not known yet, so names count that begin with `val_`.
    """

    def on_sanity_check_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Look at all callbacks that monitor something: validation has run by now.

        Raises:
            RefusalError: nobody logs it.
        """
        logged = sorted(name for name in trainer.callback_metrics if name.startswith("val_"))
        for callback in _callbacks(trainer):
            monitor = str(getattr(callback, "monitor", ""))
            if monitor.startswith("val_") and monitor not in trainer.callback_metrics:
                kind = type(callback).__name__
                raise RefusalError(
                    f"{kind} monitors {monitor}, which validation_step does not log",
                    f"one of {', '.join(logged)}",
                )


class EpochLines(L.Callback):
    """Prints a line for each epoch, for a log file, where a progress bar would fill pages."""

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Print what was logged; the epoch's validation is over by now."""
        values = " ".join(f"{k} {float(v):.5g}" for k, v in trainer.logged_metrics.items())
        line = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} step {trainer.global_step}"
        _say(trainer, f"{line}: {values}")


class Report(L.Callback):
    """Prints at the end what came out, and writes it to `summaries/fit-0.json` and the like.

    There is a file for each subcommand, and for each time that it ran.

    Args:
        folder: of the run.
        subcommand: `fit`, `validate` or `test`; the test after `fit` belongs to that.
        config: what was configured, plain data.
    """

    def __init__(self, folder: Path, subcommand: str, config: dict[str, Any] | None = None) -> None:
        self.folder, self.subcommand = folder / "summaries", subcommand
        self.path: Path | None = None
        self.summary: dict[str, Any] = {"config": config or {}}
        self._start = 0.0

    def on_fit_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Start the clock."""
        self._start = _now()

    def on_fit_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write what training came to."""
        meter = next((c for c in _callbacks(trainer) if isinstance(c, Throughput)), None)
        self.summary |= {
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "fit_seconds": round(_now() - self._start, 2),
            **{name: round(value, 4) for name, value in (meter.best if meter else {}).items()},
            "parameters": getattr(module, "parameter_count", None),
        }
        self._write(trainer)

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write what `validate` came to; within `fit` validation is a part of training."""
        if self.subcommand == "validate":
            self._write(trainer)
            self.show(trainer)

    def on_test_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Add what the test came to, and print all of it."""
        self._write(trainer)
        self.show(trainer)

    def show(self, trainer: L.Trainer) -> None:
        """Print all of it."""
        shown = {k: v for k, v in self.summary.items() if k not in {"config", "versions"}}
        _say(trainer, "\n".join(f"{name:>18}  {value}" for name, value in shown.items()))
        _say(trainer, f"{'written to':>18}  {self.path}")

    def _write(self, trainer: L.Trainer) -> None:
        best = next((c for c in _callbacks(trainer) if isinstance(c, ModelCheckpoint)), None)
        if best is not None and best.best_model_score is not None:
            self.summary[f"best_{best.monitor}"] = round(float(best.best_model_score), 5)
        measured = ("test_", "val_") if self.subcommand == "validate" else ("test_",)
        for name in sorted(trainer.callback_metrics):
            if name.startswith(measured):
                self.summary[name] = round(float(trainer.callback_metrics[name]), 5)
        self.summary |= {
            "world_size": trainer.world_size,
            "strategy": type(trainer.strategy).__name__,
            "precision": str(trainer.precision),
            "peak_memory_mib": peak_memory(trainer),
            "device": _device(trainer),
            "versions": {name: version(name) for name in PACKAGES},
        }
        if trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.path is None:
                self.path = self._next_path()
            self.path.write_text(json.dumps(self.summary, indent=1) + "\n", encoding="utf-8")

    def _next_path(self) -> Path:
        """One that no earlier run of the subcommand has written."""
        numbers = [int(path.stem.rpartition("-")[2]) for path in self._written()]
        return self.folder / f"{self.subcommand}-{max(numbers, default=-1) + 1}.json"

    def _written(self) -> list[Path]:
        return list(self.folder.glob(f"{self.subcommand}-*.json"))


def peak_memory(trainer: L.Trainer) -> int:
    """Most memory that any rank has held, MiB: of its GPU, or of the process where there is none.

    Every rank has to call it.
    """
    device = trainer.strategy.root_device
    if device.type == "cuda":
        held = torch.cuda.max_memory_allocated(device)
    else:
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB
    most = trainer.strategy.reduce(torch.tensor(float(held), device=device), reduce_op="max")
    return round(float(most) / 2**20)


def _device(trainer: L.Trainer) -> str:
    device = trainer.strategy.root_device
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}, {torch.get_num_threads()} threads"


NOISE = (
    # Lightning 2.6 with torch 2.13 and newer; nothing in a program can change it.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"torch\.distributed\.nn\.functional\.\w+ is deprecated",
    r".*ShardedTensor",
    r"FSDP\.(state_dict_type|set_state_dict_type)\(\)",
    r"`_get_pg_default_device` will be deprecated",
    r"Multiple backends are registered with this ProcessGroup",
    # FSDP1 on a CPU, where nobody waits for bfloat16.
    r"CUDA is not available or torch_xla is imported\. Disabling autocast",
    # DeepSpeed does clip: Lightning hands it `gradient_clip_val`.
    r"Since DeepSpeed handles gradient clipping internally",
    # A summary counts parameters; the megabytes that it guesses from them are nobody's measure.
    r"Precision .* is not supported by the model summary",
    # So it is after a job was started anew; `last.ckpt` is meant to be replaced.
    r"Checkpoint directory .* exists and is not empty",
)
"""Warnings that every rank would print, and that ask nothing of whoever runs the programs."""


def quiet() -> None:
    """Leave out what fills a log and says nothing: each line of it once for each rank."""
    for pattern in NOISE:
        warnings.filterwarnings("ignore", pattern)
    advertising = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    advertising.addFilter(lambda record: "litlogger" not in record.getMessage())


def _callbacks(trainer: L.Trainer) -> list[L.Callback]:
    found: list[L.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return found


def _now() -> float:
    """Seconds, once the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _say(trainer: L.Trainer, text: str) -> None:
    if trainer.is_global_zero:
        print(text, flush=True)  # noqa: T201  the program's answer
