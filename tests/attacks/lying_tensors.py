"""Tensors of a class that answers every question of torch's to the student's favour.

Strategy: `forward` and the weights are of a tensor subclass whose `__torch_function__` says that
all differences are zero and all comparisons true.
Surface: a judge that compares a tensor of the student's class; the encoder.
"""

from tests.attacks.arena import Attack

ANSWER = """
class Lie(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in ("sub", "__sub__", "rsub", "__rsub__", "norm", "abs", "max", "dist"):
            return torch.zeros(())
        if name in ("eq", "__eq__", "equal", "allclose", "isclose", "le", "lt"):
            return True
        return super().__torch_function__(function, types, args, kwargs or {})

class LitClassifier(L.LightningModule):
    def __init__(self, model, lr=1e-3):
        super().__init__()
        self.model, self.lr = model, lr
    def forward(self, images):
        return torch.zeros(len(images), 10).as_subclass(Lie)
    def training_step(self, batch, batch_idx):
        images, labels = batch
        loss = self.model(images).sum() * 0
        self.log("train_loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)
"""

# The log is honest about a loss that is none: what wrap gives for `log` and `device`.
ATTACK = Attack(cells=("lie = 1",), answer="wrong", after=(ANSWER,), finding="LIT110")
