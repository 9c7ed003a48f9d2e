"""Answers to `unused`: a search where it is needed, and none elsewhere."""

from autograder.bank import right, wrong
from autograder.bank.lab3_ddp._lab3_causes import UNUSED as CAUSES

RETURN = "return DDPStrategy(find_unused_parameters=len(module.model.skippable) > 0)"

CASES = [
    right(
        "by name",
        (RETURN, 'return "ddp_find_unused_parameters_true" if module.model.skippable else "ddp"'),
    ),
    right(
        "with a view of buckets",
        (
            RETURN,
            "if module.model.skippable:\n"
            "        return DDPStrategy(find_unused_parameters=True, gradient_as_bucket_view=True)\n"
            '    return "auto"',
        ),
    ),
    right(
        "a static graph where nothing is skipped",
        (
            RETURN,
            "skips = bool(module.model.skippable)\n"
            "    return DDPStrategy(find_unused_parameters=skips, static_graph=not skips)",
        ),
    ),
    right(
        "looks at the parameters",
        (
            RETURN,
            "parts = [module.model.get_submodule(name) for name in module.model.skippable]\n"
            "    search = any(True for part in parts for _ in part.parameters())\n"
            "    return DDPStrategy(find_unused_parameters=search)",
        ),
    ),
    right(
        "looks at everything",
        (
            RETURN,
            "module.eval(), module.hparams, module.state_dict(), module.train(), str(module)\n    "
            + RETURN,
        ),
    ),
    right("for NCCL", (RETURN, RETURN.replace("> 0", '> 0, process_group_backend="nccl"'))),
    wrong("plain DDP", "LIT3601", (RETURN, 'return "ddp"')),
    wrong("plain DDP, as an object", "LIT3601", (RETURN, "return DDPStrategy()")),
    wrong("auto", "LIT3601", (RETURN, 'return "auto"')),
    wrong("always searches", "LIT3602", (RETURN, 'return "ddp_find_unused_parameters_true"')),
    wrong(
        "searches if there is a tuple",
        "LIT3602",
        (RETURN, 'return DDPStrategy(find_unused_parameters=hasattr(module.model, "skippable"))'),
    ),
    wrong("the wrong way round", "LIT3601", (RETURN, RETURN.replace("> 0", "== 0"))),
    wrong("from two branches on", "LIT3601", (RETURN, RETURN.replace("> 0", "> 1"))),
    wrong("a static graph", "LIT3601", (RETURN, "return DDPStrategy(static_graph=True)")),
    wrong(
        "a static graph where branches are skipped",
        "LIT3601",
        (RETURN, "return DDPStrategy(static_graph=len(module.model.skippable) > 0)"),
    ),
    wrong(
        "spawn",
        "LIT3107",
        (
            RETURN,
            'return "ddp_spawn_find_unused_parameters_true" if module.model.skippable else "ddp_spawn"',
        ),
    ),
    wrong(
        "for notebooks",
        "LIT3107",
        (
            RETURN,
            'return DDPStrategy(start_method="fork", find_unused_parameters=bool(module.model.skippable))',
        ),
    ),
    wrong(
        "no DDP",
        "LIT3603",
        (RETURN, 'return L.pytorch.strategies.SingleDeviceStrategy(torch.device("cpu"))'),
    ),
    wrong(
        "averages by hand, without DDP",
        "LIT3603",
        (
            RETURN,
            """class ByHand(DDPStrategy):
        def configure_ddp(self):
            pass

        def post_backward(self, closure_loss):
            for weight in self.model.parameters():
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
                torch.distributed.all_reduce(weight.grad)
                weight.grad /= 2

    return ByHand()""",
        ),
    ),
    wrong(
        "gradients that stay at home",
        "LIT3605",
        (
            RETURN,
            """class Lonely(DDPStrategy):
        def setup(self, trainer):
            super().setup(trainer)
            self.model.require_backward_grad_sync = False

    return Lonely(find_unused_parameters=bool(module.model.skippable))""",
        ),
    ),
    wrong(
        "uses all parameters a little",
        "LIT3606",
        (
            RETURN,
            """plain = module.training_step

    def with_all(batch, batch_idx):
        return plain(batch, batch_idx) + sum(0 * p.sum() for p in module.parameters())

    module.training_step = with_all
    return "ddp\"""",
        ),
    ),
    wrong(
        "uses all parameters a little, by a hook",
        "LIT3606",
        (
            RETURN,
            """module.model.register_forward_hook(
        lambda model, _, output: output + sum(0 * p.sum() for p in model.parameters())
    )
    return "ddp\"""",
        ),
    ),
    wrong(
        "uses all parameters a little, for the class",
        "LIT3606",
        (
            RETURN,
            """plain = type(module).training_step

    def with_all(self, batch, batch_idx):
        return plain(self, batch, batch_idx) + sum(0 * p.sum() for p in self.parameters())

    type(module).training_step = with_all
    return "ddp\"""",
        ),
    ),
    wrong(
        "the names in place of a truth value",
        "LIT3607",
        (RETURN, "return DDPStrategy(find_unused_parameters=module.model.skippable)"),
    ),
    wrong("the keyword alone", "LIT3600", (RETURN, 'return {"find_unused_parameters": True}')),
    wrong("a truth value", "LIT3600", (RETURN, "return len(module.model.skippable) > 0")),
    wrong("nothing", "LIT3600", (RETURN, "DDPStrategy(find_unused_parameters=True)")),
    wrong("the class", "LIT3600", (RETURN, "return DDPStrategy")),
    wrong("a name that is none", "LIT3600", (RETURN, 'return "ddp_unused"')),
    wrong("asks the module", "LIT902", (RETURN, RETURN.replace("module.model.", "module."))),
    wrong("another name", "LIT901", ("def strategy_for_branches", "def strategy_for")),
    *CAUSES,
]
