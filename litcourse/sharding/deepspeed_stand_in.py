"""A module that stands for DeepSpeed, so that Lightning's `DeepSpeedStrategy` can be made.

Lightning asks whether DeepSpeed is installed, and on making a strategy sets the level of one of its
loggers; nothing more until it trains. So the stand-in holds a logger and nothing else. It is used
where DeepSpeed is installed too: a check then says the same everywhere.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType

from litcourse.probing.private_names import replaced_private
from litcourse.sharding.sharding_error import ShardingError

_MODULES = ("lightning.fabric.strategies.deepspeed", "lightning.pytorch.strategies.deepspeed")
_FLAGS = ("_DEEPSPEED_AVAILABLE", "_DEEPSPEED_GREATER_EQUAL_0_16")
_NAME = "deepspeed"


@contextmanager
def pretend_deepspeed(*, there: bool) -> Iterator[None]:
    """Have Lightning find a DeepSpeed that holds nothing, or none at all, while the context lasts.

    Raises:
        ShardingError: Lightning asks for DeepSpeed in another way.
    """
    with ExitStack() as stack:
        for path in (f"{module}.{name}" for module in _MODULES for name in _FLAGS):
            stack.enter_context(replaced_private(path, there, ShardingError))
        others = {key: module for key, module in sys.modules.items() if _is_deepspeed(key)}
        stack.callback(sys.modules.update, others)
        stack.callback(_forget)
        _forget()
        sys.modules.update(_stand_in() if there else {_NAME: None})  # type: ignore[dict-item]
        _check(there=there)
        yield


def _is_deepspeed(key: str) -> bool:
    return key == _NAME or key.startswith(f"{_NAME}.")


def _forget() -> None:
    for key in [key for key in sys.modules if _is_deepspeed(key)]:
        del sys.modules[key]


def _stand_in() -> dict[str, ModuleType]:
    names = (_NAME, f"{_NAME}.utils", f"{_NAME}.utils.logging")
    made = {name: ModuleType(name) for name in names}
    made[_NAME].utils = made[names[1]]  # type: ignore[attr-defined]  # a submodule
    made[names[1]].logging = made[names[2]]  # type: ignore[attr-defined]  # a submodule
    made[names[2]].logger = logging.getLogger("deepspeed")  # type: ignore[attr-defined]
    return made


def _check(*, there: bool) -> None:
    """Make a strategy: cheap, and proof that Lightning finds what it should."""
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch.strategies import DeepSpeedStrategy

    try:
        DeepSpeedStrategy(stage=2)
    except MisconfigurationException as error:
        if there:
            raise ShardingError("DeepSpeedStrategy", f"refuses the stand-in ({error})") from error
    except (AttributeError, ImportError) as error:
        what = f"wants more of DeepSpeed than the stand-in has ({error})"
        raise ShardingError("DeepSpeedStrategy", what) from error
    else:
        if not there:
            raise ShardingError(_FLAGS[0], "has no effect")
