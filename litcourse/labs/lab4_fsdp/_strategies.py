"""What a strategy was told, as evidence."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy

from litcourse.core.evidence import Evidence

FLAGS = ("ddp", "fsdp", "fsdp_grad_op", "fsdp_no_shard", "fsdp2", "zero1", "zero2", "zero3")
"""The flags of `strategy_for`."""
_REPLICATING = ("DDPStrategy", "SingleDeviceStrategy")
FABRIC = "Fabric's "
"""In front of the name of a class of Fabric, which has strategies of the same names."""


def read_strategy(returned: Any) -> dict[str, Any]:
    """Names of the classes that `returned` is of, the nearest first, and what it was told.

    Returns:
        "kinds"; for FSDP "sharding", "offload" and whether it has a precision of its
        own, "mixed"; for DeepSpeed "stage", with the name of its
        type, and the devices "optimizer" and "parameters" ("none" for no offload).
    """
    kinds = [_name(kind) for kind in type(returned).__mro__]
    if isinstance(returned, FSDPStrategy):
        offload = bool(getattr(returned.cpu_offload, "offload_params", False))
        mixed = getattr(returned, "mixed_precision", None) is not None
        told = {"sharding": returned.sharding_strategy.name, "offload": offload, "mixed": mixed}
        return {"kinds": kinds, **told}
    if isinstance(returned, DeepSpeedStrategy):
        return {"kinds": kinds, **_read_zero(returned.config)}
    return {"kinds": kinds, "value": str(returned)[:100] if isinstance(returned, str) else ""}


def _name(kind: type) -> str:
    of_fabric = kind.__module__.startswith("lightning.fabric.strategies")
    return f"{FABRIC}{kind.__name__}" if of_fabric else kind.__name__


def _read_zero(config: Any) -> dict[str, Any]:
    zero = (config or {}).get("zero_optimization") if isinstance(config, dict) else None
    zero = zero if isinstance(zero, dict) else {}

    def device(name: str) -> str:
        part = zero.get(name)
        return str(part.get("device", "none")) if isinstance(part, dict) else "none"

    stage = zero.get("stage")
    return {
        "zero": bool(zero),
        "stage": stage if type(stage) is int else str(stage),
        "stage_type": type(stage).__name__,
        "optimizer": device("offload_optimizer"),
        "parameters": device("offload_param"),
    }


def is_kind(seen: Evidence, name: str) -> bool:
    """Whether an object is of the class `name`, or of one derived from it."""
    return name in seen["kinds"].texts()


def format_kind(seen: Evidence) -> str:
    """The class of an object, or the text if it is one."""
    kinds = seen["kinds"].texts() or ["nothing"]
    text = seen["value"].text() if "value" in seen else ""
    return f"the text {text!r}" if kinds[0] == "str" else kinds[0]


def replicates(seen: Evidence) -> bool:
    """Whether a strategy leaves the whole model with every rank.

    DeepSpeedStrategy does not, although it derives from DDPStrategy.
    """
    return not is_kind(seen, "DeepSpeedStrategy") and any(is_kind(seen, k) for k in _REPLICATING)


def of_fabric(seen: Evidence) -> bool:
    """Whether an object is a strategy of Fabric, which no Trainer takes."""
    return any(kind.startswith(FABRIC) for kind in seen["kinds"].texts())
