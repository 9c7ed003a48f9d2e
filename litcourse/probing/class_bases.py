"""What a student's class derives from: `bases` notes it, the others read what was noted."""

from __future__ import annotations

from litcourse.core.evidence import Evidence

BOTH_PACKAGES = ("lightning", "pytorch_lightning")
"""Two packages with classes of the same names, which are strangers to each other."""


def bases(cls: object) -> list[str]:
    """Full names of the classes that `cls` derives from, `cls` left out."""
    own = getattr(cls, "__mro__", ())[1:]
    return [f"{base.__module__}.{base.__qualname__}" for base in own]


def derives_from(noted: Evidence, kind: str, packages: tuple[str, ...] = BOTH_PACKAGES[:1]) -> bool:
    """Whether Lightning's class `kind` is among the bases that were noted.

    Args:
        noted: what `bases` gave.
        kind: "LightningModule", "LightningDataModule" or "Callback".
        packages: whose class counts.
    """
    parts = [name.split(".") for name in noted.texts()]
    return any(name[0] in packages and name[-1] == kind for name in parts)


def first_base(noted: Evidence) -> str:
    """The class that another one derives from, for a finding that wants it to be Lightning's."""
    return (noted.texts() or ["no class"])[0]
