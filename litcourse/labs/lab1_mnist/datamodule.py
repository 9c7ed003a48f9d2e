"""datamodule: `MNISTDataModule` serves MNIST as a Trainer needs it.

The probe replaces the download of torchvision's MNIST by one that writes drawn images, and so
also records when the student's class downloads. All drawn images differ, so the judge recognises
each sample in each loader.
"""

from __future__ import annotations

from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.namespace import Student
from litcourse.core.question import Criterion, Inputs, Mark, Question
from litcourse.data import MNIST_MEAN, MNIST_STD
from litcourse.probing.datamodules.calls import probe_class
from litcourse.probing.datamodules.drawn_sets import draw_sets
from litcourse.probing.datamodules.kind import Kind
from litcourse.probing.datamodules.uses import judge_class, judge_module

ALL = ("images", "split", "repeat", "order", "loaders", "prepare")
KIND = Kind("MNISTDataModule", (1, 28, 28), MNIST_MEAN, MNIST_STD, batch_size=64, val_size=0.2)


def draw(rng: Random) -> Inputs:
    """Two small sets of images, and the class's arguments."""
    counts = {"train": (90, 120), "test": (30, 45)}
    shown = draw_sets(rng, (28, 28), counts, (0.15, 0.2, 0.25, 0.3))
    return Inputs({**shown, "num_workers": rng.randrange(65, 100)})


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Use the class as Lightning does; see `probe_class`."""
    evidence: dict[str, Any] = probe_class(student[KIND.class_name], shown, KIND)
    return evidence


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Compare each loader's samples with the drawn images."""
    fatal = judge_class(KIND, evidence, ALL)
    return [*fatal] if fatal else judge_module(KIND, inputs, evidence)


QUESTION = Question(
    title="Bring the data",
    defines=("MNISTDataModule",),
    criteria=(
        Criterion("images", "normalised float images with their labels", 0.2),
        Criterion("split", "train, val and test: right sizes, every sample once", 0.3),
        Criterion("repeat", "one split in every process, another for another seed", 0.2),
        Criterion("order", "a new order in each training epoch", 0.1),
        Criterion("loaders", "honours batch_size, num_workers and the defaults", 0.1),
        Criterion("prepare", "prepare_data fetches and keeps no state", 0.1),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
