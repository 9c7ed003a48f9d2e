"""Answers to `zero`: stages, and what is offloaded at which."""

from autograder.bank import right, wrong

STAGE = "stage=stage,"
OPTIMIZER = "offload_optimizer=offload,"
PARAMETERS = "offload_parameters=offload and stage == 3"
CHECK = "if stage not in (1, 2, 3):"
RAISE = 'raise ValueError(f"ZeRO has the stages 1, 2 and 3, not {stage}.")'
RETURN = "return DeepSpeedStrategy("
CONFIG = """zero = {"stage": stage}
    if offload:
        zero["offload_optimizer"] = {"device": "cpu"}
    if offload and stage == 3:
        zero["offload_param"] = {"device": "cpu"}
    return DeepSpeedStrategy(config={"zero_optimization": zero})
    DeepSpeedStrategy("""

CASES = [
    right("a configuration of its own", (RETURN, CONFIG)),
    right(
        "by name",
        (
            RETURN,
            """if not offload:
        from lightning.pytorch.strategies import StrategyRegistry

        return StrategyRegistry.get(f"deepspeed_stage_{stage}")
    return DeepSpeedStrategy(""",
        ),
    ),
    right("by a range", (CHECK, "if not 1 <= stage <= 3:")),
    right(
        "by keywords",
        (
            RETURN,
            """kwargs = {"stage": stage}
    if offload:
        kwargs |= {"offload_optimizer": True, "offload_parameters": stage > 2}
    return DeepSpeedStrategy(**kwargs)
    DeepSpeedStrategy(""",
        ),
    ),
    right(
        "more of DeepSpeed",
        (
            RETURN,
            "return DeepSpeedStrategy(zero_allow_untested_optimizer=True, logging_batch_size_per_gpu=4,",
        ),
    ),
    right(
        "a class of its own",
        (
            RETURN,
            """class ZeRO(DeepSpeedStrategy):
        pass

    return ZeRO(""",
        ),
    ),
    right("an error of its own", (RAISE, "raise ValueError")),
    right(
        "names for those that there are",
        (
            RETURN,
            """from lightning.pytorch.strategies import StrategyRegistry

    name = f"deepspeed_stage_{stage}" + "_offload" * offload
    if name in StrategyRegistry.available_strategies():
        return StrategyRegistry.get(name)
    return DeepSpeedStrategy(""",
        ),
    ),
    right(
        "a configuration in a file",
        (
            RETURN,
            """import json

    zero = {"stage": stage, "offload_optimizer": {"device": "cpu" if offload else "none"}}
    if stage == 3:
        zero["offload_param"] = dict(zero["offload_optimizer"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "zero.json"
        file.write_text(json.dumps({"zero_optimization": zero}))
        return DeepSpeedStrategy(config=file)
    DeepSpeedStrategy(""",
        ),
    ),
    right("a range of numbers", (CHECK, "if stage not in range(1, 4):")),
    right(
        "and without and",
        (PARAMETERS, "offload_parameters=(stage == 3) & offload, pin_memory=offload"),
    ),
    wrong("DDP", "LIT4601", (RETURN, "return DDPStrategy() or DeepSpeedStrategy(")),
    wrong("FSDP", "LIT4600", (RETURN, "return FSDPStrategy() or DeepSpeedStrategy(")),
    wrong(
        "the name", "LIT4600", (RETURN, 'return f"deepspeed_stage_{stage}" or DeepSpeedStrategy(')
    ),
    wrong("nothing", "LIT4600", (RETURN, "DeepSpeedStrategy(")),
    wrong("the configuration", "LIT4600", (RETURN, "return dict(")),
    wrong("the stage is forgotten", "LIT4602", (STAGE, "")),
    wrong("deepspeed for stage 3", "LIT4602", (STAGE, "stage=3,")),
    wrong("the stage as text", "LIT4603", (STAGE, "stage=str(stage),")),
    wrong("the stage as a float", "LIT4603", (STAGE, "stage=float(stage),")),
    wrong("one stage less", "LIT4612", (STAGE, "stage=stage - 1,")),
    wrong("stage 1 for 2", "LIT4609", (STAGE, "stage=stage if stage != 2 else 1,")),
    wrong(
        "a configuration beside arguments",
        "LIT4604",
        (RETURN, 'return DeepSpeedStrategy(config={"train_micro_batch_size_per_gpu": 4},'),
    ),
    wrong("no offload of the optimizer", "LIT4605", (OPTIMIZER, "")),
    wrong(
        "offload at stage 3 alone",
        "LIT4605",
        (OPTIMIZER, "offload_optimizer=offload and stage == 3,"),
    ),
    wrong("always offloads", "LIT4606", (OPTIMIZER, "offload_optimizer=True,")),
    wrong("offloads by default", "LIT4606", ("offload: bool = False", "offload: bool = True")),
    wrong("stage 3 always offloads", "LIT4606", (PARAMETERS, "offload_parameters=stage == 3")),
    wrong("no offload of parameters", "LIT4607", (PARAMETERS, "")),
    wrong(
        "parameters are made on the CPU",
        "LIT4607",
        (PARAMETERS, 'remote_device="cpu" if offload else None'),
    ),
    wrong("parameters at every stage", "LIT4608", (PARAMETERS, "offload_parameters=offload")),
    wrong(
        "parameters from stage 2 on",
        "LIT4608",
        (PARAMETERS, "offload_parameters=offload and stage >= 2"),
    ),
    wrong("to a disk", "LIT4614", (PARAMETERS, PARAMETERS + ', offload_optimizer_device="nvme"')),
    wrong("nothing is refused", "LIT4610", (CHECK, "if False:")),
    wrong("stage 0 is let through", "LIT4610", (CHECK, "if stage not in (0, 1, 2, 3):")),
    wrong("what is above 3 is let through", "LIT4610", (CHECK, "if stage < 1:")),
    wrong("an assertion", "LIT4611", (RAISE, "raise AssertionError(stage)")),
    wrong("by a dictionary", "LIT4611", (CHECK, "if {1: False, 2: False, 3: False}[stage]:")),
    wrong("stage 1 is refused", "LIT4613", (CHECK, "if stage not in (2, 3):")),
    wrong(
        "offload below stage 3 is refused",
        "LIT4613",
        (CHECK, "if stage not in (1, 2, 3) or (offload and stage < 3):"),
    ),
    wrong("another name", "LIT901", ("def make_zero_strategy", "def zero_strategy")),
    wrong(
        "the device without the offload",
        "LIT4605",
        (OPTIMIZER, 'offload_optimizer_device="cpu" if offload else "none",'),
    ),
    wrong(
        "a word of old",
        "LIT4605",
        (
            RETURN,
            'return DeepSpeedStrategy(config={"zero_optimization": {"stage": stage, "cpu_offload": offload}})\n'
            "    DeepSpeedStrategy(",
        ),
    ),
    wrong("offload is stage 3", "LIT4609", (STAGE, "stage=3 if offload else stage,")),
    wrong("returns the error", "LIT4610", (RAISE, RAISE.replace("raise", "return"))),
    wrong("prints the error", "LIT4610", (RAISE, 'return print("no such stage")')),
    wrong("a TypeError", "LIT4611", (RAISE, 'raise TypeError("no such stage")')),
    wrong("the nearest stage", "LIT4610", (CHECK, "stage = min(max(stage, 1), 3)\n    if False:")),
    wrong(
        "Fabric's strategy",
        "LIT4417",
        (RETURN, "from lightning.fabric.strategies import DeepSpeedStrategy\n\n    " + RETURN),
    ),
    wrong(
        "three wrong stages, written down",
        "LIT4610",
        ("if stage not in (1, 2, 3):", "if stage in (0, 4, -1):"),
    ),
]
