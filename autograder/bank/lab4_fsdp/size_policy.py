"""Answers to `size_policy`: which modules are large enough, and which never are units."""

from autograder.bank import right, wrong

RETURN = "return functools.partial(size_based_auto_wrap_policy, min_num_params=min_params)"
FIXED = "min_num_params=min_params)"
OWN = """def policy(module, recurse, nonwrapped_numel):
        large = nonwrapped_numel >= min_params
        if recurse:
            return large and not isinstance(module, nn.MultiheadAttention)
        return large and not isinstance(module, (nn.ModuleList, nn.ModuleDict))

    return policy"""
BY_COUNT = """def policy(module, recurse, nonwrapped_numel):
        return recurse or (COUNT) >= min_params

    return policy"""


def counted(count: str) -> str:
    """A policy that goes everywhere, and counts in another way."""
    return BY_COUNT.replace("COUNT", count)


CASES = [
    right("three arguments", (RETURN, OWN)),
    right("any arguments", (RETURN, OWN.replace("nonwrapped_numel)", "nonwrapped_numel, **_)"))),
    right(
        "a lambda",
        (
            RETURN,
            "return lambda module, recurse, nonwrapped_numel: "
            "size_based_auto_wrap_policy(module, recurse, nonwrapped_numel, min_params)",
        ),
    ),
    right(
        "with what is never cut, by name",
        (
            FIXED,
            "min_num_params=min_params,\n        force_leaf_modules={nn.MultiheadAttention},\n"
            "        exclude_wrap_modules={nn.ModuleList, nn.ModuleDict})",
        ),
    ),
    right(
        "a class of its own",
        (
            RETURN,
            """class Large:
        def __call__(self, module, recurse, nonwrapped_numel):
            kinds = (nn.MultiheadAttention,) if recurse else (nn.ModuleList, nn.ModuleDict)
            return nonwrapped_numel >= min_params and not isinstance(module, kinds)

    return Large()""",
        ),
    ),
    right(
        "a least size more than once",
        (
            RETURN,
            "base = functools.partial(size_based_auto_wrap_policy, min_num_params=10)\n"
            "    return functools.partial(base.func, min_num_params=int(min_params))",
        ),
    ),
    right(
        "the number as a default",
        (
            RETURN,
            """def policy(module, recurse, nonwrapped_numel, least=min_params):
        never = {True: nn.MultiheadAttention, False: (nn.ModuleList, nn.ModuleDict)}[bool(recurse)]
        return not isinstance(module, never) and not nonwrapped_numel < least

    return policy""",
        ),
    ),
    right(
        "torch's sets, and one more",
        (
            FIXED,
            "min_num_params=min_params,\n        exclude_wrap_modules="
            "size_based_auto_wrap_policy.EXCLUDE_WRAP_MODULES | {nn.ParameterList})",
        ),
    ),
    wrong(
        "lists, too", "LIT4201", (FIXED, "min_num_params=min_params, exclude_wrap_modules=set())")
    ),
    wrong(
        "dictionaries, too",
        "LIT4201",
        (FIXED, "min_num_params=min_params, exclude_wrap_modules={nn.ModuleList})"),
    ),
    wrong(
        "lists, written out",
        "LIT4201",
        (
            RETURN,
            OWN.replace(
                "large and not isinstance(module, (nn.ModuleList, nn.ModuleDict))", "large"
            ),
        ),
    ),
    wrong(
        "opens attention",
        "LIT4202",
        (FIXED, "min_num_params=min_params, force_leaf_modules=set())"),
    ),
    wrong(
        "opens attention, written out",
        "LIT4202",
        (RETURN, OWN.replace("large and not isinstance(module, nn.MultiheadAttention)", "large")),
    ),
    wrong("more than the number", "LIT4203", (FIXED, "min_num_params=min_params + 1)")),
    wrong("more than the number, written out", "LIT4203", (RETURN, OWN.replace(">=", ">"))),
    wrong(
        "counts what units hold",
        "LIT4204",
        (
            RETURN,
            OWN.replace(
                "large = nonwrapped_numel", "large = sum(p.numel() for p in module.parameters())"
            ),
        ),
    ),
    wrong("bytes", "LIT4205", (FIXED, "min_num_params=min_params / 4)")),
    wrong(
        "tensors",
        "LIT4206",
        (RETURN, OWN.replace("large = nonwrapped_numel", "large = len(list(module.parameters()))")),
    ),
    wrong("a number of its own", "LIT4207", (FIXED, "min_num_params=100)")),
    wrong("by class", "LIT4207", (RETURN, "return {Block}")),
    wrong("torch's own number", "LIT4102", (RETURN, "return size_based_auto_wrap_policy")),
    wrong(
        "the number under another name",
        "LIT4102",
        (RETURN, "min_num_params = min_params\n    return size_based_auto_wrap_policy"),
    ),
    wrong(
        "own parameters alone",
        "LIT4208",
        (RETURN, counted("sum(p.numel() for p in module.parameters(recurse=False))")),
    ),
    wrong(
        "the leaves",
        "LIT4208",
        (
            RETURN,
            "return CustomPolicy(lambda m: not list(m.children()) and sum(p.numel() for p in m.parameters()) >= min_params)",
        ),
    ),
    wrong(
        "every large module",
        "LIT4204",
        (
            RETURN,
            "return CustomPolicy(lambda m: sum(p.numel() for p in m.parameters()) >= min_params)",
        ),
    ),
    wrong(
        "every large module but lists",
        "LIT4204",
        (
            RETURN,
            "return CustomPolicy(lambda m: not isinstance(m, (nn.ModuleList, nn.ModuleDict)) and sum(p.numel() for p in m.parameters()) >= min_params)",
        ),
    ),
    wrong(
        "small modules",
        "LIT4102",
        (
            RETURN,
            OWN.replace(
                "large and not isinstance(module, (",
                "nonwrapped_numel < min_params and not isinstance(module, (",
            ),
        ),
    ),
    wrong(
        "large blocks alone",
        "LIT4209",
        (
            RETURN,
            "return CustomPolicy(lambda m: isinstance(m, Block) and sum(p.numel() for p in m.parameters()) >= min_params)",
        ),
    ),
    wrong(
        "the children are not looked at",
        "LIT4103",
        (
            RETURN,
            "return lambda module, recurse, nonwrapped_numel: not recurse and nonwrapped_numel >= min_params",
        ),
    ),
    wrong("nothing", "LIT4101", (RETURN, RETURN.removeprefix("return "))),
    wrong("the number", "LIT4109", (RETURN, "return min_params")),
    wrong("a set of a number", "LIT4109", (RETURN, "return {min_params}")),
    wrong("a list", "LIT4108", (RETURN, "return [min_params]")),
    wrong(
        "called at once",
        "LIT4111",
        (RETURN, "return size_based_auto_wrap_policy(min_num_params=min_params)"),
    ),
    wrong(
        "a function of a module",
        "LIT4112",
        (RETURN, "return lambda module: sum(p.numel() for p in module.parameters()) >= min_params"),
    ),
    wrong("an old name", "LIT4113", (RETURN, OWN.replace("nonwrapped_numel", "unwrapped_params"))),
    wrong(
        "a count for an answer",
        "LIT4114",
        (
            RETURN,
            "return CustomPolicy(lambda m: sum(p.numel() for p in m.parameters()) // min_params)",
        ),
    ),
    wrong(
        "units that replicate",
        "LIT4117",
        (
            RETURN,
            "from torch.distributed.fsdp import ShardingStrategy\n\n    return CustomPolicy(lambda m: {'sharding_strategy': ShardingStrategy.NO_SHARD} if isinstance(m, Block) else False)",
        ),
    ),
    wrong("another name", "LIT901", ("def size_policy", "def sized_policy")),
    wrong(
        "torch's sets in the wrong place",
        "LIT4201",
        (FIXED, "min_num_params=min_params, exclude_wrap_modules={nn.MultiheadAttention})"),
    ),
    wrong(
        "lists as leaves",
        "LIT4209",
        (FIXED, "min_num_params=min_params, force_leaf_modules={nn.ModuleList, nn.ModuleDict})"),
    ),
    wrong("less than the number", "LIT4209", (FIXED, "min_num_params=min_params - 1)")),
    wrong("a number of a tutorial", "LIT4102", (FIXED, "min_num_params=int(1e8))")),
    wrong("the number in the first place", "LIT4121", (FIXED, "min_params)")),
    wrong("the number by its own name", "LIT4122", (FIXED, "min_params=min_params)")),
    wrong(
        "a hundred thousand at most", "LIT4209", (FIXED, "min_num_params=min(min_params, 100_000))")
    ),
    wrong("ten thousand at most", "LIT4209", (FIXED, "min_num_params=min(min_params, 10_000))")),
]
