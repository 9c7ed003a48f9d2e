"""What a class derives from, as a probe notes it and a judge reads it."""

from __future__ import annotations

import lightning as L
import pytest
import pytorch_lightning
from torch import nn

from litcourse.core.evidence import Evidence
from litcourse.probing.class_bases import BOTH_PACKAGES, bases, derives_from, first_base


class LightningModule(nn.Module):
    """Nothing of Lightning's but the name."""


CASES = [
    (type("Own", (L.LightningModule,), {}), "LightningModule", True),
    (type("Further", (type("Own", (L.Callback,), {}),), {}), "Callback", True),
    (type("Own", (L.LightningDataModule,), {}), "LightningModule", False),
    (type("Own", (LightningModule,), {}), "LightningModule", False),
    (type("Own", (pytorch_lightning.Callback,), {}), "Callback", False),
    (L.LightningModule, "LightningModule", False),
    (lambda: None, "LightningModule", False),
]


@pytest.mark.parametrize(("cls", "kind", "right"), CASES)
def test_only_lightnings_own_class_counts(cls: object, kind: str, right: bool) -> None:
    assert derives_from(Evidence(bases(cls)), kind) is right


def test_the_other_package_counts_where_it_is_named() -> None:
    noted = Evidence(bases(type("Own", (pytorch_lightning.LightningDataModule,), {})))
    assert derives_from(noted, "LightningDataModule", BOTH_PACKAGES)
    assert not derives_from(noted, "LightningDataModule")


def test_the_first_base_is_what_a_finding_shows() -> None:
    assert first_base(Evidence(bases(type("Own", (nn.Module,), {})))).endswith(".Module")
    assert first_base(Evidence(bases(len))) == "no class"
