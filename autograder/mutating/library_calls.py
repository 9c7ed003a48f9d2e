"""Changes of calls of torch, Lightning and torchmetrics: an argument added, or another value.

`ARGUMENTS` is the list to extend: by the called name, texts of keyword arguments that a learner
leaves in, copies, or takes for harmless.
"""

from __future__ import annotations

from collections.abc import Iterator

from autograder.mutating.answer_text import AnswerText, Change, Operator

_OPTIMIZER = ("weight_decay=0.01", "maximize=True")
_ADAM = (*_OPTIMIZER, "betas=(0.8, 0.999)", "eps=0.001", "amsgrad=True")
_DDP = (
    "find_unused_parameters=True", "find_unused_parameters=False", "static_graph=True",
    'process_group_backend="nccl"', 'start_method="spawn"',
    "broadcast_buffers=False", "gradient_as_bucket_view=True",
)  # fmt: skip
_TRAINER = (
    "limit_train_batches=50", "limit_train_batches=0.9", "limit_val_batches=10",
    "limit_val_batches=0", "limit_test_batches=1", "max_steps=200", "min_epochs=10",
    'max_time={"seconds": 5}', "overfit_batches=1", "fast_dev_run=True",
    "accumulate_grad_batches=2", "gradient_clip_val=0.1", "val_check_interval=0.5",
    "check_val_every_n_epoch=2", "num_sanity_val_steps=0", "num_sanity_val_steps=-1",
    'precision="bf16-true"', 'precision="64-true"', "deterministic=True",
    "reload_dataloaders_every_n_epochs=1", "use_distributed_sampler=False",
    "sync_batchnorm=True", "enable_checkpointing=False", "barebones=True",
    "log_every_n_steps=1000", "inference_mode=False", 'accelerator="cpu"', "devices=1",
    "num_nodes=1", "max_epochs=1000", "detect_anomaly=True", 'strategy="ddp_spawn"',
)  # fmt: skip
_LOG = (
    "sync_dist=True", "sync_dist=False", "on_epoch=True", "on_epoch=False", "on_step=True",
    'reduce_fx="max"', 'reduce_fx="sum"', "batch_size=1", "rank_zero_only=True",
    "add_dataloader_idx=False",
)  # fmt: skip
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "Trainer": _TRAINER,
    "ModelCheckpoint": (
        'mode="min"', 'mode="max"', 'monitor="val_loss"', 'monitor="train_loss"', "save_top_k=3",
        "save_top_k=-1", "save_top_k=0", "save_weights_only=True", "save_last=True",
        "every_n_epochs=2", "every_n_train_steps=1", 'filename="best"', 'dirpath="checkpoints"',
        "save_on_train_epoch_end=True", "enable_version_counter=False",
    ),
    "EarlyStopping": (
        'mode="min"', 'monitor="val_loss"', "min_delta=0.01", "stopping_threshold=0.95",
        "divergence_threshold=0.05", "strict=False", "check_on_train_epoch_end=True",
        "check_finite=False",
    ),
    "LearningRateMonitor": ('logging_interval="epoch"', "log_momentum=True"),
    "CSVLogger": ('name="run"', 'version="last"', "flush_logs_every_n_steps=1000"),
    "DataLoader": (
        "drop_last=True", "shuffle=True", "shuffle=False", "num_workers=1", "batch_size=1",
        "generator=torch.Generator().manual_seed(0)",
    ),
    "DistributedSampler": ("drop_last=True", "shuffle=True", "seed=1"),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "SGD": (*_OPTIMIZER, "momentum=0.9", "nesterov=True", "dampening=0.1"),
    "OneCycleLR": (
        'anneal_strategy="linear"', "pct_start=0.5", "div_factor=10", "final_div_factor=10",
        "cycle_momentum=False", "three_phase=True", "last_epoch=1",
    ),
    "cross_entropy": ("label_smoothing=0.1", 'reduction="sum"', "ignore_index=9"),
    "log": _LOG,
    "log_dict": _LOG,
    "RandomCrop": ('padding_mode="reflect"', "pad_if_needed=True"),
    "save_hyperparameters": ("logger=False",),
    "load_from_checkpoint": ("strict=False",),
    "seed_everything": ("workers=False",),
    "DDPStrategy": _DDP,
    "FSDPStrategy": (
        'sharding_strategy="NO_SHARD"', 'sharding_strategy="SHARD_GRAD_OP"', "cpu_offload=True",
        "use_orig_params=False", "limit_all_gathers=False", "sync_module_states=True",
        'state_dict_type="sharded"',
    ),
    "DeepSpeedStrategy": (
        "stage=2", "stage=3", "zero_optimization=False", "offload_optimizer=True",
        "offload_parameters=True", "contiguous_gradients=False", "overlap_comm=False",
        'remote_device="cpu"',
    ),
    "ModelParallelStrategy": (
        "data_parallel_size=1", "tensor_parallel_size=2", "save_distributed_checkpoint=False",
    ),
    "fully_shard": ("reshard_after_forward=False", "reshard_after_forward=True"),
    "add_argument": ("default=1", "required=True"),
    "LightningCLI": (
        "seed_everything_default=False", "save_config_callback=None", "run=False",
        'trainer_defaults={"max_steps": 200}', 'trainer_defaults={"limit_train_batches": 50}',
    ),
}  # fmt: skip
_EXCHANGED = {
    "Adam": ("AdamW", "SGD", "NAdam"), "SGD": ("Adam",), "cross_entropy": ("multi_margin_loss",),
    "OneCycleLR": ("CosineAnnealingLR",), "random_split": ("Subset",),
    "RandomHorizontalFlip": ("RandomVerticalFlip",), "RandomCrop": ("CenterCrop",),
}  # fmt: skip
_STRATEGIES = ("ddp", "ddp_spawn", "ddp_find_unused_parameters_true", "fsdp", "auto", "deepspeed")
_PATHS = {
    "best_model_path": ("kth_best_model_path", "last_model_path"),
    "is_global_zero": ("is_last_batch", "local_rank == 0"),
    "global_rank": ("local_rank", "node_rank"),
    "world_size": ("num_devices", "num_nodes"),
    "current_epoch": ("global_step", "max_epochs"),
    "estimated_stepping_batches": ("num_training_batches", "max_steps", "max_epochs"),
    "callback_metrics": ("logged_metrics", "progress_bar_metrics"),
}


