"""The program `python -m reference.mnist`.

    python -m reference.mnist fit
    python -m reference.mnist fit --config reference/mnist/configs/ddp.yaml --trainer.devices=4
    python -m reference.mnist fit --run_dir runs/again --ckpt_path runs/mnist/checkpoints/last.ckpt
    python -m reference.mnist test --ckpt_path runs/mnist/checkpoints/best.ckpt

`recipe.yaml` holds what every run shares; a file of `configs/` changes one thing.
"""

from __future__ import annotations

from pathlib import Path

from reference.cli import run
from reference.mnist.mnist_data import DigitData
from reference.mnist.mnist_model import DigitClassifier


def main(args: list[str] | None = None) -> None:
    """Do what the command line says, or `args` in its place."""
    run(DigitClassifier, DigitData, Path(__file__).parent / "recipe.yaml", args)
