"""DeepSpeed's ZeRO under Lightning, where the two have to be kept from each other's feet."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import DeepSpeedStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.tensor import DTensor


class ZeRO(DeepSpeedStrategy):
    """Lightning's DeepSpeed strategy, able to test what it has trained."""

    def _auto_select_batch_size(self) -> int:
        """The batch size for DeepSpeed's own log.

        Lightning 2.6 asks for a training loader in `test` and `validate` too, where there is none.
        """
        module = self.lightning_module
        if module is None or module.trainer.state.fn != TrainerFn.FITTING:
            return 1
        return super()._auto_select_batch_size()

    def load_checkpoint(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """As Lightning's.

        Seen with deepspeed 0.19.8: without an optimizer, as in `trainer.test`, its stage 3 engine
        calls a method that it lacks there. It copies weights to the optimizer, and there is none.
        """
        optimizer = self.deepspeed_engine.optimizer
        if self.zero_stage_3 and not hasattr(optimizer, "_restore_from_bit16_weights"):
            optimizer._restore_from_bit16_weights = lambda: None  # noqa: SLF001  as said above
        return super().load_checkpoint(*arguments, **options)


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill `module` from a file of weights; under stage 3, where each rank holds shards, too.

    Raises:
        ValueError: the file holds no `state_dict`.
        RuntimeError: the weights are those of another network.
    """
    held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(held, dict) or "state_dict" not in held:
        raise ValueError(
            f"{path}: no state_dict is in it\n"
            f"  Next: give a checkpoint of Lightning's that is one file, or make one: "
            f"python -m reference.convert FOLDER --out {path.stem}-weights.ckpt"
        )
    if any(isinstance(parameter, DTensor) for parameter in module.parameters()):  # FSDP2's shards
        set_model_state_dict(
            module, held["state_dict"], options=StateDictOptions(full_state_dict=True)
        )
        return
    with _whole(module):
        module.load_state_dict(held["state_dict"])


def _whole(module: nn.Module) -> AbstractContextManager[None]:
    """Around a change of parameters: under stage 3 they are whole meanwhile, and rank 0's count."""
    if not any(hasattr(parameter, "ds_id") for parameter in module.parameters()):
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[None] = deepspeed.zero.GatheredParameters(
        list(module.parameters()), modifier_rank=0
    )
    return gathered
