"""Warnings of libraries that a log is better without, each with its reason."""

from __future__ import annotations

import logging
import warnings

NOISE = (
    # Lightning 2.6 with torch 2.13 and newer; nothing in a program can change it.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"torch\.distributed\.nn\.functional\.\w+ is deprecated",
    r".*ShardedTensor",
    r"FSDP\.(state_dict_type|set_state_dict_type)\(\)",
    r"`_get_pg_default_device` will be deprecated",
    r"Multiple backends are registered with this ProcessGroup",
    # FSDP1 on a CPU, where nobody waits for bfloat16.
    r"CUDA is not available or torch_xla is imported\. Disabling autocast",
    # DeepSpeed does clip: Lightning hands it `gradient_clip_val`.
    r"Since DeepSpeed handles gradient clipping internally",
    # A summary counts parameters; the megabytes that it guesses from them are nobody's measure.
    r"Precision .* is not supported by the model summary",
    # So it is after a job was started anew; `last.ckpt` is meant to be replaced.
    r"Checkpoint directory .* exists and is not empty",
)
"""Warnings that every rank would print, and that ask nothing of whoever runs the programs."""


def quiet() -> None:
    """Leave out what fills a log and says nothing: each line of it once for each rank."""
    for pattern in NOISE:
        warnings.filterwarnings("ignore", pattern)
    advertising = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    advertising.addFilter(lambda record: "litlogger" not in record.getMessage())
