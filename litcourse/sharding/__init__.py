"""Sharding without a GPU: FSDP on CPU ranks, and rank 0 of many ranks that do not exist.

Private names of torch and Lightning that sharding needs stand in this package alone. Each tool
tries its names when it is used, and raises `ShardingError` if they are gone or have no effect.

Read in this order:

1. `sharding_error`: the error. `litcourse.probing.private_names` finds a private name.
2. `fake_group`: rank 0 of a process group whose other ranks do not exist.
3. `collectives`: counts all-gathers, reduce-scatters and all-reduces, step by step.
4. `units`: which modules FSDP made units of.
5. `fsdp_on_cpu`: lets a given `FSDPStrategy` train on CPU ranks.
6. `fsdp2_exactness`: whether FSDP2 is exact on this machine's CPU ranks.
7. `deepspeed_stand_in`: a module that stands for DeepSpeed, which need not be installed.
8. `step_memory`: what a step of FSDP2 holds at its peak, by torch's own tracker.
9. `activations`: what forward keeps for backward.
"""

from litcourse.sharding.activations import KeptForBackward
from litcourse.sharding.collectives import CollectiveCounter, StepCollectives, count_kinds
from litcourse.sharding.deepspeed_stand_in import pretend_deepspeed
from litcourse.sharding.fake_group import fake_group
from litcourse.sharding.fsdp2_exactness import measure_fsdp2_gap
from litcourse.sharding.fsdp_on_cpu import train_on_cpu
from litcourse.sharding.sharding_error import ShardingError, measured
from litcourse.sharding.step_memory import StepMemory, measure_step
from litcourse.sharding.units import (
    checkpointed_modules,
    clean_name,
    fsdp1_units,
    fsdp2_units,
    wrap_as_fsdp1,
)

__all__ = [
    "CollectiveCounter",
    "KeptForBackward",
    "ShardingError",
    "StepCollectives",
    "StepMemory",
    "checkpointed_modules",
    "clean_name",
    "count_kinds",
    "fake_group",
    "fsdp1_units",
    "fsdp2_units",
    "measure_fsdp2_gap",
    "measure_step",
    "measured",
    "pretend_deepspeed",
    "train_on_cpu",
    "wrap_as_fsdp1",
]
