"""Answers to `recipe`: what is scaled, by what, and what is refused."""

from autograder.bank import right, wrong
from autograder.bank.lab3_ddp._lab3_causes import RECIPE as CAUSES

RETURN = 'return {"lr": lr * factor, "global_batch_size": batch_size * factor}'
FACTOR = "factor = world_size * accumulate"
CHECK = "if not value > 0:"
RAISE = 'raise ValueError(f"{name} must be positive, not {value}")'
ARGUMENTS = '{"lr": lr, "batch_size": batch_size, "world_size": world_size}'

CASES = [
    right(
        "by min",
        code="""
        def scale_recipe(lr, batch_size, world_size, accumulate=1):
            if not min(batch_size, world_size, accumulate) > 0 or lr <= 0 or lr != lr:
                raise ValueError("all of them must be positive")
            batches = world_size * accumulate
            return dict(global_batch_size=batches * batch_size, lr=batches * lr)
        """,
    ),
    right(
        "an error of its own",
        (RAISE, 'raise type("RecipeError", (ValueError,), {})(name)'),
    ),
    right(
        "by the share of the batch",
        (
            RETURN,
            "whole = batch_size * world_size * accumulate\n"
            '    return {"lr": lr * (whole / batch_size), "global_batch_size": whole}',
        ),
    ),
    right(
        "with a tensor's numbers",
        (
            RETURN,
            RETURN.replace("lr * factor", "torch.tensor(lr * factor, dtype=torch.float64).item()"),
        ),
    ),
    right(
        "an ordered dictionary",
        (
            RETURN,
            "from collections import OrderedDict\n"
            "    return OrderedDict(lr=lr * factor, global_batch_size=batch_size * factor)",
        ),
    ),
    wrong("lr as it was", "LIT3202", ("lr * factor", "lr")),
    wrong("takes batch_size for the global one", "LIT3205", ("batch_size * factor", "batch_size")),
    wrong("accumulate forgotten", "LIT3204", (FACTOR, "factor = world_size")),
    wrong("ranks forgotten", "LIT3206", (FACTOR, "factor = accumulate")),
    wrong(
        "64 ranks at most",
        "LIT3203",
        (FACTOR, "factor = min(world_size, 64) * accumulate"),
    ),
    wrong("64 batches at most", "LIT3203", (FACTOR, "factor = world_size * min(accumulate, 64)")),
    wrong("the square root", "LIT3207", ("lr * factor", "lr * factor**0.5")),
    wrong("lr divided", "LIT3208", ("lr * factor", "lr / factor")),
    wrong(
        "the batch is shared out",
        "LIT3208",
        ("batch_size * factor", "batch_size // factor"),
    ),
    wrong("lr divided by the ranks", "LIT3208", ("lr * factor", "lr / world_size")),
    wrong("a constant on top", "LIT3203", ("lr * factor", "lr * (factor + 1)")),
    wrong("the sum of both", "LIT3203", (FACTOR, "factor = world_size + accumulate")),
    wrong("a float", "LIT3209", ("batch_size * factor", "float(batch_size * factor)")),
    wrong("lr as text", "LIT3214", ("lr * factor", "str(lr * factor)")),
    wrong("lr as a tensor", "LIT3214", ("lr * factor", "torch.tensor(lr * factor)")),
    wrong(
        "a number of NumPy's",
        "LIT3209",
        ("batch_size * factor", "torch.tensor(batch_size * factor).numpy()[()]"),
    ),
    wrong("lr rounded", "LIT3203", ("lr * factor", "round(lr * factor, 3)")),
    wrong("NaN is let through", "LIT3212", (CHECK, "if value <= 0:")),
    wrong("zero is let through", "LIT3210", (CHECK, "if not value >= 0:")),
    wrong(
        "lr is not asked for",
        "LIT3210",
        (ARGUMENTS, '{"batch_size": batch_size, "world_size": world_size}'),
    ),
    wrong(
        "the product is tested",
        "LIT3210",
        (
            "for name, value in",
            "name, value = 'product', lr * batch_size * world_size * accumulate\n    for _ in",
        ),
    ),
    wrong(
        "refuses a learning rate of 1 and more",
        "LIT3213",
        (CHECK, 'if not value > 0 or (name == "lr" and value >= 1):'),
    ),
    wrong("nothing is refused", "LIT3210", (CHECK, "if False:")),
    wrong("an assertion", "LIT3211", (RAISE, 'raise AssertionError("must be positive")')),
    wrong("returns None for the bad", "LIT3210", (RAISE, "return None")),
    wrong("refuses one rank", "LIT3213", (CHECK, 'if not value > (name == "world_size"):')),
    wrong("refuses everything", "LIT3213", (CHECK, "if True:")),
    wrong("a tuple", "LIT3200", (RETURN, "return lr * factor, batch_size * factor")),
    wrong("prints it", "LIT3200", (RETURN, "print(lr * factor, batch_size * factor)")),
    wrong("other keys", "LIT3201", ('"global_batch_size"', '"batch_size"')),
    wrong("one key more", "LIT3201", ('{"lr": lr *', '{"batch_size": batch_size, "lr": lr *')),
    wrong("accumulate without default", "LIT902", ("accumulate: int = 1", "accumulate: int")),
    wrong("another name", "LIT901", ("def scale_recipe", "def scale_recipes")),
    *CAUSES,
]
