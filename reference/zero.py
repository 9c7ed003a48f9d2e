"""DeepSpeed's ZeRO under Lightning, where the two have to be kept from each other's feet."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.strategies import DeepSpeedStrategy


class ZeRO(DeepSpeedStrategy):
    """Lightning's DeepSpeed strategy, able to test what stage 3 has trained."""

    def load_checkpoint(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """As Lightning's.

        Seen with deepspeed 0.19.8: without an optimizer, as in `trainer.test`, its stage 3 engine
        calls a method that it lacks there. It copies weights to the optimizer, and there is none.
        """
        optimizer = self.deepspeed_engine.optimizer
        if self.zero_stage_3 and not hasattr(optimizer, "_restore_from_bit16_weights"):
            optimizer._restore_from_bit16_weights = lambda: None  # noqa: SLF001  as said above
        return super().load_checkpoint(*arguments, **options)
