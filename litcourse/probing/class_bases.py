"""Records in a probe which classes a student's class derives from, and reads that in a judge."""

from __future__ import annotations

from litcourse.core.evidence import Evidence

BOTH_PACKAGES = ("lightning", "pytorch_lightning")
"""Two packages with classes of the same names; a Trainer of one refuses modules of the other."""


def bases(cls: object) -> list[str]:
    """Full names of the classes that `cls` derives from, without `cls` itself."""
    ancestors = getattr(cls, "__mro__", ())[1:]
    return [f"{base.__module__}.{base.__qualname__}" for base in ancestors]


def derives_from(names: Evidence, kind: str, packages: tuple[str, ...] = BOTH_PACKAGES[:1]) -> bool:
    """Whether Lightning's class `kind` is among the bases.

    Args:
        names: the evidence from `bases`.
        kind: "LightningModule", "LightningDataModule" or "Callback".
        packages: packages whose class `kind` counts.
    """
    parts = [name.split(".") for name in names.texts()]
    return any(name[0] in packages and name[-1] == kind for name in parts)


def first_base(names: Evidence) -> str:
    """The first base class, for a finding that expects a class of Lightning there."""
    return (names.texts() or ["no class"])[0]
