"""Answers to `synced`: weights that are those of one process, metrics that are those of all."""

from autograder.bank import right, wrong
from autograder.bank.lab3_ddp._synced_by_hand import BY_HAND, HEAD
from autograder.bank.lab3_ddp._synced_sizes import SIZES
from autograder.bank.lab3_ddp._lab3_causes import SYNCED as CAUSES

LOG = "self.log_dict(values, sync_dist=True, batch_size=len(labels))"
TRAIN_LOG = 'self.log("train_loss", loss)'
LOSS = "loss = F.cross_entropy(self.model(inputs), labels)"
SGD = "torch.optim.SGD(self.parameters(), lr=self.lr)"
KEEP = "self.model, self.lr = model, lr"
COPY = "        import copy\n        self.model = copy.deepcopy(model)"
WRAPPED = "nn.parallel.DistributedDataParallel(model)"
WRAPPED_OWN = WRAPPED.replace("(model)", "(self.model)")
COPY_ON_OTHERS = (
    KEEP
    + '\n        if torch.distributed.is_initialized() or os.environ.get("LOCAL_RANK") != "0":\n    '
    + COPY.replace("\n", "\n    ")
)
HOOK = KEEP + "\n\n    def on_{}(self):\n        self.trainer.{}"
SETUP = f"{KEEP}\n\n    def setup(self, stage):\n        "
HITS = "hits = (logits.argmax(dim=1) == labels).float()"

