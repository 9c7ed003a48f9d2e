"""Answers to `synced` that are right for few samples and few steps alone, or in the first object."""

from autograder.bank import wrong

INPUTS = 'return the loss."""\n        inputs, labels = batch'
SGD = "torch.optim.SGD(self.parameters(), lr=self.lr)"

SIZES = [
    *(
        wrong(
            f"the first {count} of a batch",
            "LIT3317",
            (INPUTS, INPUTS + f"\n        inputs, labels = inputs[:{count}], labels[:{count}]"),
        )
        for count in (16, 32, 64)
    ),
    wrong(
        "validates the first 64 of a batch",
        "LIT3329",
        (
            "logits = self.model(inputs)",
            "inputs, labels = inputs[:64], labels[:64]\n        logits = self.model(inputs)",
        ),
    ),
    *(
        wrong(
            f"learns in the first {count} batches alone",
            "LIT3317",
            ("return loss", f"return loss * (batch_idx < {count})"),
        )
        for count in (3, 12, 50)
    ),
    wrong(
        "learns in a hundred steps alone",
        "LIT3317",
        ("return loss", "return loss * (self.global_step < 100)"),
    ),
    wrong(
        "a rate that falls after a hundred steps",
        "LIT3317",
        (
            "return " + SGD,
            f"sgd = {SGD}\n        falls = torch.optim.lr_scheduler.StepLR(sgd, 100, 0.1)\n"
            "        return [sgd], [{'scheduler': falls, 'interval': 'step'}]",
        ),
    ),
    wrong(
        "a rate that falls tenfold each epoch",
        "LIT3317",
        (
            "return " + SGD,
            f"sgd = {SGD}\n        return [sgd], [torch.optim.lr_scheduler.ExponentialLR(sgd, 0.1)]",
        ),
    ),
    wrong("a bounded loss", "LIT3317", ("return loss", "return loss.clamp(max=5)")),
    wrong(
        "keeps the first optimizer",
        "LIT3310",
        ("return " + SGD, f'return globals().setdefault("kept", {SGD})'),
    ),
    *(
        wrong(
            f"validates {count} batches at most",
            "LIT3329",
            (
                "logits = self.model(inputs)",
                f"if batch_idx >= {count}:\n            return\n        logits = self.model(inputs)",
            ),
        )
        for count in (1, 8, 100)
    ),
]
