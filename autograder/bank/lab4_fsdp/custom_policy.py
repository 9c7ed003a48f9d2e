"""Answers to `custom_policy`: blocks, and heads that are large enough."""

from autograder.bank import right, wrong

COUNT = "sum(p.numel() for p in module.parameters())"
HEAD = f"return {COUNT} >= min_params"
BLOCK = "return isinstance(module, Block)"
RETURN = "return CustomPolicy(is_unit)"

CASES = [
    right(
        "in one line",
        (
            RETURN,
            "return CustomPolicy(lambda m: isinstance(m, Block) or (isinstance(m, Head) and "
            "sum(p.numel() for p in m.parameters()) >= min_params))",
        ),
    ),
    right(
        "three arguments",
        (RETURN, "return lambda module, recurse, nonwrapped_numel: recurse or is_unit(module)"),
    ),
    right(
        "by the number that FSDP gives",
        (
            RETURN,
            "return lambda module, recurse, nonwrapped_numel: recurse or isinstance(module, Block) "
            "or (isinstance(module, Head) and nonwrapped_numel >= min_params)",
        ),
    ),
    right(
        "a dictionary for large ones",
        (
            RETURN,
            "return CustomPolicy(lambda module: {'limit_all_gathers': True} if is_unit(module) else False)",
        ),
    ),
    right(
        "counted by shapes", (COUNT, "sum(p.shape.numel() for _, p in module.named_parameters())")
    ),
    right(
        "a policy that chooses",
        (
            RETURN,
            """class Chosen(CustomPolicy):
        def __init__(self):
            super().__init__(is_unit)

    return Chosen()""",
        ),
    ),
    right("not fewer", (HEAD, f"return not {COUNT} < min_params")),
    right(
        "torch's lambda policy",
        (
            RETURN,
            "from torch.distributed.fsdp.wrap import lambda_auto_wrap_policy\n\n"
            "    return functools.partial(lambda_auto_wrap_policy, lambda_fn=is_unit)",
        ),
    ),
    right(
        "one policy or another",
        (
            RETURN,
            """from torch.distributed.fsdp.wrap import _or_policy, lambda_auto_wrap_policy

    heads = functools.partial(
        lambda_auto_wrap_policy, lambda_fn=lambda m: isinstance(m, Head) and is_unit(m)
    )
    return functools.partial(_or_policy, policies=[ModuleWrapPolicy({Block}), heads])""",
        ),
    ),
    right("counted by the state", (COUNT, "sum(t.numel() for t in module.state_dict().values())")),
    right("what trains", (COUNT, "sum(p.numel() for p in module.parameters() if p.requires_grad)")),
    wrong("blocks alone", "LIT4303", (RETURN, "return {Block}")),
    wrong("the head is forgotten", "LIT4303", (HEAD, "return False")),
    wrong("both classes", "LIT4304", (RETURN, "return {Block, Head}")),
    wrong("every head", "LIT4304", (HEAD, "return True")),
    wrong("more than the number", "LIT4305", (HEAD, f"return {COUNT} > min_params")),
    wrong("the wrong way round", "LIT4306", (HEAD, f"return {COUNT} < min_params")),
    wrong(
        "the linear layer alone",
        "LIT4306",
        (HEAD, "return module.linear.weight.numel() >= min_params"),
    ),
    wrong("outputs", "LIT4306", (HEAD, "return module.linear.out_features >= min_params")),
    wrong("bytes", "LIT4304", (HEAD, f"return 4 * {COUNT} >= min_params")),
    wrong(
        "own parameters alone",
        "LIT4303",
        (COUNT, "sum(p.numel() for p in module.parameters(recurse=False))"),
    ),
    wrong("heads alone", "LIT4302", (BLOCK, "return False")),
    wrong(
        "a number for blocks, too",
        "LIT4301",
        (BLOCK, f"return isinstance(module, Block) and {COUNT} >= min_params"),
    ),
    wrong(
        "by size",
        "LIT4301",
        (
            RETURN,
            "return functools.partial(size_based_auto_wrap_policy, min_num_params=min_params)",
        ),
    ),
    wrong(
        "every large module",
        "LIT4301",
        (RETURN, f"return CustomPolicy(lambda module: {COUNT} >= min_params)"),
    ),
    wrong("norms, too", "LIT4307", (BLOCK, "return isinstance(module, (Block, nn.LayerNorm))")),
    wrong(
        "the embedding, too", "LIT4115", (BLOCK, "return isinstance(module, (Block, nn.Embedding))")
    ),
    wrong("lists, too", "LIT4107", (BLOCK, "return isinstance(module, (Block, nn.ModuleList))")),
    wrong(
        "large linear layers, too",
        "LIT4308",
        (
            BLOCK,
            f"return isinstance(module, Block) or (isinstance(module, nn.Linear) and {COUNT} >= 5)",
        ),
    ),
    wrong(
        "torch's layer, too",
        "LIT4308",
        (BLOCK, "return isinstance(module, (Block, nn.TransformerEncoderLayer))"),
    ),
    wrong("nothing", "LIT4101", (RETURN, "CustomPolicy(is_unit)")),
    wrong("nothing is a unit", "LIT4102", (RETURN, "return CustomPolicy(lambda module: False)")),
    wrong(
        "answers the wrong question",
        "LIT4103",
        (RETURN, "return lambda module, recurse, nonwrapped_numel: is_unit(module)"),
    ),
    wrong("the function itself", "LIT4112", (RETURN, "return is_unit")),
    wrong("no answer", "LIT4114", (BLOCK, "return isinstance(module, Block) or None")),
    wrong(
        "an old name",
        "LIT4113",
        (RETURN, "return lambda module, recurse, unwrapped_params: recurse or is_unit(module)"),
    ),
    wrong("a list of classes", "LIT4108", (RETURN, "return [Block, Head]")),
    wrong("one class for many", "LIT4110", (RETURN, "return ModuleWrapPolicy(Block)")),
    wrong(
        "blocks that replicate",
        "LIT4117",
        (
            RETURN,
            "from torch.distributed.fsdp import ShardingStrategy\n\n    return CustomPolicy(lambda m: {'sharding_strategy': ShardingStrategy.NO_SHARD} if is_unit(m) else False)",
        ),
    ),
    wrong("another name", "LIT901", ("def custom_policy", "def own_policy")),
    wrong(
        "an empty dictionary",
        "LIT4102",
        (RETURN, "return CustomPolicy(lambda m: {} if is_unit(m) else False)"),
    ),
    wrong("tensors", "LIT4303", (COUNT, "len(list(module.parameters()))")),
    wrong("buffers", "LIT4303", (COUNT, "sum(b.numel() for b in module.buffers())")),
    wrong(
        "blocks, and all that is large",
        "LIT4309",
        (
            RETURN,
            f"return CustomPolicy(lambda module: isinstance(module, Block) or {COUNT} >= min_params)",
        ),
    ),
    wrong(
        "blocks, and torch's policy by size",
        "LIT4309",
        (
            RETURN,
            """from torch.distributed.fsdp.wrap import _or_policy

    large = functools.partial(size_based_auto_wrap_policy, min_num_params=min_params)
    return functools.partial(_or_policy, policies=[ModuleWrapPolicy({Block}), large])""",
        ),
    ),
    wrong(
        "classes by a number of its own",
        "LIT4306",
        (RETURN, "return {Block, Head} if min_params < 500 else {Block}"),
    ),
    wrong("yes to everything", "LIT4120", (RETURN, "return CustomPolicy(lambda module: True)")),
    wrong(
        "a hundred thousand at most",
        "LIT4304",
        (HEAD, f"return {COUNT} >= min(min_params, 100_000)"),
    ),
    wrong("a thousand at most", "LIT4304", (HEAD, f"return {COUNT} >= min(min_params, 1000)")),
]
