"""Answers to `fsdp_strategy`: policy, sharding, checkpoints and offload, each by its argument."""

from autograder.bank import right, wrong

POLICY = "auto_wrap_policy=policy,"
SHARDING = "sharding_strategy=sharding,"
OFFLOAD = "cpu_offload=offload,"
AGAIN = "activation_checkpointing_policy={Block} if checkpoint_blocks else None,"
RETURN = "return FSDPStrategy("
DERIVED = """class Own(FSDPStrategy):
        def setup(self, trainer):
            super().setup(trainer)
            BODY

    return Own("""


def derived(body: str) -> tuple[str, str]:
    """An edit: a class of its own, which does something when it is set up."""
    return RETURN, DERIVED.replace("BODY", body)


CASES = [
    right(
        "by keywords",
        code="""
        def make_fsdp_strategy(policy, sharding="FULL_SHARD", offload=False, checkpoint_blocks=False):
            kwargs = dict(auto_wrap_policy=policy, sharding_strategy=sharding, cpu_offload=offload)
            if checkpoint_blocks:
                kwargs["activation_checkpointing_policy"] = ModuleWrapPolicy({Block})
            return FSDPStrategy(**kwargs)
        """,
    ),
    right(
        "objects of torch's own",
        (
            SHARDING,
            "sharding_strategy=__import__('torch').distributed.fsdp.ShardingStrategy[sharding],",
        ),
        (OFFLOAD, "cpu_offload=torch.distributed.fsdp.CPUOffload(offload_params=offload),"),
    ),
    right(
        "the older argument",
        (AGAIN, "activation_checkpointing=Block if checkpoint_blocks else None,"),
    ),
    right("sharded checkpoints", (RETURN, 'return FSDPStrategy(state_dict_type="sharded",')),
    right(
        "more of FSDP's arguments",
        (RETURN, "return FSDPStrategy(limit_all_gathers=True, forward_prefetch=True,"),
    ),
    right(
        "without the original parameters", (RETURN, "return FSDPStrategy(use_orig_params=False,")
    ),
    right("modules synced from rank 0", (RETURN, "return FSDPStrategy(sync_module_states=True,")),
    right("a class of its own", derived("self.seen = trainer")),
    right(
        "told no precision, as the lesson has it for batch norms",
        (
            RETURN,
            "class OfThePolicy(FSDPStrategy):\n"
            "        mixed_precision_config = None\n\n"
            "    return OfThePolicy(",
        ),
    ),
    right("lower case", (SHARDING, "sharding_strategy=sharding.lower().upper(),")),
    right(
        "an empty checkpoint policy",
        (AGAIN, "activation_checkpointing_policy={Block} if checkpoint_blocks else set(),"),
    ),
    right(
        "torch's enumerations",
        (SHARDING, "sharding_strategy=getattr(ShardingStrategy, sharding),"),
        (OFFLOAD, "cpu_offload=torch.distributed.fsdp.CPUOffload(offload) if offload else None,"),
    ),
    right(
        "a number of the enumeration",
        (
            SHARDING,
            "sharding_strategy=ShardingStrategy(\n"
            "            1 + ['FULL_SHARD', 'SHARD_GRAD_OP', 'NO_SHARD', 'HYBRID_SHARD'].index(sharding)\n"
            "        ),",
        ),
    ),
    right(
        "checkpoints by three arguments",
        (
            AGAIN,
            "activation_checkpointing_policy=(\n"
            "            lambda module, recurse, nonwrapped_numel: recurse or isinstance(module, Block)\n"
            "        )\n        if checkpoint_blocks\n        else None,",
        ),
    ),
    right(
        "a set made into a policy",
        (
            POLICY,
            "auto_wrap_policy=ModuleWrapPolicy(policy) if isinstance(policy, set) else policy,",
        ),
    ),
    right(
        "a mesh for hybrid sharding",
        (POLICY, POLICY + ' device_mesh=(2, 4) if sharding == "HYBRID_SHARD" else None,'),
    ),
    right(
        "prefetches later",
        (
            RETURN,
            "from torch.distributed.fsdp import BackwardPrefetch\n\n"
            "    return FSDPStrategy(backward_prefetch=BackwardPrefetch.BACKWARD_POST,",
        ),
    ),
    wrong("DDP", "LIT4401", (RETURN, "return DDPStrategy() or FSDPStrategy(")),
    wrong("by name", "LIT4401", (RETURN, 'return "fsdp" or FSDPStrategy(')),
    wrong("FSDP2", "LIT4400", (RETURN, "return ModelParallelStrategy() or FSDPStrategy(")),
    wrong("nothing", "LIT4400", (RETURN, "FSDPStrategy(")),
    wrong("the class", "LIT4400", (RETURN, "return FSDPStrategy or FSDPStrategy(")),
    wrong("sharding is forgotten", "LIT4402", (SHARDING, "")),
    wrong(
        "half sharding for full",
        "LIT4402",
        (SHARDING, 'sharding_strategy="SHARD_GRAD_OP" if sharding == "FULL_SHARD" else sharding,'),
    ),
    wrong(
        "another default",
        "LIT4402",
        ('sharding: str = "FULL_SHARD"', 'sharding: str = "SHARD_GRAD_OP"'),
    ),
    wrong(
        "replicates by default",
        "LIT4403",
        ('sharding: str = "FULL_SHARD"', 'sharding: str = "NO_SHARD"'),
    ),
    wrong("always replicates", "LIT4403", (SHARDING, 'sharding_strategy="NO_SHARD",')),
    wrong("policy is forgotten", "LIT4404", (POLICY, "")),
    wrong(
        "policy in a way that is none",
        "LIT4404",
        (POLICY, "auto_wrap_policy=policy if policy is None else set(),"),
    ),
    wrong("blocks, whatever the policy", "LIT4405", (POLICY, "auto_wrap_policy={Block},")),
    wrong(
        "only sets of classes",
        "LIT4405",
        (POLICY, "auto_wrap_policy=policy if isinstance(policy, set) else {Block},"),
    ),
    wrong("checkpoints are forgotten", "LIT4408", (AGAIN, "")),
    wrong(
        "units are checkpointed",
        "LIT4409",
        (AGAIN, "activation_checkpointing_policy=policy if checkpoint_blocks else None,"),
    ),
    wrong(
        "head, too",
        "LIT4409",
        (AGAIN, "activation_checkpointing_policy={Block, Head} if checkpoint_blocks else None,"),
    ),
    wrong(
        "the whole network",
        "LIT4409",
        (
            AGAIN,
            "activation_checkpointing_policy={TransformerClassifier} if checkpoint_blocks else None,",
        ),
    ),
    wrong("always checkpoints", "LIT4410", (AGAIN, "activation_checkpointing_policy={Block},")),
    wrong(
        "the wrong way round",
        "LIT4410",
        (AGAIN, "activation_checkpointing_policy=None if checkpoint_blocks else {Block},"),
    ),
    wrong(
        "every layer",
        "LIT4411",
        (AGAIN, "activation_checkpointing_policy={nn.Linear} if checkpoint_blocks else None,"),
    ),
    wrong(
        "both arguments",
        "LIT4412",
        (AGAIN, "activation_checkpointing=Block if checkpoint_blocks else None, " + AGAIN),
    ),
    wrong(
        "a class without braces",
        "LIT4416",
        (AGAIN, "activation_checkpointing_policy=Block if checkpoint_blocks else None,"),
    ),
    wrong(
        "a truth value", "LIT4416", (AGAIN, "activation_checkpointing_policy=checkpoint_blocks,")
    ),
    wrong("sharding by a name that is none", "LIT4402", (SHARDING, "sharding=sharding,")),
    wrong("offload is forgotten", "LIT4413", (OFFLOAD, "")),
    wrong(
        "offload without its argument",
        "LIT4413",
        (OFFLOAD, "cpu_offload=torch.distributed.fsdp.CPUOffload() if offload else False,"),
    ),
    wrong("always offloads", "LIT4414", (OFFLOAD, "cpu_offload=True,")),
    wrong("offloads the other way round", "LIT4414", (OFFLOAD, "cpu_offload=not offload,")),
    wrong(
        "halves the loss",
        "LIT4415",
        (
            RETURN,
            """class Halved(FSDPStrategy):
        def backward(self, closure_loss, *arguments, **named):
            super().backward(closure_loss / 2, *arguments, **named)

    return Halved(""",
        ),
    ),
    wrong(
        "half precision of its own",
        "LIT4418",
        (
            RETURN,
            "from torch.distributed.fsdp import MixedPrecision\n\n"
            "    half = MixedPrecision(param_dtype=torch.bfloat16)\n"
            "    return FSDPStrategy(mixed_precision=half,",
        ),
    ),
    wrong(
        "gathers the whole network in every step",
        "LIT4406",
        (
            RETURN,
            """class Own(FSDPStrategy):
        def post_backward(self, closure_loss):
            with torch.distributed.fsdp.FullyShardedDataParallel.summon_full_params(self.model):
                super().post_backward(closure_loss)

    return Own(""",
        ),
    ),
    wrong(
        "hybrid alone is refused",
        "LIT4404",
        (POLICY, 'auto_wrap_policy=None if sharding == "HYBRID_SHARD" else policy,'),
    ),
    wrong("another name", "LIT901", ("def make_fsdp_strategy", "def fsdp_strategy")),
    wrong(
        "Fabric's strategy",
        "LIT4417",
        (RETURN, "from lightning.fabric.strategies import FSDPStrategy\n\n    " + RETURN),
    ),
    wrong(
        "DeepSpeed",
        "LIT4400",
        (RETURN, "return DeepSpeedStrategy(stage=3) or FSDPStrategy("),
    ),
    wrong(
        "a name with offload in it",
        "LIT4401",
        (RETURN, 'return "fsdp_cpu_offload" if offload else FSDPStrategy('),
    ),
    wrong("policy in the first place", "LIT4404", (POLICY, "policy,")),
    wrong(
        "hybrid sharding with whole weights",
        "LIT4402",
        (SHARDING, 'sharding_strategy=sharding.replace("HYBRID_SHARD", "_HYBRID_SHARD_ZERO2"),'),
    ),
    wrong(
        "full sharding for hybrid",
        "LIT4402",
        (SHARDING, 'sharding_strategy=sharding.replace("HYBRID", "FULL"),'),
    ),
    wrong(
        "offload and no sharding",
        "LIT4403",
        (SHARDING, 'sharding_strategy="NO_SHARD" if offload else sharding,'),
    ),
    wrong(
        "32 bits whatever the Trainer says",
        "LIT4418",
        (
            RETURN,
            "from torch.distributed.fsdp import MixedPrecision\n\n"
            "    whole = MixedPrecision(param_dtype=torch.float32)\n"
            "    return FSDPStrategy(mixed_precision=whole,",
        ),
    ),
    wrong("offloads by default", "LIT4414", ("offload: bool = False", "offload: bool = True")),
    wrong(
        "offload is not asked for",
        "LIT4414",
        ("offload: bool = False", "offload: bool | None = None"),
        (OFFLOAD, "cpu_offload=offload is not False,"),
    ),
]
