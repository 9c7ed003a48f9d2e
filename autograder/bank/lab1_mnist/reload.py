"""Answers to `reload`: which weights, which network, which mode."""

from autograder.bank import right, wrong

HEAD = "def load_best(trainer):\n    path = trainer.checkpoint_callback.best_model_path\n"
PATH = "trainer.checkpoint_callback.best_model_path"
EVAL = "return best.eval()"

CASES = [
    right(
        "state dict into the trained module",
        code=HEAD
        + """
    module = trainer.lightning_module
    module.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
    return module.eval()
""",
    ),
    right(
        "a copy of the module",
        code=HEAD
        + """
    import copy

    best = EvaluatedClassifier(copy.deepcopy(trainer.lightning_module.model))
    best.load_state_dict(torch.load(path, weights_only=False)["state_dict"])
    best.eval()
    return best
""",
    ),
    right(
        "through the network",
        code=HEAD
        + """
    state = torch.load(path, weights_only=True)["state_dict"]
    network = trainer.model.model
    network.load_state_dict({k[len("model."):]: v for k, v in state.items()})
    return EvaluatedClassifier(network, lr=0.1).eval()
""",
    ),
    right(
        "validates with the best",
        code="""
def load_best(trainer):
    trainer.validate(trainer.lightning_module, trainer.datamodule, ckpt_path="best", verbose=False)
    return trainer.lightning_module.eval()
""",
    ),
    wrong(
        "validates with the last",
        "LIT501",
        code="""
def load_best(trainer):
    trainer.validate(trainer.lightning_module, trainer.datamodule, verbose=False)
    return trainer.lightning_module.eval()
""",
    ),
    wrong(
        "the worst of those kept",
        "LIT501",
        (PATH, "trainer.checkpoint_callback.kth_best_model_path"),
    ),
    wrong(
        "the newest file",
        "LIT501",
        (
            PATH,
            "max(Path(trainer.checkpoint_callback.dirpath).glob('*.ckpt'), key=lambda p: p.stat().st_mtime)",
        ),
    ),
    wrong(
        "the first file",
        "LIT502",
        (
            PATH,
            "min(Path(trainer.checkpoint_callback.dirpath).glob('*.ckpt'), key=lambda p: p.stat().st_mtime)",
        ),
    ),
    wrong(
        "the last",
        "LIT501",
        code="def load_best(trainer):\n    return trainer.lightning_module.eval()",
    ),
    wrong(
        "a fresh checkpoint",
        "LIT501",
        (PATH, '(trainer.save_checkpoint("now.ckpt"), "now.ckpt")[1]'),
    ),
    wrong("train mode", "LIT503", (EVAL, "return best.train()")),
    wrong(
        "only the head in eval mode",
        "LIT503",
        (EVAL, "best.train()\n    best.model[-1].eval()\n    return best"),
    ),
    wrong("without the network", "LIT504", ("model=trained.model,", "")),
    wrong("another network", "LIT505", ("model=trained.model", "model=MLP()")),
    wrong(
        "another network, not strictly",
        "LIT505",
        code=HEAD
        + """
    best = EvaluatedClassifier(nn.Sequential(nn.Flatten(), nn.Linear(36, 10)))
    state = torch.load(path, weights_only=True)["state_dict"]
    best.load_state_dict({k: v for k, v in state.items() if k in "nothing"}, strict=False)
    return best.eval()
""",
    ),
    wrong(
        "nothing is loaded",
        "LIT506",
        code=HEAD
        + """
    network = trainer.lightning_module.model
    for layer in network:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return EvaluatedClassifier(network).eval()
""",
    ),
    wrong(
        "half is loaded",
        "LIT506",
        code=HEAD
        + """
    state = torch.load(path, weights_only=True)["state_dict"]
    module = trainer.lightning_module
    module.load_state_dict({k: v for k, v in state.items() if "bias" in k}, strict=False)
    return module.eval()
""",
    ),
    wrong(
        "the first epoch",
        "LIT502",
        code="""
def load_best(trainer):
    module = trainer.lightning_module
    setter = next(c for c in trainer.callbacks if hasattr(c, "states"))
    module.model.load_state_dict(setter.states[0])
    return module.eval()
""",
    ),
    wrong("nothing", "LIT500", (EVAL, "return None")),
    wrong(
        "a module without a network",
        "LIT500",
        (
            EVAL,
            "empty = EvaluatedClassifier(nn.Module())\n    empty.model = None\n    return empty",
        ),
    ),
    wrong(
        "a network without layers",
        "LIT505",
        (EVAL, "return EvaluatedClassifier(nn.Sequential()).eval()"),
    ),
    wrong("raises", "LIT902", (EVAL, 'raise RuntimeError("there is no best one")')),
    wrong("the path", "LIT500", (EVAL, "return " + PATH)),
    wrong("the network alone", "LIT500", (EVAL, "return best.model.eval()")),
    wrong("the weights alone", "LIT500", (EVAL, "return best.state_dict()")),
    wrong("a guessed file", "LIT902", (PATH, '"best.ckpt"')),
    wrong("another name", "LIT901", ("def load_best", "def best")),
    right(
        "a wrap that saves the whole model",
        ("weights_only=True", "weights_only=False"),
        after=(("wrap", "saves the whole model"),),
    ),
    right("a wrap that saves no hyperparameters", after=(("wrap", "saves no hyperparameters"),)),
    right("train not solved", after=(("fit", "stub"),)),
    right("forward with softmax", after=(("wrap", "softmax in forward"),)),
    right("a wrap that logs nothing", after=(("wrap", "logs nothing"),)),
    wrong("evaluate is not solved", "LIT904", after=(("evaluate", "stub"),)),
    wrong("wrap is not solved", "LIT904", after=(("wrap", "stub"),)),
    wrong("the last file", "LIT508", (PATH, "trainer.checkpoint_callback.last_model_path")),
    wrong(
        "a wrap that saves the whole model, read safely",
        "LIT507",
        after=(("wrap", "saves the whole model"),),
    ),
]
