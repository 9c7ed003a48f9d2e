"""The program `python -m reference.cifar10.fast`; `recipe.yaml` holds all of its settings.

python -m reference.cifar10.fast fit --data.data_dir=$HOME/data
python -m reference.cifar10.fast fit --ckpt_path=runs/cifar10-fast/checkpoints/last.ckpt
python -m reference.cifar10.fast fit --config reference/cifar10/fast/smoke.yaml
"""

from __future__ import annotations

from pathlib import Path

from reference.cifar10.fast.fast_data import FastData
from reference.cifar10.fast.fast_model import FastClassifier
from reference.cli import run


def main(args: list[str] | None = None) -> None:
    """Do what the command line says, or `args` in its place."""
    run(FastClassifier, FastData, Path(__file__).parent / "recipe.yaml", args)
