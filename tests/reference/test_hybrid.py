"""FSDP2 with replicas, on 2 x 2 real ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reference.cli import run
from reference.mnist import mnist_train
from reference.mnist.mnist_data import DigitData
from reference.mnist.mnist_model import DigitClassifier
from tests.reference.fits import Ranks, arguments, fit, losses

RECIPE = Path(mnist_train.__file__).parent / "recipe.yaml"
SHORT = ("--trainer.limit_train_batches=2", "--trainer.max_epochs=2")


@pytest.mark.slow
def test_two_replicas_of_two_shards_reach_the_loss_of_ddp(ranks: Ranks, tmp_path: Path) -> None:
    two = "--trainer.strategy.init_args.replicas=2"
    args = arguments("mnist", "fsdp2_hybrid", tmp_path / "hybrid", 4, *SHORT, two)

    def program() -> dict[str, Any]:
        model: Any = run(DigitClassifier, DigitData, RECIPE, args).model
        weight = model.model.layers[1].weight
        return {
            "mesh": [*weight.device_mesh.mesh_dim_names, *weight.device_mesh.shape],
            "held": weight.to_local().numel() / weight.numel(),
            "sum": float(weight.to_local().double().sum()),
        }

    held = ranks(program, 4)
    fit(ranks, "mnist", "ddp", tmp_path / "ddp", 4, *SHORT)
    # The second loss is that of weights which four batches have changed, those of all ranks.
    assert losses(tmp_path / "hybrid") == pytest.approx(losses(tmp_path / "ddp"), rel=1e-4)
    assert all(rank["mesh"] == ["replicate", "shard", 2, 2] for rank in held)
    assert all(rank["held"] == 1 / 2 for rank in held)
    assert held[0]["sum"] == held[2]["sum"] != held[1]["sum"] == held[3]["sum"]
    assert len(list((tmp_path / "hybrid/checkpoints/best.ckpt").glob("*.distcp"))) == 4


def test_ranks_that_make_no_such_groups(ranks: Ranks, tmp_path: Path) -> None:
    three = "--trainer.strategy.init_args.replicas=3"
    with pytest.raises(
        AssertionError, match=r"2 ranks don't make 3 replicas\. Next: .*replicas, one of 1, 2"
    ):
        fit(ranks, "mnist", "fsdp2_hybrid", tmp_path, 2, *SHORT, three)
