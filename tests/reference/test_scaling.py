"""What strategies cost: measured against the published arithmetic; the results file is fresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from litcourse.core.exit_codes import ExitCode
from litcourse.models import Block, TransformerClassifier
from litcourse.sharding import CollectiveCounter, KeptForBackward, ShardingError, fake_group
from reference.policies import ByClass
from reference.scaling import tables
from reference.scaling.costs import fsdp2, published, state_bytes
from reference.scaling.peaks import SUBJECTS, WAYS, ddp_peak, fsdp2_peak, peaks

Ranks = Callable[..., list[Any]]


def test_state_is_what_the_authors_of_zero_publish() -> None:
    # Rajbhandari et al. 2020, figure 1: 7.5 billion parameters on 64 GPUs, in gigabytes.
    figures = {"ddp": 120, "zero1": 31.4, "zero2": 16.6, "zero3": 1.9}
    for strategy, gigabytes in figures.items():
        found = state_bytes(strategy, 7_500_000_000, 64) / 1e9
        assert found == pytest.approx(gigabytes, abs=0.05)


def test_stage_three_sends_half_as_much_again() -> None:
    # The same paper, section 7: stages 1 and 2 send as much as DDP, stage 3 one and a half times.
    sent = {name: published(name, 10**6, 8).sent for name in tables.PUBLISHED}
    assert sent["ddp"] == sent["zero1"] == sent["zero2"] == 2 * 4 * 10**6 * 7 // 8
    assert sent["zero3"] == 1.5 * sent["ddp"]


def make() -> nn.Module:
    return TransformerClassifier(64, 32, 2, 5, 10)


def measured() -> list[list[int]]:
    """Rows of size, what a rank holds, sends and calls, whole and kept for backward, and units."""
    batch = torch.zeros(2, 8, dtype=torch.int64)
    rows = []
    for size in (2, 4, 16):
        for reshard in (True, False):
            cost = fsdp2(make, batch, ByClass([Block]), size, reshard=reshard)
            rows.append([size, reshard, cost.held, cost.sent, cost.collectives or 0])
    return rows


def test_a_real_step_agrees_with_the_arithmetic(ranks: Ranks) -> None:
    """In a process of its own: the fake group is global."""
    parameters = sum(p.numel() for p in make().parameters())
    units = len(ByClass([Block]).units(make())) + 1  # the root
    (rows,) = ranks(measured, 1)
    for size, reshard, held, sent, collectives in rows:
        expected = published("zero3" if reshard else "zero2", parameters, size)
        # Each parameter is padded to a multiple of the ranks.
        assert held == pytest.approx(parameters / size, rel=0.05)
        assert held >= parameters / size
        assert sent == pytest.approx(expected.sent, rel=0.05)
        assert collectives == (3 if reshard else 2) * units


def root_left_to_torch() -> list[int]:
    """Collectives and bytes that a rank of 4 sends, where the network alone is sharded."""
    network, world_size = make(), 4
    with fake_group(world_size):
        fully_shard(network, mesh=init_device_mesh("cpu", (world_size,)))
        with CollectiveCounter() as counter:
            network(torch.zeros(2, 8, dtype=torch.int64)).sum().backward()
    moved = sum(call.bytes for call in counter.calls)
    return [len(counter.calls), moved * (world_size - 1) // world_size]


def test_a_root_that_is_left_to_torch_is_gathered_once(ranks: Ranks) -> None:
    ((collectives, sent),) = ranks(root_left_to_torch, 1)
    parameters = sum(p.numel() for p in make().parameters())
    assert collectives == 2
    assert sent == pytest.approx(published("zero2", parameters, 4).sent, rel=0.05)


def test_ddp_holds_everything_and_its_activations() -> None:
    whole = 4 * tables.count()
    for activations, most in ((10 * whole, 14 * whole), (0, 5 * whole)):
        peak = ddp_peak(SUBJECTS["ResNet-18"], activations)
        # Weights, buckets and two numbers of Adam; then activations, or gradients in their place.
        assert (peak.most, peak.state) == (most, 2 * whole)


def test_the_tracker_sees_what_forward_keeps(ranks: Ranks) -> None:
    subject = SUBJECTS["ResNet-18"]
    with torch.device("meta"):
        network, images = subject.make(), subject.inputs()
    with KeptForBackward(network) as kept:
        network(images)
    (peak,) = ranks(lambda: vars(fsdp2_peak(subject, WAYS["fsdp2, the root alone"])), 1)
    assert peak["activations"] == pytest.approx(kept.bytes, rel=0.02)
    assert peak["state"] == 8 * 175_026  # what a rank of 64 holds, of the table above
    assert peak["most"] > peak["activations"] + peak["state"] + 4 * tables.count()


def test_a_torch_without_the_tracker_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def changed() -> None:
        raise ShardingError("torch.no_such.Tracker", "is not there any more")

    monkeypatch.setattr(tables, "costs", changed)
    monkeypatch.setattr("sys.argv", ["scaling", "--write"])
    assert tables.main() == ExitCode.MISTAKE
    assert "torch.no_such.Tracker is not there any more" in capsys.readouterr().err


@pytest.mark.slow
def test_results_are_those_of_the_script(ranks: Ranks) -> None:
    (text,) = ranks(lambda: tables.tables(tables.costs(), peaks()), 1)
    written = (tables.FOLDER / "RESULTS.md").read_text()
    assert f"{tables.BEGIN}\n\n{text}\n\n{tables.END}" in written, (
        "next: python -m reference.scaling --write"
    )