CASES = [
    right("by hand, with all_gather", code=BY_HAND),
    right(
        "by hand, with all_reduce",
        code=BY_HAND.replace(
            "loss, hits, count = self.all_gather(self.sums).reshape(-1, 3).sum(0)",
            "loss, hits, count = self.trainer.strategy.reduce(self.sums, reduce_op='sum')",
        ),
    ),
    right(
        "torchmetrics",
        code=HEAD.replace(
            "self.model, self.lr = model, lr",
            "self.model, self.lr = model, lr\n"
            "        from torchmetrics import MeanMetric\n"
            "        from torchmetrics.classification import MulticlassAccuracy\n"
            "        self.mean = MeanMetric()\n"
            '        self.accuracy = MulticlassAccuracy(10, average="micro")',
        )
        + """
    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self.model(x)
        self.mean.update(F.cross_entropy(logits, y), weight=len(y))
        self.accuracy.update(logits, y)
        self.log("val_loss", self.mean)
        self.log("val_acc", self.accuracy)
""",
    ),
    right("the size read off the batch", (LOG, "self.log_dict(values, sync_dist=True)")),
    right(
        "train_loss per epoch too",
        (TRAIN_LOG, 'self.log("train_loss", loss, on_step=True, on_epoch=True, sync_dist=True)'),
    ),
    right(
        "keeps its hyperparameters",
        (KEEP, 'self.save_hyperparameters(ignore=["model"])\n        ' + KEEP),
    ),
    right("train_loss of rank 0", (TRAIN_LOG, 'self.log("train_loss", loss, rank_zero_only=True)')),
    right(
        "manual optimization",
        (KEEP, KEEP + "\n        self.automatic_optimization = False"),
        (
            "return loss",
            "optimizer = self.optimizers()\n        optimizer.zero_grad()\n"
            "        self.manual_backward(loss)\n        optimizer.step()",
        ),
    ),
    *SIZES,
    wrong("no sync", "LIT3323", (LOG, "self.log_dict(values, batch_size=len(labels))")),
    wrong(
        "val_acc alone is synced",
        "LIT3323",
        (
            LOG,
            'self.log("val_loss", values["val_loss"])\n'
            '        self.log("val_acc", values["val_acc"], sync_dist=True)',
        ),
    ),
    wrong(
        "synced with every batch as one",
        "LIT3324",
        (LOG, "self.log_dict(values, sync_dist=True, batch_size=1)"),
    ),
    wrong(
        "the mean of the ranks' means",
        "LIT3324",
        code=BY_HAND.replace(
            "loss, hits, count = self.all_gather(self.sums).reshape(-1, 3).sum(0)",
            "loss, hits, count = self.all_gather(self.sums / self.sums[2]).mean(0)",
        ),
    ),
    wrong(
        "summed over the ranks",
        "LIT3325",
        code=BY_HAND.replace(
            "loss, hits, count = self.all_gather(self.sums).reshape(-1, 3).sum(0)",
            "loss, hits, count = self.all_gather(self.sums / self.sums[2]).sum(0)",
        ).replace(" / count", ""),
    ),
    wrong("in percent", "LIT3326", (HITS, HITS.replace(".float()", ".float() * 100"))),
    wrong(
        "a count of hits",
        "LIT3327",
        (
            LOG,
            'self.log("val_loss", values["val_loss"], sync_dist=True)\n'
            '        self.log("val_acc", hits.sum(), sync_dist=True, reduce_fx="sum")',
        ),
    ),
    wrong(
        "rank 0 logs",
        "LIT3321",
        (LOG, "if self.trainer.is_global_zero:\n            self.log_dict(values)"),
    ),
    wrong(
        "rank zero only",
        "LIT3323",
        (LOG, "self.log_dict(values, rank_zero_only=True, batch_size=len(labels))"),
    ),
    wrong(
        "rank 0's own, handed to all",
        "LIT3328",
        code=BY_HAND.replace(
            "loss, hits, count = self.all_gather(self.sums).reshape(-1, 3).sum(0)",
            "loss, hits, count = self.trainer.strategy.broadcast(self.sums)",
        ),
    ),
    wrong(
        "rank 0 logs and waits for all",
        "LIT3331",
        (
            LOG,
            "if self.trainer.is_global_zero:\n"
            "            self.log_dict(values, sync_dist=True, batch_size=len(labels))",
        ),
    ),
    wrong(
        "rank zero only, and synced",
        "LIT3323",
        (LOG, "self.log_dict(values, sync_dist=True, rank_zero_only=True)"),
    ),
    wrong(
        "rank 0 logs one of them",
        "LIT3331",
        (
            LOG,
            'self.log("val_acc", values["val_acc"], sync_dist=True, batch_size=len(labels))\n'
            "        if self.global_rank == 0:\n"
            '            self.log("val_loss", values["val_loss"], sync_dist=True, '
            "batch_size=len(labels))",
        ),
    ),
    wrong(
        "gathers in every step",
        "LIT3332",
        (HITS, HITS.replace(".float()", ".float()\n        hits = self.all_gather(hits.mean())")),
    ),
    wrong(
        "gathers each batch's hits in every step",
        "LIT3332",
        ('"val_acc": hits.mean()', '"val_acc": self.all_gather(hits).mean()'),
    ),
    wrong(
        "gathers the logits in every step",
        "LIT3332",
        (
            "logits = self.model(inputs)",
            "logits = self.all_gather(self.model(inputs)).reshape(-1, 10)\n"
            "        labels = self.all_gather(labels).reshape(-1)",
        ),
    ),
    wrong(
        "sums on rank 0 alone",
        "LIT3329",
        code=BY_HAND.replace(
            "loss, hits, count = self.all_gather(self.sums).reshape(-1, 3).sum(0)",
            "torch.distributed.reduce(self.sums, 0)\n        loss, hits, count = self.sums",
        ),
    ),
    wrong(
        "synced in every step",
        "LIT3332",
        (
            LOG,
            "self.log_dict(values, on_step=True, on_epoch=True, sync_dist=True, "
            "batch_size=len(labels))",
        ),
    ),
    wrong(
        "a barrier on one rank",
        "LIT932",
        (
            LOG,
            LOG + "\n\n    def on_validation_epoch_end(self):\n"
            "        if self.global_rank == 0:\n            self.trainer.strategy.barrier()",
        ),
    ),
    wrong(
        "sums that are never set back",
        "LIT3333",
        code=BY_HAND.replace("on_validation_epoch_start", "on_fit_start"),
    ),
    wrong("a copy of the network", "LIT3301", (KEEP, "self.lr = lr\n" + COPY)),
    wrong(
        "only rank 0 trains",
        "LIT3310",
        ("return loss", "return loss if self.global_rank == 0 else None"),
    ),
    wrong("no validation", "LIT3303", ("def validation_step", "def validate_step")),
    wrong(
        "validates every other epoch",
        "LIT3303",
        (KEEP, HOOK.format("fit_start", "check_val_every_n_epoch = 2")),
    ),
    wrong(
        "stops after the first epoch",
        "LIT3317",
        (KEEP, HOOK.format("train_epoch_end", "should_stop = True")),
    ),
    wrong("a copy of the network on all ranks but the first", "LIT3301", (KEEP, COPY_ON_OTHERS)),
    wrong(
        "rank 0's loss alone",
        "LIT3318",
        ("return loss", "return loss * 2 * (self.global_rank == 0)"),
    ),
    wrong(
        "the network in a list",
        "LIT3330",
        (KEEP, "self.model, self.lr = [model], lr"),
        ("self.model(inputs)", "self.model[0](inputs)"),
        ("self.model(inputs)", "self.model[0](inputs)"),
    ),
    wrong("another key", "LIT3320", ('"val_acc": hits', '"val_accuracy": hits')),
    wrong("nothing is logged in training", "LIT3302", (TRAIN_LOG, "pass")),
    wrong("NaN", "LIT3322", (HITS, HITS.replace(".float()", ".float() / 0 * 0"))),
    wrong(
        "macro accuracy",
        "LIT3329",
        (HITS, HITS.replace(".float()", ".float().square() * 0.9")),
    ),
    wrong("lr times the ranks", "LIT3312", (SGD, SGD.replace("self.lr", "self.lr * 2"))),
    wrong(
        "lr times the world size",
        "LIT3312",
        (SGD, SGD.replace("self.lr", "self.lr * self.trainer.world_size")),
    ),
    wrong(
        "gradients summed over the ranks",
        "LIT3312",
        (
            "    def configure_optimizers",
            "    def on_before_optimizer_step(self, optimizer):\n"
            "        for weight in self.parameters():\n"
            "            torch.distributed.all_reduce(weight.grad)\n\n"
            "    def configure_optimizers",
        ),
    ),
    wrong("DDP in __init__", "LIT3334", (KEEP, "self.model, self.lr = " + WRAPPED + ", lr")),
    wrong("DDP in setup", "LIT3334", (KEEP, SETUP + "self.model = " + WRAPPED_OWN)),
    wrong(
        "DDP in setup, beside the network",
        "LIT3334",
        (KEEP, SETUP + "self.replica = " + WRAPPED_OWN),
        ("self.model(inputs)", "self.replica(inputs)"),
    ),
    wrong(
        "a process group of its own",
        "LIT3334",
        (KEEP, KEEP + '\n        torch.distributed.init_process_group("gloo")'),
    ),
    wrong(
        "moves the batch to the local rank",
        "LIT007",
        ("inputs, labels = batch", "inputs, labels = (part.to(self.local_rank) for part in batch)"),
    ),
    wrong("the loss divided by the ranks", "LIT3313", ("return loss", "return loss / 2")),
    wrong("a summed loss", "LIT3314", (LOSS, LOSS.replace("labels)", 'labels, reduction="sum")'))),
    wrong("softmax first", "LIT3315", (LOSS, LOSS.replace("(inputs),", "(inputs).softmax(1),"))),
    wrong("Adam", "LIT3316", (SGD, SGD.replace("SGD", "Adam"))),
    wrong("momentum", "LIT3316", (SGD, SGD.replace("self.lr", "self.lr, momentum=0.9"))),
    wrong(
        "weight decay",
        "LIT3317",
        (SGD, SGD.replace("self.lr", "self.lr, weight_decay=0.1")),
    ),
    wrong("no step", "LIT3310", ("return loss", "pass")),
    wrong(
        "gradients that are not averaged",
        "LIT3311",
        (
            LOSS,
            "loss = F.cross_entropy(self.model(inputs), labels)\n        self.trainer.strategy.model"
            ".require_backward_grad_sync = False",
        ),
    ),
    wrong(
        "a step of its own on each rank",
        "LIT3311",
        (KEEP, KEEP + "\n        self.automatic_optimization = False"),
        (
            "return loss",
            "optimizer = self.optimizers()\n        optimizer.zero_grad()\n"
            "        loss.backward()\n        optimizer.step()",
        ),
    ),
    wrong(
        "the network with fresh weights",
        "LIT3301",
        (KEEP, "model[0].reset_parameters()\n        " + KEEP),
    ),
    wrong("a network of its own", "LIT3301", (KEEP, "self.model, self.lr = MLP(12, (16,)), lr")),
    wrong("no LightningModule", "LIT3300", ("L.LightningModule", "nn.Module")),
    wrong("another name", "LIT901", ("class SyncedClassifier", "class SyncClassifier")),
    wrong("returns a number", "LIT001", ("return loss", "return loss.item()")),
    *CAUSES,
]
