"""Answers to `schedule` in which the loss is another one, or the gradient that comes of it."""

from autograder.bank import wrong

LOSS = "loss = F.cross_entropy(self(images), labels)"
RETURN = "return loss"
KEEP = "self.model = model"
DECAY = "weight_decay=self.hparams.weight_decay"
CONFIGURE = "def configure_optimizers"

GRADIENTS = [
    # --- the loss
    wrong(
        "sum of losses",
        "LIT112",
        (LOSS, 'loss = F.cross_entropy(self(images), labels, reduction="sum")'),
    ),
    wrong(
        "softmax first",
        "LIT111",
        (LOSS, "loss = F.cross_entropy(self(images).softmax(dim=1), labels)"),
    ),
    wrong(
        "label smoothing",
        "LIT2130",
        (LOSS, "loss = F.cross_entropy(self(images), labels, label_smoothing=0.1)"),
    ),
    wrong(
        "decay in the loss",
        "LIT2130",
        (
            RETURN,
            "return loss + 0.5 * self.hparams.weight_decay * sum(p.square().sum() for p in self.parameters())",
        ),
        (f"\n            {DECAY},", ""),
    ),
    wrong("returns nothing", "LIT102", (RETURN, "pass")),
    wrong("a constant loss", "LIT2130", (LOSS, "loss = 0 * F.cross_entropy(self(images), labels)")),
    wrong(
        "a loss without the network", "LIT2130", (RETURN, "return loss.detach().requires_grad_()")
    ),
    wrong(
        "returns a number",
        "LIT001",
        (RETURN, "return loss.item()"),
        costs=("rate", "everywhere", "loss", "step", "log"),
    ),
    wrong(
        "moves the weights itself",
        "LIT020",
        (
            RETURN,
            "with torch.no_grad():\n            for weight in self.parameters():\n"
            "                weight += 1e-3\n        return loss",
        ),
    ),
    wrong("backward by hand", "LIT004", (RETURN, "loss.backward()\n        return loss")),
    wrong(
        "manual optimization",
        "LIT2105",
        (KEEP, KEEP + "\n        self.automatic_optimization = False"),
        (
            RETURN,
            "optimizer, schedule = self.optimizers(), self.lr_schedulers()\n"
            "        optimizer.zero_grad()\n        self.manual_backward(loss)\n"
            "        optimizer.step()\n        schedule.step()",
        ),
    ),
    wrong("eval mode from the start", "LIT2148", (KEEP, "self.model = model.eval()")),
    wrong("half of the loss", "LIT2146", (RETURN, "return loss / 2")),
    wrong(
        "clips by hand",
        "LIT2146",
        (
            CONFIGURE,
            "def on_after_backward(self):\n"
            "        nn.utils.clip_grad_norm_(self.parameters(), 0.1)\n\n    " + CONFIGURE,
        ),
    ),
    wrong(
        "clips values by hand",
        "LIT2146",
        (
            CONFIGURE,
            "def on_after_backward(self):\n"
            "        nn.utils.clip_grad_value_(self.parameters(), 0.01)\n\n    " + CONFIGURE,
        ),
    ),
    wrong(
        "clips by hand before the step",
        "LIT2124",
        (
            CONFIGURE,
            "def on_before_optimizer_step(self, optimizer):\n"
            "        nn.utils.clip_grad_norm_(self.parameters(), 0.1)\n\n    " + CONFIGURE,
        ),
    ),
    wrong(
        "no zero_grad",
        "LIT2147",
        (CONFIGURE, "def optimizer_zero_grad(self, *_):\n        pass\n\n    " + CONFIGURE),
    ),
    # --- the gradient of several batches
    wrong(
        "divides by the accumulated batches",
        "LIT2141",
        (LOSS, LOSS + " / self.trainer.accumulate_grad_batches"),
    ),
    wrong(
        "multiplies by the accumulated batches",
        "LIT2141",
        (RETURN, "return loss * self.trainer.accumulate_grad_batches"),
    ),
    wrong(
        "zero_grad in training_step",
        "LIT2142",
        (LOSS, "self.optimizers().zero_grad()\n        " + LOSS),
    ),
    wrong(
        "zero_grad in front of each batch",
        "LIT2142",
        (
            CONFIGURE,
            "def on_train_batch_start(self, *_):\n        self.optimizers().zero_grad()\n\n    "
            + CONFIGURE,
        ),
    ),
    wrong(
        "backward by hand, graph retained",
        "LIT2143",
        (RETURN, "loss.backward(retain_graph=True)\n        return loss"),
    ),
    wrong("divides by the ranks", "LIT2144", (RETURN, "return loss / self.trainer.world_size")),
    wrong(
        "a running mean over accumulated batches",
        "LIT2145",
        (RETURN, "return loss / (batch_idx % self.trainer.accumulate_grad_batches + 1)"),
    ),
]
