"""The program `python -m reference.cifar10`.

    python -m reference.cifar10 fit --config reference/cifar10/configs/gpu.yaml
    python -m reference.cifar10 fit --trainer.devices=4 --trainer.strategy=ddp
    python -m reference.cifar10 fit --ckpt_path runs/cifar10/checkpoints/last.ckpt

`recipe.yaml` holds what every run shares; a file of `configs/` changes one thing.
"""

from __future__ import annotations

from pathlib import Path

from reference.cifar10.cifar10_data import PhotoData
from reference.cifar10.cifar10_model import ResNetClassifier
from reference.cli import run


def main(args: list[str] | None = None) -> None:
    """Do what the command line says, or `args` in its place."""
    run(ResNetClassifier, PhotoData, Path(__file__).parent / "recipe.yaml", args)
