"""Answers to `wrap` that a short training in the probe's own mode takes for right."""

from autograder.bank import right, wrong

RETURN = "return loss"
LOSS = "loss = F.cross_entropy(self(images), labels)"
ADAM = "torch.optim.Adam(self.parameters(), lr=self.hparams.lr)"
KEEP = "self.model = model"

LONGER = [
    wrong("another default rate", "LIT144", ("lr: float = 1e-3", "lr: float = 2e-3")),
    wrong("no rate by default worth the name", "LIT144", ("lr: float = 1e-3", "lr: float = 1e-4")),
    wrong("the network in eval mode from the start", "LIT116", (KEEP, KEEP + ".eval()")),
    wrong(
        "the module in eval mode from the start", "LIT116", (KEEP, KEEP + "\n        self.eval()")
    ),
    *(
        wrong(
            f"the first {size} samples of a batch",
            code,
            (
                LOSS,
                LOSS.replace("images", f"images[:{size}]").replace("labels", f"labels[:{size}]"),
            ),
        )
        for size, code in (
            (8, "LIT115"),
            (16, "LIT143"),
            (32, "LIT143"),
            (64, "LIT143"),
            (128, "LIT143"),
        )
    ),
    *(
        wrong(f"learns {name}", "LIT143", (RETURN, f"{RETURN} * ({when})"))
        for name, when in (
            ("in three steps alone", "self.global_step < 3"),
            ("in a hundred steps alone", "self.global_step < 100"),
            ("in twenty batches of an epoch alone", "batch_idx < 20"),
            ("in fifty batches of an epoch alone", "batch_idx < 50"),
            ("in the first epoch alone", "self.current_epoch < 1"),
            ("from the second epoch on less", "(1 if self.current_epoch < 1 else 0.01)"),
        )
    ),
    wrong(
        "a rate that falls tenfold each epoch",
        "LIT143",
        (
            "return " + ADAM,
            f"optimizer = {ADAM}\n        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)]",
        ),
    ),
    wrong(
        "a rate that falls slowly with the steps",
        "LIT143",
        (
            "return " + ADAM,
            f"optimizer = {ADAM}\n        falls = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.998)\n"
            "        return {'optimizer': optimizer, 'lr_scheduler': {'scheduler': falls, 'interval': 'step'}}",
        ),
    ),
    wrong(
        "a variant of Adam that differs after many steps",
        "LIT139",
        ("lr=self.hparams.lr", "lr=self.hparams.lr, amsgrad=True"),
    ),
    wrong(
        "a rate that falls after a hundred steps",
        "LIT143",
        (
            "return " + ADAM,
            f"optimizer = {ADAM}\n        falls = torch.optim.lr_scheduler.StepLR(optimizer, 100, 0.1)\n"
            "        return [optimizer], [{'scheduler': falls, 'interval': 'step'}]",
        ),
    ),
    right(
        "a schedule that changes nothing",
        (
            "return " + ADAM,
            f"optimizer = {ADAM}\n        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 1.0)]",
        ),
    ),
]
