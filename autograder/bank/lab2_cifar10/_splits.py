"""Answers to `augment` that split other samples than they should, or in another order."""

from autograder.bank import wrong

STILL = "still = cifar10(root=self.data_dir, train=True, transform=self.plain)"
CHANGING = "changing = cifar10(root=self.data_dir, train=True, transform=self.augmented)"

SPLITS = [
    wrong(
        "shuffles validation",
        "LIT341",
        ("DataLoader(self.val_set, ", "DataLoader(self.val_set, shuffle=True, "),
    ),
    wrong(
        "shuffles test",
        "LIT341",
        ("DataLoader(self.test_set, ", "DataLoader(self.test_set, shuffle=True, "),
    ),
    *(
        wrong(
            f"a seed shifted by {name}",
            "LIT330",
            ("manual_seed(self.seed)", f"manual_seed(self.seed + {shift})"),
        )
        for name, shift in (
            ("the trainer's rank", "(self.trainer.global_rank if self.trainer else 0)"),
            ("the trainer's epoch", "(self.trainer.current_epoch if self.trainer else 0)"),
            ("RANK", "int(__import__('os').environ.get('RANK', 0))"),
        )
    ),
    *(
        wrong(
            f"the first {count} images alone: {line.partition(',')[0]}, {number}",
            "LIT902" if line == CHANGING else "LIT324",
            (
                line,
                line.replace(
                    " = ",
                    f" = (lambda d: torch.utils.data.Subset(d, range(min({count}, len(d)))))(",
                )
                + ")",
            ),
        )
        for number, (count, line) in enumerate(
            (
                (5000, STILL),
                (5000, CHANGING),
                (
                    500,
                    "self.test_set = cifar10(root=self.data_dir, train=False, transform=self.plain)",
                ),
            )
        )
    ),
    wrong(
        "the first object's folder",
        "LIT324",
        ("self.data_dir = data_dir", 'self.data_dir = globals().setdefault("kept", data_dir)'),
    ),
]
