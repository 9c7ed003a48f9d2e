"""Checks in a real kernel: stopped, late, after a cell that failed, with prints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

pytestmark = pytest.mark.slow

START = """
import lightning as L, torch
from torch.nn import functional as F
from litcourse import Check
check = Check("lab1_mnist")
"""
ANSWER = """
class LitClassifier(L.LightningModule):
    def __init__(self, model, lr=1e-3):
        super().__init__()
        self.model, self.lr = model, lr

    def forward(self, images):
        return self.model(images)

    def training_step(self, batch, batch_idx):
        IN_THE_STEP
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)
"""


class Notebook:
    """A kernel with the first cell run."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(self, source: str, *, stop_at: str = "") -> list[str]:
        """Texts of a cell's output; presses stop as soon as one of them contains `stop_at`."""
        request = self.client.execute(source)
        until, found, stopped = time.monotonic() + 120, [], not stop_at
        while time.monotonic() < until:
            message: Any = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            found.append(content.get("data", {}).get("text/plain", "") or content.get("text", ""))
            found[-1] += content.get("evalue", "")
            if not stopped and stop_at in found[-1]:
                self.manager.interrupt_kernel()
                stopped = True
            if content.get("execution_state") == "idle":
                return found
        raise AssertionError(found)

    def answer(self, in_the_step: str) -> None:
        self.run(ANSWER.replace("IN_THE_STEP", in_the_step))


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    manager, client = start_new_kernel(cwd=str(tmp_path_factory.mktemp("kernel")))
    found = Notebook(manager, client)
    found.run(START)
    yield found
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_stop(notebook: Notebook, tmp_path: Path) -> None:
    notebook.answer("while True: pass")
    shown = "\n".join(notebook.run("check.wrap()", stop_at="check.wrap() · "))
    assert "You stopped this check. Nothing was judged." in shown
    assert "of the cell, in training_step: while True: pass" in " ".join(shown.split())
    assert "% of the points" not in shown
    kept = tmp_path / "kept"
    notebook.run(f"open({str(kept)!r}, 'w').write(LitClassifier.__name__)")
    assert kept.read_text(encoding="utf-8") == "LitClassifier"


def test_a_limit(notebook: Notebook) -> None:
    notebook.answer("while True: pass")
    shown = "\n".join(notebook.run('Check("lab1_mnist", limit=2).wrap()'))
    assert "check.wrap() · 1 of at most 2 s" in shown
    assert "This check was ended after 2 s. Nothing was judged." in shown


def test_what_was_judged_and_printed(notebook: Notebook) -> None:
    notebook.answer('print("a line of mine"); breakpoint()')
    notebook.run("class LitClassifier(")
    shown = notebook.run("check.wrap()")
    card = next(text for text in shown if "All of it is right." in text)
    assert "ended with SyntaxError, so this is not about it. Judged:" in " ".join(card.split())
    assert "a line of mine" in card
    assert "breakpoint() is skipped in a check" in card
