"""Answers to `strategy_for`: what each flag gives, how often, and what is no flag."""

from autograder.bank import right, wrong
from autograder.bank.lab4_fsdp._real_runs import STRATEGY_FOR

DDP = '"ddp": lambda: DDPStrategy(),'
FSDP = '"fsdp": lambda: make_fsdp_strategy(policy, "FULL_SHARD"),'
GRAD_OP = '"fsdp_grad_op": lambda: make_fsdp_strategy(policy, "SHARD_GRAD_OP"),'
NO_SHARD = '"fsdp_no_shard": lambda: make_fsdp_strategy(policy, "NO_SHARD"),'
SIZES = "data_parallel_size=world_size, tensor_parallel_size=1"
ZERO1, ZERO2, ZERO3 = (f'"zero{n}": lambda: make_zero_strategy({n}),' for n in (1, 2, 3))
CHECK = "if flag not in makers:"
RAISE = "raise ValueError(f\"There is no strategy {flag!r}. Choose one of {', '.join(makers)}.\")"
RETURN = "return makers[flag]()"
FLAGS = "ddp fsdp fsdp_grad_op fsdp_no_shard fsdp2 zero1 zero2 zero3"
EAGER = """def strategy_for(flag, policy=None, world_size=1):
    made = {
        "ddp": DDPStrategy(),
        "fsdp": FSDPStrategy(auto_wrap_policy=policy),
        "fsdp_grad_op": FSDPStrategy(auto_wrap_policy=policy, sharding_strategy="SHARD_GRAD_OP"),
        "fsdp_no_shard": FSDPStrategy(auto_wrap_policy=policy, sharding_strategy="NO_SHARD"),
        "fsdp2": ModelParallelStrategy(data_parallel_size=world_size, tensor_parallel_size=1),
        "zero1": DeepSpeedStrategy(stage=1),
        "zero2": DeepSpeedStrategy(stage=2),
        "zero3": DeepSpeedStrategy(stage=3),
    }
    if flag not in made:
        raise ValueError(f"{flag}: choose one of {', '.join(made)}")
    return made[flag]
"""

