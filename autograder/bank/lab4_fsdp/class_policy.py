"""Answers to `class_policy`: which modules of any network are units."""

from autograder.bank import right, wrong

RETURN = "return {Block}"
LAMBDA = "lambda module, recurse, nonwrapped_numel: "

CASES = [
    right("a policy of classes", (RETURN, "return ModuleWrapPolicy([Block])")),
    right("a rule", (RETURN, "return CustomPolicy(lambda module: isinstance(module, Block))")),
    right(
        "the transformers' policy",
        (
            RETURN,
            "return functools.partial(transformer_auto_wrap_policy, transformer_layer_cls={Block})",
        ),
    ),
    right(
        "three arguments",
        (RETURN, f"return {LAMBDA}recurse or isinstance(module, Block)"),
    ),
    right(
        "any arguments",
        (RETURN, "return lambda module, recurse, **_: True if recurse else type(module) is Block"),
    ),
    right(
        "by the name of the class",
        (RETURN, 'return CustomPolicy(lambda m: m._get_name() == "Block")'),
    ),
    right(
        "a class of its own",
        (
            RETURN,
            """class Blocks:
        def __call__(self, module, recurse, nonwrapped_numel):
            return recurse or isinstance(module, Block)

    return Blocks()""",
        ),
    ),
    right(
        "a dictionary of arguments",
        (
            RETURN,
            "return CustomPolicy(lambda module: {'forward_prefetch': True} if isinstance(module, Block) else False)",
        ),
    ),
    right(
        "a class that no network has beside it",
        (RETURN, "return {Block, nn.TransformerDecoderLayer}"),
    ),
    right(
        "torch's lambda policy",
        (
            RETURN,
            "from torch.distributed.fsdp.wrap import lambda_auto_wrap_policy\n\n"
            "    return functools.partial(lambda_auto_wrap_policy, lambda_fn=lambda m: isinstance(m, Block))",
        ),
    ),
    right(
        "one policy or another",
        (
            RETURN,
            """from torch.distributed.fsdp.wrap import _or_policy

    blocks = functools.partial(transformer_auto_wrap_policy, transformer_layer_cls=(Block,))
    decoders = ModuleWrapPolicy({nn.TransformerDecoderLayer})
    return functools.partial(_or_policy, policies=[blocks, decoders])""",
        ),
    ),
    right(
        "classes found by their names",
        (
            RETURN,
            """names = ["Block"]
    classes = {c for c in (Block, BasicBlock, Head) if c.__name__ in names}
    return functools.partial(transformer_auto_wrap_policy, transformer_layer_cls=classes)""",
        ),
    ),
    wrong("nothing", "LIT4101", (RETURN, "None")),
    wrong("made and not returned", "LIT4101", (RETURN, "policy = {Block}")),
    wrong("no class", "LIT4102", (RETURN, "return set()")),
    wrong(
        "a class of the documentation", "LIT4102", (RETURN, "return {nn.TransformerDecoderLayer}")
    ),
    wrong("torch's layer", "LIT4104", (RETURN, "return {nn.TransformerEncoderLayer}")),
    wrong(
        "blocks as leaves",
        "LIT4106",
        (
            RETURN,
            "return functools.partial(size_based_auto_wrap_policy, min_num_params=1, "
            "force_leaf_modules={Block})",
        ),
    ),
    wrong("torch's size, by default", "LIT4102", (RETURN, "return size_based_auto_wrap_policy")),
    wrong(
        "answers the wrong question",
        "LIT4103",
        (RETURN, f"return {LAMBDA}isinstance(module, Block)"),
    ),
    wrong("the head alone", "LIT4118", (RETURN, "return {Head}")),
    wrong(
        "blocks in lists alone",
        "LIT4105",
        (
            RETURN,
            """class InLists:
        def __init__(self):
            self.blocks = []

        def __call__(self, module, recurse, nonwrapped_numel):
            if isinstance(module, nn.ModuleList):
                self.blocks += list(module)
            return recurse or any(module is b and type(b) is Block for b in self.blocks)

    return InLists()""",
        ),
    ),
    wrong(
        "every second block",
        "LIT4105",
        (
            RETURN,
            """seen = []

    def is_unit(module):
        if isinstance(module, Block):
            seen.append(module)
        return isinstance(module, Block) and len(seen) % 2 == 1

    return CustomPolicy(is_unit)""",
        ),
    ),
    wrong("the network", "LIT4106", (RETURN, "return {TransformerClassifier}")),
    wrong("the network, too", "LIT4106", (RETURN, "return {Block, TransformerClassifier}")),
    wrong("lists", "LIT4107", (RETURN, "return {nn.ModuleList}")),
    wrong(
        "every module with blocks",
        "LIT4107",
        (
            RETURN,
            "return CustomPolicy(lambda m: any(isinstance(p, Block) for p in m.modules()) "
            "and not isinstance(m, TransformerClassifier))",
        ),
    ),
    wrong("a list of classes", "LIT4108", (RETURN, "return [Block]")),
    wrong("a tuple of classes", "LIT4108", (RETURN, "return (Block,)")),
    wrong("a frozen set", "LIT4108", (RETURN, "return frozenset({Block})")),
    wrong("the name in a set", "LIT4109", (RETURN, 'return {"Block"}')),
    wrong("the name", "LIT4109", (RETURN, 'return "Block"')),
    wrong("the strategy", "LIT4109", (RETURN, "return FSDPStrategy(auto_wrap_policy={Block})")),
    wrong("one class for many", "LIT4110", (RETURN, "return ModuleWrapPolicy(Block)")),
    wrong(
        "one class for many, fixed",
        "LIT4110",
        (
            RETURN,
            "return functools.partial(transformer_auto_wrap_policy, transformer_layer_cls=Block)",
        ),
    ),
    wrong("without partial", "LIT4111", (RETURN, "return transformer_auto_wrap_policy")),
    wrong("called at once", "LIT4111", (RETURN, "return transformer_auto_wrap_policy({Block})")),
    wrong(
        "a function of a module",
        "LIT4112",
        (RETURN, "return lambda module: isinstance(module, Block)"),
    ),
    wrong("the class", "LIT4112", (RETURN, "return Block")),
    wrong("a Block in its place", "LIT902", (RETURN, "return {Block()}")),
    wrong(
        "an old name",
        "LIT4113",
        (
            RETURN,
            "return lambda module, recurse, unwrapped_params: recurse or isinstance(module, Block)",
        ),
    ),
    wrong(
        "no answer",
        "LIT4114",
        (RETURN, "return CustomPolicy(lambda m: True if isinstance(m, Block) else None)"),
    ),
    wrong(
        "a number", "LIT4114", (RETURN, "return CustomPolicy(lambda m: int(isinstance(m, Block)))")
    ),
    wrong("the embedding, too", "LIT4115", (RETURN, "return {Block, nn.Embedding}")),
    wrong("all layers", "LIT4116", (RETURN, "return {nn.Linear}")),
    wrong("sequences, too", "LIT4116", (RETURN, "return {Block, nn.Sequential}")),
    wrong(
        "copied with its trainable leaves",
        "LIT4116",
        (
            RETURN,
            """def is_leaf(module):
        leaf = not list(module.named_children())
        return leaf and getattr(module, "weight", None) is not None and module.weight.requires_grad

    return CustomPolicy(lambda m: isinstance(m, Block) or is_leaf(m))""",
        ),
    ),
    wrong("all attention", "LIT4119", (RETURN, "return {Block, nn.MultiheadAttention}")),
    wrong("torch's layer, too", "LIT4119", (RETURN, "return {Block, nn.TransformerEncoderLayer}")),
    wrong(
        "units that replicate",
        "LIT4117",
        (
            RETURN,
            "from torch.distributed.fsdp import ShardingStrategy\n\n"
            "    whole = {'sharding_strategy': ShardingStrategy.NO_SHARD}\n"
            "    return CustomPolicy(lambda m: whole if isinstance(m, Block) else False)",
        ),
    ),
    wrong("the head, too", "LIT4118", (RETURN, "return {Block, Head}")),
    wrong("raises", "LIT902", (RETURN, 'raise RuntimeError("no policy")')),
    wrong("another name", "LIT901", ("def class_policy", "def classes_policy")),
    wrong(
        "every module",
        "LIT4120",
        (
            RETURN,
            "from torch.distributed.fsdp.wrap import always_wrap_policy\n\n    return always_wrap_policy",
        ),
    ),
    wrong("yes to everything", "LIT4120", (RETURN, "return CustomPolicy(lambda module: True)")),
    wrong(
        "part of a name",
        "LIT4119",
        (RETURN, f'return {LAMBDA}recurse or "Block" in type(module).__name__'),
    ),
    wrong(
        "not while it looks inside",
        "LIT4103",
        (RETURN, f"return {LAMBDA}isinstance(module, Block) and not recurse"),
    ),
    wrong("a comma at the end", "LIT4108", (RETURN, "return ModuleWrapPolicy({Block}),")),
    wrong("the class of the class", "LIT4102", (RETURN, "return {type(Block)}")),
    wrong("a block in the set", "LIT4109", (RETURN, "return {Block(8, 2)}")),
    wrong(
        "the name in a partial",
        "LIT4109",
        (
            RETURN,
            "return functools.partial(transformer_auto_wrap_policy, transformer_layer_cls={'Block'})",
        ),
    ),
    wrong(
        "an argument that there is not",
        "LIT4122",
        (
            RETURN,
            "return functools.partial(transformer_auto_wrap_policy, transformer_layer_class={Block})",
        ),
    ),
    wrong(
        "classes in the first place",
        "LIT4121",
        (RETURN, "return functools.partial(transformer_auto_wrap_policy, {Block})"),
    ),
    wrong(
        "letters for names", "LIT4112", (RETURN, "return lambda m, r, n: r or isinstance(m, Block)")
    ),
    wrong(
        "a letter for the number",
        "LIT4113",
        (RETURN, "return lambda module, recurse, n: recurse or isinstance(module, Block)"),
    ),
]
