"""Answers to `wrap`: the module, its loss, its optimizer, its log."""

from autograder.bank import right, wrong
from autograder.bank.lab1_mnist._lab1_causes import WRAP as CAUSES
from autograder.bank.lab1_mnist._longer import LONGER

RETURN = "return loss"
LOSS = "loss = F.cross_entropy(self(images), labels)"
LOG = 'self.log("train_loss", loss)'
ADAM = "torch.optim.Adam(self.parameters(), lr=self.hparams.lr)"
OUTPUT = "return self.model(x)"
KEEP = "self.model = model"
METRICS = ("class LitClassifier", "import torchmetrics\n\n\nclass LitClassifier")

CONSTANT = "loss = torch.tensor(2.3, requires_grad=True)"
MANUAL = """
class LitClassifier(L.LightningModule):
    def __init__(self, model, lr=1e-3):
        super().__init__()
        self.automatic_optimization = False
        self.model, self.lr = model, lr

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, batch_idx):
        {step}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), self.lr)
"""
BY_HAND = """x, y = batch
        optimizer = self.optimizers()
        optimizer.zero_grad()
        loss = {loss}
        self.manual_backward(loss)
        optimizer.step()
        self.log("train_loss", loss)"""

CASES = [
    right(
        "returns a dict",
        (RETURN, 'return {"loss": loss, "logits": None}'),
    ),
    right(
        "only trainable parameters",
        ("self.parameters()", "[p for p in self.parameters() if p.requires_grad]"),
    ),
    right(
        "log_softmax and nll_loss",
        (LOSS, "loss = F.nll_loss(self(images).log_softmax(dim=1), labels)"),
    ),
    right("a loss in double precision", (LOSS, LOSS.replace("(images)", "(images).double()"))),
    right("on several threads", (LOSS, "torch.set_num_threads(4)\n        " + LOSS)),
    right(
        "optimizer in a dict",
        (ADAM, '{"optimizer": torch.optim.Adam(self.model.parameters(), lr=self.hparams.lr)}'),
    ),
    right(
        "logs on epoch too",
        (LOG, 'self.log("train_loss", loss, on_step=True, on_epoch=True)'),
    ),
    right(
        "logs a float",
        (LOG, 'self.log("train_loss", loss.item())'),
    ),
    right(
        "saves the whole model",
        ('save_hyperparameters(ignore=["model"])', "save_hyperparameters()"),
    ),
    right(
        "saves no hyperparameters",
        ('self.save_hyperparameters(ignore=["model"])', "self.lr = lr"),
        ("self.hparams.lr", "self.lr"),
    ),
    right(
        "manual optimization",
        code=MANUAL.format(step=BY_HAND.format(loss="nn.CrossEntropyLoss()(self.model(x), y)")),
    ),
    right(
        "a metric of torchmetrics logs the loss",
        (KEEP, KEEP + "\n        self.mean_loss = torchmetrics.MeanMetric()"),
        (
            LOG,
            'self.mean_loss(loss)\n        self.log("train_loss", self.mean_loss, on_epoch=True)',
        ),
        METRICS,
    ),
    right(
        "a collection of metrics beside the loss",
        (
            KEEP,
            KEEP + "\n        self.metrics = torchmetrics.MetricCollection({\n"
            "            'acc': torchmetrics.Accuracy('multiclass', num_classes=10),\n"
            "            'cm': torchmetrics.ConfusionMatrix('multiclass', num_classes=10)})",
        ),
        (LOSS, "logits = self(images)\n        loss = F.cross_entropy(logits, labels)"),
        (LOG, LOG + "\n        self.metrics(logits, labels)"),
        METRICS,
    ),
    right(
        "asks for values in the step",
        (
            LOG,
            "assert torch.isfinite(loss) and loss.item() >= 0 and labels.tolist()\n        " + LOG,
        ),
    ),
    right(
        "tensors made beside the batch, in each way",
        (
            LOSS,
            "ones = torch.ones(10, device=self.device) * images.new_tensor([1.0] * 10)\n"
            "        ones = ones * torch.tensor([1.0] * 10, device=images.device)\n"
            "        ones = ones * torch.ones_like(ones) * torch.ones(10).to(images)\n"
            "        loss = F.cross_entropy(self(images), labels, weight=ones)",
        ),
    ),
    right(
        "weights of the classes in a buffer",
        (KEEP, KEEP + "\n        self.register_buffer('weights', torch.ones(10))"),
        (LOSS, "loss = F.cross_entropy(self(images), labels, weight=self.weights)"),
    ),
    right(
        "rows and columns by hand",
        (
            LOSS,
            "rows = torch.arange(len(labels))\n"
            "        loss = -self(images).log_softmax(dim=1)[rows, labels].mean()",
        ),
    ),
    right(
        "looks at values on the CPU",
        (LOSS, "logits = self(images)\n        loss = F.cross_entropy(logits, labels)"),
        (
            LOG,
            LOG + "\n        hits = logits.argmax(dim=1).cpu() == labels.cpu()\n"
            "        assert hits.numpy().shape == (len(labels),)",
        ),
    ),
    wrong(
        "weights of the classes that are no buffer",
        "LIT142",
        (KEEP, KEEP + "\n        self.weights = torch.ones(10)"),
        (LOSS, "loss = F.cross_entropy(self(images), labels, weight=self.weights)"),
    ),
    wrong(
        "one-hot rows out of a matrix on the CPU",
        "LIT142",
        (LOSS, "rows = torch.eye(10)[labels]\n        loss = F.cross_entropy(self(images), rows)"),
    ),
    wrong(
        "manual optimization with a tensor on the CPU",
        "LIT142",
        code=MANUAL.format(
            step=BY_HAND.format(loss="F.cross_entropy(self(x), y, weight=torch.ones(10))")
        ),
    ),
    wrong(
        "numpy in the step",
        "LIT902",
        (LOSS, LOSS + "\n        assert loss.detach().numpy() >= 0"),
    ),
    *LONGER,
    wrong("returns a number", "LIT001", (RETURN, "return loss.item()")),
    wrong("returns nothing", "LIT102", (RETURN, "pass")),
    wrong(
        "returns the first loss alone",
        "LIT102",
        (RETURN, "return loss if batch_idx == 0 else None"),
    ),
    wrong("a constant", "LIT115", (LOSS, CONSTANT)),
    wrong("a constant, logged nowhere", "LIT115", (LOSS, CONSTANT), (LOG, "")),
    wrong(
        "a constant and no optimizer",
        "LIT115",
        (LOSS, CONSTANT),
        ("return " + ADAM, "optimizer = " + ADAM),
    ),
    wrong("none of the network in it", "LIT115", (LOSS, "loss = 0 * self(images).sum()")),
    wrong(
        "the right value without its gradient",
        "LIT135",
        (RETURN, "return loss.detach().requires_grad_()"),
    ),
    wrong(
        "a network that is frozen",
        "LIT135",
        (KEEP, KEEP + ".requires_grad_(False)\n        self.spare = nn.Parameter(torch.zeros(()))"),
        (LOSS, LOSS + " + 0 * self.spare"),
    ),
    wrong("manual optimization of nothing", "LIT130", code=MANUAL.format(step="pass")),
    wrong(
        "manual optimization that only logs",
        "LIT130",
        code=MANUAL.format(step='self.log("train_loss", 2.3)'),
    ),
    wrong(
        "manual optimization without a step",
        "LIT130",
        code=MANUAL.format(step="return F.cross_entropy(self(batch[0]), batch[1])"),
    ),
    wrong(
        "a Trainer whose fit does nothing",
        "LIT130",
        code="L.Trainer.fit = lambda *_, **__: None\n" + MANUAL.format(step="pass"),
    ),
    wrong("returns it detached", "LIT002", (RETURN, "return loss.detach()")),
    wrong("under no_grad", "LIT002", (LOSS, "with torch.no_grad():\n            " + LOSS)),
    wrong("dict without loss", "LIT003", (RETURN, 'return {"train_loss": loss}')),
    wrong("backward by hand", "LIT004", (RETURN, "loss.backward()\n        return loss")),
    wrong("manual_backward", "LIT005", (RETURN, "self.manual_backward(loss)\n        return loss")),
    wrong(
        "step by hand",
        "LIT023",
        (
            LOSS,
            LOSS
            + "\n        optimizer = self.optimizers()\n        loss.backward()\n"
            + "        optimizer.step()\n        loss = F.cross_entropy(self(images), labels)",
        ),
    ),
    wrong("step before the loss", "LIT023", (LOSS, "self.optimizers().step()\n        " + LOSS)),
    wrong("no configure_optimizers", "LIT130", ("def configure_optimizers", "def optimizer")),
    wrong("optimizer is None", "LIT130", ("return " + ADAM, "optimizer = " + ADAM)),
    wrong(
        "a part of the parameters",
        "LIT136",
        ("self.parameters()", "list(self.model.parameters())[-2:]"),
    ),
    wrong(
        "parameters of a copy",
        "LIT137",
        ("self.parameters()", '__import__("copy").deepcopy(self).parameters()'),
    ),
    wrong("model in a list", "LIT101", (KEEP, "self.model = [model]")),
    wrong("another network", "LIT101", (KEEP, "self.model = MLP()")),
    wrong(
        "a network of the same layers",
        "LIT101",
        (
            KEEP,
            'self.model = __import__("copy").deepcopy(model)\n        self.model.apply('
            'lambda m: getattr(m, "reset_parameters", int)())',
        ),
    ),
    wrong(
        "layers before super",
        "LIT006",
        ("super().__init__()", "self.model = model\n        super().__init__()"),
    ),
    wrong(
        "softmax first",
        "LIT111",
        (LOSS, "loss = F.cross_entropy(self(images).softmax(dim=1), labels)"),
    ),
    wrong("softmax in forward", "LIT110", (OUTPUT, "return self.model(x).softmax(dim=1)")),
    wrong("log_softmax in forward", "LIT110", (OUTPUT, "return self.model(x).log_softmax(dim=1)")),
    wrong(
        "one logit changed in evaluation mode",
        "LIT110",
        (
            OUTPUT,
            "out = self.model(x)\n        if not self.training:\n            out[:, 9] *= 1.05\n"
            "        return out",
        ),
    ),
    wrong("argmax in forward", "LIT110", (OUTPUT, "return self.model(x).argmax(1)")),
    wrong(
        "sum of losses",
        "LIT112",
        (LOSS, 'loss = F.cross_entropy(self(images), labels, reduction="sum")'),
    ),
    wrong("nll_loss on logits", "LIT113", (LOSS, "loss = F.nll_loss(self(images), labels)")),
    wrong(
        "squared error",
        "LIT114",
        (LOSS, "loss = F.mse_loss(self(images), F.one_hot(labels, 10).float())"),
    ),
    wrong(
        "label smoothing",
        "LIT115",
        (LOSS, "loss = F.cross_entropy(self(images), labels, label_smoothing=0.1)"),
    ),
    wrong("eval mode", "LIT116", (LOSS, "self.eval()\n        " + LOSS)),
    wrong("not a number", "LIT120", (RETURN, 'return loss * float("nan")')),
    wrong(
        "scales the gradient",
        "LIT135",
        (RETURN, "return loss + (10 * loss - (10 * loss).detach())"),
    ),
    wrong("ignores lr", "LIT131", (", lr=self.hparams.lr", "")),
    wrong("AdamW", "LIT132", ("torch.optim.Adam", "torch.optim.AdamW")),
    wrong("SGD", "LIT133", ("torch.optim.Adam", "torch.optim.SGD")),
    wrong("weight decay", "LIT139", ("lr=self.hparams.lr", "lr=self.hparams.lr, weight_decay=0.1")),
    wrong("other betas", "LIT139", ("lr=self.hparams.lr", "lr=self.hparams.lr, betas=(0.5, 0.9)")),
    wrong("forward twice", "LIT138", (LOG, "self(images)\n        " + LOG)),
    wrong(
        "cuda in the step",
        "LIT007",
        ("images, labels = batch", "images, labels = batch\n        images = images.cuda()"),
    ),
    wrong("cuda in __init__", "LIT007", (KEEP, 'self.model = model.to("cuda")')),
    wrong(
        "a tensor on the CPU",
        "LIT142",
        (RETURN, "return loss + 0 * (torch.zeros(len(labels)) * labels).sum()"),
    ),
    wrong("logs a list", "LIT008", (LOG, 'self.log("train_loss", [loss])')),
    wrong("logs the logits", "LIT008", (LOG, 'self.log("train_loss", self.model(images))')),
    wrong("logs nothing", "LIT140", (LOG, "")),
    wrong("another key", "LIT140", (LOG, 'self.log("loss", loss)')),
    wrong("logs something else", "LIT141", (LOG, 'self.log("train_loss", 0 * loss)')),
    wrong(
        "hook of Lightning 1",
        "LIT009",
        (
            "def configure_optimizers",
            "def training_epoch_end(self, outputs):\n        pass\n\n    def configure_optimizers",
        ),
    ),
    wrong(
        "a module of pytorch_lightning",
        "LIT100",
        # The package itself is not installed here; its classes are known by their full names.
        (
            "class LitClassifier(L.LightningModule)",
            'Stranger = type("LightningModule", (nn.Module,), '
            '{"__module__": "pytorch_lightning.core.module"})\n\n'
            "class LitClassifier(Stranger)",
        ),
        ('self.save_hyperparameters(ignore=["model"])', "self.lr = lr"),
    ),
    wrong(
        "an optimizer of its own in __init__",
        "LIT137",
        (
            KEEP,
            KEEP + '\n        spare = __import__("copy").deepcopy(model)\n'
            "        self.optimizer = torch.optim.Adam(spare.parameters(), lr=lr)",
        ),
        ("return " + ADAM, "return self.optimizer"),
    ),
    wrong("no LightningModule", "LIT100", ("L.LightningModule", "nn.Module")),
    wrong("another name", "LIT901", ("class LitClassifier", "class LitClasifier")),
    wrong("exits", "LIT902", (LOSS, "raise SystemExit")),
    wrong("forgets lr", "LIT902", ("model: nn.Module, lr: float = 1e-3", "model: nn.Module")),
    right("without batch_idx", (", batch_idx: int)", ")")),
    wrong("forgets to keep lr", "LIT017", ("lr=self.hparams.lr", "lr=self.lr")),
    *CAUSES,
]
