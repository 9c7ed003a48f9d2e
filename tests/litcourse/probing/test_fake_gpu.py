"""A GPU that is not there: values are as on the CPU, and tensors of both devices do not meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding, NotLookedAt
from litcourse.probing.fake_gpu import (
    BROUGHT_BACK,
    DEVICE,
    DeviceMismatchError,
    judge_gpu,
    run_on_fake_gpu,
)
from litcourse.probing.trainers import make_loader, quiet_trainer

BATCHES = [[torch.randn(6, 1, 4, 4), torch.randint(10, (6,))] for _ in range(3)]


class Classifier(L.LightningModule):
    """A network of every kind of layer, dropout left out."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.GELU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 10),
        )  # fmt: skip

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self.model(images), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def weights_after(module: Classifier, arguments: dict[str, Any]) -> dict[str, Tensor]:
    trainer = quiet_trainer(**arguments, max_epochs=2)
    trainer.fit(module, make_loader(BATCHES))
    assert trainer.global_step == 6
    return module.state_dict()


def test_training_gives_the_weights_of_the_cpu() -> None:
    torch.manual_seed(1)
    here, there = Classifier(), Classifier()
    there.load_state_dict(here.state_dict())
    right = weights_after(here, {})
    found = run_on_fake_gpu(lambda arguments: weights_after(there, arguments))
    assert all(type(value) in {Tensor, nn.Parameter} for value in found.values())
    for name, value in right.items():
        torch.testing.assert_close(found[name], value)


def test_lightning_moves_module_and_batch() -> None:
    seen = []

    class Watching(Classifier):
        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            seen.append([self.device, *(x.device for x in (*batch, *self.parameters()))])
            return super().training_step(batch, batch_idx)

    run_on_fake_gpu(lambda arguments: weights_after(Watching(), arguments))
    assert {device for devices in seen for device in devices} == {DEVICE}


MEET: dict[str, Callable[[Tensor], object]] = {
    "add": lambda x: x + torch.ones(3),
    "in place": lambda x: x.add_(torch.ones(3)),
    "matmul": lambda x: x @ torch.ones(3),
    "cat": lambda x: torch.cat([x, torch.ones(3)]),
    "where": lambda x: torch.where(x > 0, x, torch.ones(3)),
    "index of a CPU tensor": lambda x: torch.eye(5)[x.long()],
    "loss with weights": lambda x: F.cross_entropy(x[None], x[:1].long(), weight=torch.ones(3)),
    "a list": lambda x: torch.stack([x, torch.zeros(3)]),
    "on the CPU by name": lambda x: x * torch.ones(3, device="cpu"),
    "back on the CPU": lambda x: x * x.cpu(),
    "drawn": lambda x: x + torch.randn(3),
}


@pytest.mark.parametrize("operation", MEET.values(), ids=list(MEET))
def test_tensors_of_both_devices_raise(operation: Callable[[Tensor], object]) -> None:
    def work(_: object) -> object:
        return operation(torch.ones(3, device=DEVICE))

    with pytest.raises(DeviceMismatchError, match="on the same device"):
        run_on_fake_gpu(work)


AS_ON_A_GPU: dict[str, Callable[[Tensor], Any]] = {
    "a number of the CPU": lambda x: x * torch.tensor(2.0),
    "a Python number": lambda x: 2 * x,
    "beside": lambda x: x + torch.ones_like(x),
    "from data": lambda x: x + torch.tensor([1.0, 1.0, 1.0], device=x.device),
    "new": lambda x: x + x.new_tensor([1.0, 1.0, 1.0]),
    "as_tensor": lambda x: x + torch.as_tensor([1.0, 1.0, 1.0], device=x.device),
    "as_tensor of one": lambda x: torch.as_tensor(x, device=x.device) + 1,
    "moved": lambda x: x + torch.ones(3).to(x.device),
    "moved to": lambda x: x + torch.ones(3).to(x),
    "indexed from the CPU": lambda x: x[torch.tensor([0, 1, 2])] + 1,
    "copied": lambda x: torch.empty_like(x).copy_(torch.ones(3) * 2),
    "drawn": lambda x: x + 1 + 0 * torch.randn(3, device=x.device),
    "a view changed in place": lambda x: x.view(1, 3).mul_(2).reshape(3),
}