CASES = [
    right(
        "by names of Lightning",
        (DDP, '"ddp": lambda: "ddp",'),
        (ZERO1, '"zero1": lambda: "deepspeed_stage_1",'),
        (ZERO3, '"zero3": lambda: "deepspeed_stage_3",'),
    ),
    right(
        "written out",
        code=f"""
    def strategy_for(flag, policy=None, world_size=1):
        shardings = {{"fsdp": "FULL_SHARD", "fsdp_grad_op": "SHARD_GRAD_OP", "fsdp_no_shard": "NO_SHARD"}}
        if flag == "ddp":
            return DDPStrategy(gradient_as_bucket_view=True)
        if flag in shardings:
            return FSDPStrategy(auto_wrap_policy=policy, sharding_strategy=shardings[flag])
        if flag == "fsdp2":
            return ModelParallelStrategy(world_size, 1)
        if flag in ("zero1", "zero2", "zero3"):
            return DeepSpeedStrategy(stage=int(flag[-1]))
        raise ValueError("choose one of {FLAGS}")
    """,
    ),
    right(
        "by cases",
        code=f"""
    def strategy_for(flag, policy=None, world_size=1):
        match flag:
            case "ddp":
                return "ddp"
            case "fsdp" | "fsdp_grad_op" | "fsdp_no_shard":
                kind = {{"fsdp": "FULL_SHARD", "fsdp_grad_op": "SHARD_GRAD_OP"}}.get(flag, "NO_SHARD")
                return FSDPStrategy(auto_wrap_policy=policy, sharding_strategy=kind)
            case "fsdp2":
                return ModelParallelStrategy(data_parallel_size=world_size, tensor_parallel_size=1)
            case "zero1" | "zero2" | "zero3":
                return f"deepspeed_stage_{{flag[-1]}}"
            case _:
                raise ValueError("one of {FLAGS}, not " + flag)
    """,
    ),
    right("partial functions", (DDP, '"ddp": functools.partial(DDPStrategy, static_graph=True),')),
    right("finds unused parameters", (DDP, '"ddp": lambda: "ddp_find_unused_parameters_true",')),
    right(
        "an error of its own",
        (RAISE, 'raise type("FlagError", (ValueError,), {})(", ".join(makers))'),
    ),
    right("after a wrong sharding", after=(("fsdp_strategy", "sharding is forgotten"),)),
    right("after makers that replicate", after=(("fsdp_strategy", "DDP"), ("zero", "DDP"))),
    right("after a wrong stage", after=(("zero", "the stage is forgotten"),)),
    right(
        "by a pattern",
        code=f"""
    def strategy_for(flag, policy=None, world_size=1):
        import re

        if found := re.fullmatch(r"zero([123])", flag):
            return DeepSpeedStrategy(stage=int(found[1]))
        if found := re.fullmatch(r"fsdp(|_grad_op|_no_shard)", flag):
            kind = {{"": "FULL_SHARD", "_grad_op": "SHARD_GRAD_OP", "_no_shard": "NO_SHARD"}}[found[1]]
            return FSDPStrategy(auto_wrap_policy=policy, sharding_strategy=ShardingStrategy[kind])
        if flag == "fsdp2":
            return ModelParallelStrategy(
                data_parallel_size=world_size, tensor_parallel_size=1, save_distributed_checkpoint=False
            )
        if flag != "ddp":
            raise ValueError("choose one of {FLAGS}")
        return DDPStrategy(find_unused_parameters=True)
    """,
    ),
    right("capital letters, too", (CHECK, "flag = flag.lower()\n    if flag not in makers:")),
    right(
        "from another error",
        (
            CHECK,
            """try:
        return makers[flag]()
    except KeyError as unknown:
        raise ValueError(", ".join(makers)) from unknown
    if False:""",
        ),
    ),
    right(
        "methods of a class",
        code="""
    class Makers:
        def __init__(self, policy, world_size):
            self.policy, self.world_size = policy, world_size

        def ddp(self):
            return DDPStrategy()

        def fsdp(self, kind="FULL_SHARD"):
            return FSDPStrategy(auto_wrap_policy=self.policy, sharding_strategy=kind)

        def fsdp_grad_op(self):
            return self.fsdp("SHARD_GRAD_OP")

        def fsdp_no_shard(self):
            return self.fsdp("NO_SHARD")

        def fsdp2(self):
            return ModelParallelStrategy(self.world_size, tensor_parallel_size=1)

        def zero1(self):
            return "deepspeed_stage_1"

        def zero2(self):
            return "deepspeed_stage_2"

        def zero3(self):
            return "deepspeed_stage_3"


    def strategy_for(flag, policy=None, world_size=1):
        flags = [name for name in vars(Makers) if not name.startswith("_")]
        if flag not in flags:
            raise ValueError(flags)
        return getattr(Makers(policy, world_size), flag)()
    """,
    ),
    wrong("DDP for all", "LIT4703", (RETURN, "return DDPStrategy()")),
    wrong("FSDP for DDP", "LIT4701", (DDP, '"ddp": lambda: FSDPStrategy(),')),
    wrong(
        "if, if, if, else",
        "LIT4701",
        code=f"""
    def strategy_for(flag, policy=None, world_size=1):
        if flag == "ddp":
            strategy = DDPStrategy()
        if flag == "fsdp":
            strategy = FSDPStrategy(auto_wrap_policy=policy)
        if flag == "fsdp2":
            strategy = ModelParallelStrategy(world_size, 1)
        else:
            strategy = FSDPStrategy(auto_wrap_policy=policy, sharding_strategy="NO_SHARD")
        return strategy
    """,
    ),
    wrong("DDP for notebooks", "LIT3107", (DDP, '"ddp": lambda: "ddp_notebook",')),
    wrong("DDP that spawns", "LIT3107", (DDP, '"ddp": lambda: DDPStrategy(start_method="spawn"),')),
    wrong(
        "FSDP2 for FSDP", "LIT4702", (FSDP, '"fsdp": lambda: ModelParallelStrategy(world_size, 1),')
    ),
    wrong("DDP for no sharding", "LIT4703", (NO_SHARD, '"fsdp_no_shard": lambda: DDPStrategy(),')),
    wrong("no sharding for full", "LIT4704", (FSDP, FSDP.replace("FULL", "NO"))),
    wrong(
        "full for half sharding",
        "LIT4704",
        (GRAD_OP, '"fsdp_grad_op": lambda: FSDPStrategy(auto_wrap_policy=policy),'),
    ),
    wrong("FSDP by name", "LIT4705", (FSDP, '"fsdp": lambda: "fsdp",')),
    wrong("without the policy", "LIT4705", (FSDP, '"fsdp": lambda: FSDPStrategy(),')),
    wrong("a policy of its own", "LIT4705", (NO_SHARD, NO_SHARD.replace("policy,", "{Block},"))),
    wrong(
        "all that begins with fsdp",
        "LIT4706",
        (
            CHECK,
            'if flag.startswith("fsdp"):\n        flag = flag if "_" in flag else "fsdp"\n    if flag not in makers:',
        ),
    ),
    wrong(
        "DDP for FSDP2",
        "LIT4703",
        ("ModelParallelStrategy(", "DDPStrategy() or ModelParallelStrategy("),
    ),
    wrong("a mesh by default", "LIT4707", (SIZES, "")),
    wrong(
        "tensor-parallel ranks",
        "LIT4707",
        (SIZES, "data_parallel_size=1, tensor_parallel_size=world_size"),
    ),
    wrong("a mesh of one rank", "LIT4708", (SIZES, "data_parallel_size=1, tensor_parallel_size=1")),
    wrong("DDP for ZeRO", "LIT4703", (ZERO1, '"zero1": lambda: DDPStrategy(),')),
    wrong(
        "FSDP for ZeRO",
        "LIT4709",
        (ZERO3, '"zero3": lambda: FSDPStrategy(auto_wrap_policy=policy),'),
    ),
    wrong("deepspeed for stage 3", "LIT4710", (ZERO3, '"zero3": lambda: "deepspeed",')),
    wrong("stages by one off", "LIT4710", (ZERO1, ZERO1.replace("(1)", "(2)"))),
    wrong(
        "the stage as text",
        "LIT4710",
        (ZERO2, '"zero2": lambda: DeepSpeedStrategy(stage=flag[-1]),'),
    ),
    wrong(
        "another flag is DDP",
        "LIT4711",
        (CHECK, 'if flag not in makers:\n        return "ddp"\n    if False:'),
    ),
    wrong(
        "every flag of ZeRO",
        "LIT4711",
        (
            CHECK,
            'if flag.startswith("zero"):\n        return make_zero_strategy(int(flag[4:] or 3) if flag[4:] in "123" else 3)\n    if flag not in makers:',
        ),
    ),
    wrong("passed on to Lightning", "LIT4711", (RAISE, "return flag or 'auto'")),
    wrong("a KeyError", "LIT4714", (CHECK, "if False:")),
    wrong("an assertion", "LIT4714", (CHECK, "assert flag in makers\n    if False:")),
    wrong(
        "no flag in the message",
        "LIT4715",
        (RAISE, 'raise ValueError(f"unknown strategy: {flag}")'),
    ),
    wrong(
        "half of the flags in the message",
        "LIT4715",
        (RAISE, 'raise ValueError("ddp, fsdp, fsdp2 or zero1 to zero3")'),
    ),
    wrong(
        "one dictionary for all calls",
        "LIT4712",
        code=f"""
    KEPT = {{}}

    def strategy_for(flag, policy=None, world_size=1):
        makers = {{
            "ddp": lambda: DDPStrategy(),
            "fsdp": lambda: FSDPStrategy(auto_wrap_policy=policy),
            "fsdp_grad_op": lambda: FSDPStrategy(auto_wrap_policy=policy, sharding_strategy="SHARD_GRAD_OP"),
            "fsdp_no_shard": lambda: FSDPStrategy(auto_wrap_policy=policy, sharding_strategy="NO_SHARD"),
            "fsdp2": lambda: ModelParallelStrategy(world_size, 1),
            "zero1": lambda: "deepspeed_stage_1",
            "zero2": lambda: "deepspeed_stage_2",
            "zero3": lambda: "deepspeed_stage_3",
        }}
        if flag not in makers:
            raise ValueError(", ".join(makers))
        key = (flag, world_size)
        return KEPT.setdefault(key, makers[flag]())
    """,
    ),
    wrong("remembered", "LIT4712", ("def strategy_for", "@functools.cache\ndef strategy_for")),
    wrong("all are made at once", "LIT4713", code=EAGER),
    wrong(
        "asks for DeepSpeed",
        "LIT4713",
        (CHECK, "import deepspeed\n\n    del deepspeed\n    if flag not in makers:"),
    ),
    wrong(
        "once for each flag",
        "LIT4717",
        (
            RETURN,
            """asked = strategy_for.__dict__.setdefault("asked", set())
    again = flag in asked
    asked.add(flag)
    return "ddp" if again else makers[flag]()""",
        ),
    ),
    wrong("refuses zero1", "LIT4716", (ZERO1, "")),
    wrong("refuses one flag", "LIT4716", (DDP, "")),
    wrong("nothing", "LIT4700", (RETURN, "return [makers[flag]()]")),
    wrong("the class", "LIT4700", (DDP, '"ddp": lambda: DDPStrategy,')),
    wrong("a name that is none", "LIT4700", (DDP, '"ddp": lambda: "distributed",')),
    wrong("after an unsolved FSDP", "LIT904", after=(("fsdp_strategy", "stub"),)),
    wrong("after an unsolved ZeRO", "LIT904", after=(("zero", "stub"),)),
    wrong("another name", "LIT901", ("def strategy_for", "def strategy_of")),
    wrong(
        "an enumeration's own error",
        "LIT4715",
        (
            CHECK,
            """import enum

    enum.Enum("Flag", {name: name for name in makers})(flag)
    if flag not in makers:""",
        ),
    ),
    wrong(
        "a mesh by auto",
        "LIT4707",
        (SIZES, 'data_parallel_size="auto", tensor_parallel_size="auto"'),
    ),
    wrong("half of the mesh", "LIT4708", (SIZES, "data_parallel_size=world_size")),
    wrong(
        "the mesh turned round",
        "LIT4707",
        (SIZES, "tensor_parallel_size=world_size, data_parallel_size=1"),
    ),
    wrong("DDP by name for no sharding", "LIT4703", (NO_SHARD, '"fsdp_no_shard": lambda: "ddp",')),
    wrong(
        "a default",
        "LIT4711",
        (CHECK, 'makers.setdefault(flag, lambda: "auto")\n    if flag not in makers:'),
    ),
    wrong("strategy and precision", "LIT4700", (RETURN, 'return makers[flag](), "bf16-mixed"')),
    wrong("the end of the program", "LIT4714", (RAISE, 'raise SystemExit(", ".join(makers))')),
    wrong(
        "ZeRO with the offload of its name",
        "LIT4719",
        (ZERO2, '"zero2": lambda: "deepspeed_stage_2_offload",'),
    ),
    wrong(
        "Fabric's FSDP",
        "LIT4417",
        (
            FSDP,
            """"fsdp": lambda: __import__("lightning.fabric.strategies", fromlist=["x"]).FSDPStrategy(auto_wrap_policy=policy),""",
        ),
    ),
    wrong(
        "FSDP with offload",
        "LIT4719",
        (FSDP, '"fsdp": lambda: FSDPStrategy(auto_wrap_policy=policy, cpu_offload=True),'),
    ),
    *STRATEGY_FOR,
]
