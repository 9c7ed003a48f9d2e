"""Both loops of the bench train the same: what is compared is comparable."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from litcourse.models import MLP
from reference import bench

if TYPE_CHECKING:
    import pytest

Ranks = Callable[..., list[Any]]


def test_both_loops_reach_the_same_weights(
    ranks: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def run() -> list[float]:
        made: list[torch.nn.Module] = []

        def make() -> torch.nn.Module:
            made.append(MLP(hidden=(8,)))
            return made[-1]

        match = bench.Match(make, (1, 28, 28), 4, 5)
        seconds = [bench.with_lightning(match, 2), bench.plain(match, 2)]
        weights = [torch.cat([p.flatten() for p in model.parameters()]) for model in made]
        return [*seconds, float((weights[0] - weights[1]).abs().max()), float(weights[0].norm())]

    ((lightning, plain, difference, norm),) = ranks(run, 1)
    assert lightning > 0
    assert plain > 0
    assert difference == 0
    assert norm > 0


def test_results_say_on_what(ranks: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = bench.Match(partial(MLP, hidden=(8,)), (1, 28, 28), 4, 5)
    monkeypatch.setattr(bench, "MATCHES", {"mlp": small})
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "results.json"
    ranks(partial(bench.main, ["--rounds=2", "--epochs=1", f"--out={out}"]), 1)
    told = json.loads(out.read_text())
    assert told["results"]["mlp"]["steps"] == 5
    assert told["results"]["mlp"]["ratio_median"] > 0
    assert {"cores", "threads", "load"} < set(told["hardware"])
    assert {"lightning", "torch", "python"} == set(told["versions"])
