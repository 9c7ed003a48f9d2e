"""What every run measures and says: throughput, a line per epoch, a report at the end."""

from __future__ import annotations

import json
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics")


class Throughput(L.Callback):
    """Logs `epoch_seconds` and `images_per_second` of each training epoch, validation left out.

    Images are counted on this rank and multiplied by the world size. The first epoch holds the
    start of loaders and caches; `images_per_second` keeps that of the fastest one.
    """

    def __init__(self) -> None:
        self.best = 0.0
        self._start: float | None = None
        self._images = 0

    def on_train_batch_start(
        self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock with the first batch: `on_train_epoch_start` is left out on resuming."""
        if self._start is None:
            self._start, self._images = _now(), 0

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
        if not trainer.is_last_batch or self._start is None:
            return
        seconds = _now() - self._start
        rate = self._images * trainer.world_size / seconds
        self.best, self._start = max(self.best, rate), None
        values = {"epoch_seconds": seconds, "images_per_second": rate}
        module.log_dict(values, on_step=False, on_epoch=True, sync_dist=True, batch_size=1)


class EpochLines(L.Callback):
    """Prints a line for each epoch, for a log file, where a progress bar would fill pages."""

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Print what was logged; the epoch's validation is over by now."""
        values = " ".join(f"{k} {float(v):.5g}" for k, v in trainer.logged_metrics.items())
        line = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} step {trainer.global_step}"
        _say(trainer, f"{line}: {values}")


class Report(L.Callback):
    """Prints at the end what came out, and writes it beside the checkpoints as `summary.json`.

    Args:
        folder: of the run.
        config: what was configured, plain data.
    """

    def __init__(self, folder: Path, config: dict[str, Any] | None = None) -> None:
        self.path = folder / "summary.json"
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
            "images_per_second": round(meter.best, 1) if meter else None,
            "parameters": sum(p.numel() for p in module.parameters()),
        }
        self._write(trainer)

    def on_test_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Add what the test came to, and print all of it."""
        self._write(trainer)
        shown = {k: v for k, v in self.summary.items() if k not in {"config", "versions"}}
        _say(trainer, "\n".join(f"{name:>18}  {value}" for name, value in shown.items()))
        _say(trainer, f"{'written to':>18}  {self.path}")

    def _write(self, trainer: L.Trainer) -> None:
        best = next((c for c in _callbacks(trainer) if isinstance(c, ModelCheckpoint)), None)
        if best is not None and best.best_model_score is not None:
            self.summary[f"best_{best.monitor}"] = round(float(best.best_model_score), 5)
        for name in ("test_acc", "test_loss"):
            if name in trainer.callback_metrics:
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
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.summary, indent=1) + "\n", encoding="utf-8")


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
