"""Answers to `memory`: what each stage shards, and what it leaves whole."""

from autograder.bank import right, wrong

TABLE_DDP = '"ddp": 0,'
NO_SHARD = '"fsdp_no_shard": 0'
ONE, TWO, THREE = '"zero1": 12', '"zero2": 14', '"zero3": 16'
GRAD_OP, FSDP, FSDP2 = '"fsdp_grad_op": 14', '"fsdp": 16', '"fsdp2": 16'
RETURN = "return params * (16 - parts) + params * parts // world_size"
CHECK = "if strategy not in sharded or params < 1 or world_size < 1:"
RAISE = 'raise ValueError(f"no such strategy or size: {strategy!r}, {params}, {world_size}")'

CASES = [
    right("rounded up", (RETURN, "return params * (16 - parts) - (-params * parts // world_size)")),
    right(
        "shards of parameters, rounded up",
        (RETURN, "return params * (16 - parts) + -(-params // world_size) * parts"),
    ),
    right(
        "each part by itself",
        (
            RETURN,
            """weights = 2 * params
    gradients, optimizer = 2 * params, 12 * params
    weights //= world_size if parts == 16 else 1
    gradients //= world_size if parts >= 14 else 1
    optimizer //= world_size if parts >= 12 else 1
    return weights + gradients + optimizer""",
        ),
    ),
    right(
        "a fraction",
        (
            RETURN,
            "from fractions import Fraction\n\n"
            "    return round(params * (16 - parts + Fraction(parts, world_size)))",
        ),
    ),
    right(
        "a float that is exact enough",
        (RETURN, "return params * (16 - parts) + round(params * parts / world_size)"),
    ),
    right(
        "by cases",
        code="""
    def bytes_per_gpu(params, world_size, strategy):
        if params < 1 or world_size < 1:
            raise ValueError("both count from 1")
        match strategy:
            case "ddp" | "fsdp_no_shard":
                return 16 * params
            case "zero1":
                return 4 * params + 12 * params // world_size
            case "zero2" | "fsdp_grad_op":
                return 2 * params + 14 * params // world_size
            case "zero3" | "fsdp" | "fsdp2":
                return 16 * params // world_size
        raise ValueError(f"no strategy {strategy}")
    """,
    ),
    right(
        "by torch's ceiling",
        (
            RETURN,
            "import math\n\n    return params * (16 - parts) + math.ceil(params * parts / world_size)",
        ),
    ),
    right(
        "the whole, and what is saved",
        (RETURN, "return 16 * params - params * parts * (world_size - 1) // world_size"),
    ),
    right(
        "a table of three",
        code="""
    def bytes_per_gpu(params, world_size, strategy):
        whole = {"weight": 2, "gradient": 2, "optimizer": 12}
        names = "ddp fsdp_no_shard zero1 zero2 fsdp_grad_op zero3 fsdp fsdp2".split()
        if strategy not in names:
            raise ValueError(f"choose one of {names}")
        if min(params, world_size) < 1:
            raise ValueError("at least one of each")
        divided = {
            "zero1": {"optimizer"},
            "zero2": {"optimizer", "gradient"},
            "fsdp_grad_op": {"optimizer", "gradient"},
        }.get(strategy, set() if strategy in names[:2] else set(whole))
        shard, rest = divmod(params, world_size)
        return sum(n * (shard + bool(rest) if part in divided else params) for part, n in whole.items())
    """,
    ),
    wrong("nothing is sharded", "LIT4801", (RETURN, "return params * 16")),
    wrong("no rank", "LIT4801", (RETURN, "return params * (16 - parts) + params * parts")),
    wrong("FSDP replicates", "LIT4801", (FSDP, '"fsdp": 0')),
    wrong("FSDP2 replicates", "LIT4801", (FSDP2, '"fsdp2": 0')),
    wrong("stage 1 is DDP", "LIT4801", (ONE, '"zero1": 0')),
    wrong("everything is sharded", "LIT4803", (RETURN, "return params * 16 // world_size")),
    wrong("weights of stage 2, too", "LIT4803", (TWO, '"zero2": 16')),
    wrong("half sharding for full", "LIT4803", (GRAD_OP, '"fsdp_grad_op": 16')),
    wrong("gradients of stage 1, too", "LIT4803", (ONE, '"zero1": 14')),
    wrong("no sharding for half", "LIT4803", (NO_SHARD, '"fsdp_no_shard": 14')),
    wrong("stage 2 leaves gradients", "LIT4802", (TWO, '"zero2": 12')),
    wrong("full sharding for half", "LIT4802", (FSDP, '"fsdp": 14')),
    wrong("FSDP2 keeps weights", "LIT4802", (FSDP2, '"fsdp2": 14')),
    wrong("stage 3 keeps weights", "LIT4802", (THREE, '"zero3": 14')),
    wrong("gigabytes", "LIT4804", (RETURN, RETURN.replace("return ", "return (") + ") // 10**9")),
    wrong("gibibytes", "LIT4804", (RETURN, RETURN.replace("return ", "return (") + ") // 2**30")),
    wrong(
        "no 32-bit copy",
        "LIT4805",
        (RETURN, "return params * (12 - min(parts, 12)) + params * parts // world_size"),
    ),
    wrong(
        "momentum alone",
        "LIT4805",
        (RETURN, "return params * 12 - params * parts + params * parts // world_size"),
    ),
    wrong("eight bytes of the optimizer", "LIT4806", (ONE, '"zero1": 8')),
    wrong(
        "no weights",
        "LIT4805",
        (RETURN, "return params * (14 - min(parts, 14)) + params * parts // world_size"),
    ),
    wrong(
        "one rank too few",
        "LIT4806",
        (RETURN, RETURN.replace("// world_size", "// max(1, world_size - 1)")),
    ),
    wrong("a float", "LIT4800", (RETURN, RETURN.replace("//", "/"))),
    wrong("with a unit", "LIT4800", (RETURN, 'return f"{params * 16} bytes"')),
    wrong("nothing", "LIT4800", (RETURN, RETURN.removeprefix("return "))),
    wrong("numbers are not checked", "LIT4807", (CHECK, "if strategy not in sharded:")),
    wrong(
        "zero is let through",
        "LIT4807",
        (CHECK, "if strategy not in sharded or params < 0 or world_size < 1:"),
    ),
    wrong("ranks are not checked", "LIT4807", (CHECK, "if strategy not in sharded or params < 1:")),
    wrong(
        "another flag is DDP",
        "LIT4807",
        (
            CHECK,
            "strategy = strategy if strategy in sharded else 'ddp'\n    if params < 1 or world_size < 1:",
        ),
    ),
    wrong("a KeyError", "LIT4808", (CHECK, "if params < 1 or world_size < 1:")),
    wrong("an assertion", "LIT4808", (RAISE, "raise AssertionError(strategy)")),
    wrong(
        "refuses one rank", "LIT4809", (CHECK, CHECK.replace("world_size < 1", "world_size < 2"))
    ),
    wrong("refuses fsdp2", "LIT4809", (", " + FSDP2, "")),
    wrong("another name", "LIT901", ("def bytes_per_gpu", "def gpu_bytes")),
    wrong(
        "32 bits without mixed precision",
        "LIT4810",
        (ONE, '"zero1": 8'),
        (TWO, '"zero2": 12'),
        (GRAD_OP, '"fsdp_grad_op": 12'),
    ),
    wrong(
        "gradients in 32 bits", "LIT4805", (RETURN, RETURN.replace("(16 - parts)", "(18 - parts)"))
    ),
    wrong(
        "a fifth for activations",
        "LIT4805",
        (RETURN, "return (" + RETURN.removeprefix("return ") + ") * 6 // 5"),
    ),
    wrong("bits", "LIT4804", (RETURN, "return 8 * (" + RETURN.removeprefix("return ") + ")")),
    wrong(
        "mebibytes", "LIT4804", (RETURN, "return (" + RETURN.removeprefix("return ") + ") >> 20")
    ),
    wrong(
        "parameters in billions",
        "LIT4804",
        (RETURN, "return 10**9 * (" + RETURN.removeprefix("return ") + ")"),
    ),
    wrong(
        "nodes of eight",
        "LIT4806",
        (RETURN, RETURN.replace("// world_size", "// max(1, world_size // 8)")),
    ),
    wrong(
        "64 GPUs at most", "LIT4806", (RETURN, f"world_size = min(world_size, 64)\n    {RETURN}")
    ),
    wrong(
        "256 GPUs at most", "LIT4806", (RETURN, f"world_size = min(world_size, 256)\n    {RETURN}")
    ),
    wrong("one parameter is refused", "LIT4809", ("params < 1", "params <= 1")),
    wrong(
        "a power of two of GPUs",
        "LIT4806",
        (RETURN, f"world_size = 1 << (world_size.bit_length() - 1)\n    {RETURN}"),
    ),
]