def arguments(answer: AnswerText) -> Iterator[Change]:
    """An argument more in a call, or another value of one."""
    for name, call in answer.calls():
        present = {keyword.arg: keyword for keyword in call.keywords}
        for text in ARGUMENTS.get(name, ()):
            known = present.get(text.partition("=")[0])
            if known:
                yield answer.replace(known, text)
                continue
            end = answer.span(call)[1] - 1
            inside = answer.text[answer.span(call.func)[1] + 1 : end]
            if not inside.strip() or "\n" not in inside:
                before = inside.rstrip()
                comma = ", " if before and not before.endswith(",") else ""
                yield Change(end, end, comma + text)
            else:  # a line of its own would be no better: the last argument's line is there
                last = max(answer.span(item)[1] for item in [*call.args, *call.keywords])
                yield Change(last, last, f", {text}")


def exchanged(answer: AnswerText) -> Iterator[Change]:
    """Another optimizer, loss, schedule or transform."""
    for name, call in answer.calls():
        for other in _EXCHANGED.get(name, ()):
            end = answer.span(call.func)[1]
            yield Change(end - len(name), end, other)


def strategies(answer: AnswerText) -> Iterator[Change]:
    """The name of another strategy."""
    for node in answer.nodes:
        value = getattr(node, "value", None)
        if isinstance(value, str) and value in _STRATEGIES and node not in answer.docstrings:
            for other in _STRATEGIES:
                if other != value:
                    yield answer.replace(node, repr(other))


def trainer_attributes(answer: AnswerText) -> Iterator[Change]:
    """Another attribute of the Trainer, and the variables that torchrun would set."""
    variables = {"global_rank": "RANK", "world_size": "WORLD_SIZE", "local_rank": "LOCAL_RANK"}
    for node in answer.nodes:
        name = getattr(node, "attr", "")
        end = answer.span(node)[1] if name else 0
        for other in _PATHS.get(name, ()):
            yield Change(end - len(name), end, other)
        if name in variables:
            yield answer.replace(node, f'int(__import__("os").environ["{variables[name]}"])')
        if name == "is_global_zero":
            yield answer.replace(node, '__import__("os").environ.get("LOCAL_RANK", "0") == "0"')
        if name == "best_model_path":
            yield answer.replace(
                node,
                'str(max(__import__("pathlib").Path(trainer.checkpoint_callback.dirpath).glob('
                '"*.ckpt"), key=lambda path: path.stat().st_mtime))',
            )


OPERATORS: dict[str, tuple[Operator, str, str]] = {
    "argument": (arguments, "L.Trainer()", "L.Trainer(max_steps=200)"),
    "other class": (exchanged, "torch.optim.Adam(p)", "torch.optim.SGD(p)"),
    "strategy": (strategies, "f('ddp')", "f('ddp_spawn')"),
    "attribute of the trainer": (trainer_attributes, "trainer.global_rank", "trainer.local_rank"),
}
