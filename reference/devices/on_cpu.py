"""ZeRO on the CPU, over gloo: to watch it train, and to test, where there is no GPU.

Tried with lightning 2.6.6, torch 2.15 and deepspeed 0.19.8. It is meant for GPUs and says so; what
this class changes is in its way there, not in what is computed. DeepSpeed chooses its accelerator
when it is first imported, by the variable DS_ACCELERATOR. Lightning's strategy insists on the CUDA
accelerator and on device indices. FSDP1 has `litcourse.sharding.train_on_cpu`; DDP and FSDP2 need
nothing of the kind.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from lightning.fabric.utilities.seed import reset_seed
from lightning.pytorch.strategies import DDPStrategy

from reference.zero import ZeRO


class ZeROOnCPU(ZeRO):
    """ZeRO on DeepSpeed's own CPU backend."""

    def __init__(self, **arguments: Any) -> None:
        os.environ["DS_ACCELERATOR"] = "cpu"
        super().__init__(**arguments)

    @property
    def root_device(self) -> torch.device:
        """The CPU, with an index: DeepSpeed compares that with numbers."""
        return torch.device("cpu", self.local_rank)

    def setup_environment(self) -> None:
        """As Lightning's, but without asking for CUDA."""
        DDPStrategy.setup_environment(self)

    def setup_distributed(self) -> None:
        """As Lightning's, but without asking for device indices."""
        import deepspeed

        # Collectives in shared memory, compiled at the first use: gloo does without a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        reset_seed()
        self.set_world_ranks()
        self._init_deepspeed_distributed()
