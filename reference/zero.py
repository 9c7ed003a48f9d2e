"""DeepSpeed's ZeRO under Lightning, where the two have to be kept from each other's feet."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.strategies import DeepSpeedStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.tensor import DTensor
from torch.nn.modules.batchnorm import _BatchNorm

from reference.convert import READING
from reference.refusals import RefusalError


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

    def init_deepspeed(self) -> None:
        """As Lightning's, with the statistics of batch norms in the type of their weights.

        DeepSpeed 0.19.8 casts weights and leaves buffers in float32 (stages 1 and 2), with which
        torch's batch norm does not evaluate.
        """
        super().init_deepspeed()
        for module in cast("nn.Module", self.model).modules():
            if isinstance(module, _BatchNorm) and module.affine:
                for name, buffer in module.named_buffers():
                    if buffer.is_floating_point():
                        setattr(module, name, buffer.to(module.weight.dtype))

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
        RefusalError: the file holds no `state_dict`, or that of another network.
    """
    weights = _state_dict(path)
    here = {name: _shape(of) for name, of in module.state_dict(keep_vars=True).items()}
    there = {name: _shape(of) for name, of in weights.items()}
    differ = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    if differ:
        name = differ[0]
        raise RefusalError(
            f"{path} holds the weights of another network: {name} is "
            f"{there.get(name, 'not in it')}, and {here.get(name, 'nowhere')} in this one",
            "--model.network, and its arguments, of the run that they are from",
        )
    if any(isinstance(parameter, DTensor) for parameter in module.parameters()):  # FSDP2's shards
        set_model_state_dict(module, weights, options=StateDictOptions(full_state_dict=True))
        return
    with _whole(module):
        module.load_state_dict(weights)


def _shape(of: Any) -> list[int]:
    """The shape of a parameter or buffer; under stage 3 a rank has a shard of it, or nothing."""
    return list(getattr(of, "ds_shape", getattr(of, "shape", ())))


def _state_dict(path: Path) -> dict[str, Any]:
    """The weights in a file; they stay on the disk until they are asked for."""
    make_one = "a checkpoint of Lightning's that is one file, or make one: python -m "
    make_one += f"reference.convert FOLDER --out {path.stem}-weights.ckpt"
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except READING as error:
        raise RefusalError(f"{path} can't be read ({type(error).__name__})", make_one) from error
    if not isinstance(held, dict) or "state_dict" not in held:
        raise RefusalError(f"{path}: no state_dict is in it", make_one)
    found: dict[str, Any] = held["state_dict"]
    return found


def _whole(module: nn.Module) -> AbstractContextManager[None]:
    """Around a change of parameters: under stage 3 they are whole meanwhile, and rank 0's count."""
    if not any(hasattr(parameter, "ds_id") for parameter in module.parameters()):
        return nullcontext()
    import deepspeed

    gathered: AbstractContextManager[None] = deepspeed.zero.GatheredParameters(
        list(module.parameters()), modifier_rank=0
    )
    return gathered