@pytest.mark.parametrize("operation", AS_ON_A_GPU.values(), ids=list(AS_ON_A_GPU))
def test_what_a_gpu_does_is_done(operation: Callable[[Tensor], Any]) -> None:
    def work(_: object) -> tuple[torch.device, Tensor]:
        found = operation(torch.ones(3, device=DEVICE))
        return found.device, found.cpu()

    device, values = run_on_fake_gpu(work)
    assert device == DEVICE
    assert values.tolist() == [2.0, 2.0, 2.0]


def test_values_can_be_asked_for() -> None:
    def work(_: object) -> list[object]:
        x = torch.tensor([3.0], device=DEVICE)
        return [x.item(), float(x), int(x), bool(x > 2), x.tolist(), len(x), bool(x.isnan().any())]

    assert run_on_fake_gpu(work) == [3.0, 3.0, 3, True, [3.0], 1, False]


def test_numpy_is_refused_until_a_copy_is_on_the_cpu() -> None:
    def work(_: object) -> Any:
        x = torch.ones(3, device=DEVICE)
        with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\) first"):
            x.numpy()
        return x.cpu().numpy()

    assert run_on_fake_gpu(work).sum() == 3


@pytest.mark.parametrize("enabled", [True, False])
def test_autocast_and_fused_optimizers_work_as_on_a_gpu(enabled: bool) -> None:
    def work(_: object) -> Tensor:
        layer = torch.nn.Linear(3, 1, bias=False).to(DEVICE)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.5, fused=True)
        before = layer.weight.detach().cpu()
        with torch.autocast(layer.weight.device.type, enabled=enabled):
            loss = layer(torch.ones(1, 3, device=DEVICE)).sum()
        loss.backward()
        optimizer.step()
        return before - layer.weight.detach().cpu()

    torch.testing.assert_close(run_on_fake_gpu(work), torch.full((1, 3), 0.5))


def test_nothing_of_it_stays() -> None:
    run_on_fake_gpu(lambda _: torch.ones(2, device=DEVICE))
    with pytest.raises(RuntimeError):
        torch.autocast(DEVICE.type)
    assert type(torch.ones(2, device=DEVICE)) is Tensor
    assert torch.ones(2).device.type == "cpu"


def test_ten_times_in_one_process() -> None:
    """The fake tensors of torch that stood here before ended a process now and then."""
    for _ in range(10):
        run_on_fake_gpu(lambda arguments: weights_after(Classifier(), arguments))


def raised(kind: str, message: str) -> Evidence:
    return Evidence({"error": {"type": kind, "message": message, "line": "line 2", "called": "f"}})


def test_a_named_device_and_a_batch_brought_back_are_findings() -> None:
    def named(_: Any) -> None:
        torch.ones(2, device=DEVICE).to("cuda")

    # A torch that is built for CUDA looks for a driver first; either message is LIT007.
    with pytest.raises(RuntimeError, match=r"'cuda'|NVIDIA driver|compiled with CUDA"):
        run_on_fake_gpu(named)
    found = judge_gpu(raised("NamedDeviceError", "to 'cuda'"), ("device",))
    assert [mark.code for mark in found if isinstance(mark, Finding)] == ["LIT007"]
    back = raised("DeviceMismatchError", f"two devices. {BROUGHT_BACK} line 3 of the cell")
    (mark,) = judge_gpu(back, ("device",))
    assert isinstance(mark, Finding)
    assert (mark.code, mark.where) == ("LIT007", "line 3 of the cell")


def test_what_the_emulation_lacks_is_no_finding() -> None:
    (mark,) = judge_gpu(raised("NotImplementedError", "Cannot copy out of meta tensor"), ("a",))
    assert isinstance(mark, NotLookedAt)
    assert mark.by_machine
    assert judge_gpu(Evidence({"batches": 3}), ("a",)) == []
