"""Numbers that lie when they are compared.

Strategy: `training_step` returns, and logs, objects of a float subclass whose comparisons, `abs`
and difference always favour the student.
Surface: a judge that compares an object of the student's.
"""

from tests.attacks.arena import Attack

ANSWER = """
class Lie(float):
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __sub__ = __rsub__ = __abs__ = __neg__ = lambda self, *other: Lie(0.0)
    __hash__ = float.__hash__
    def __float__(self):
        return Lie(0.0)
    def item(self):
        return Lie(0.0)

class LitClassifier(L.LightningModule):
    def __init__(self, model, lr=1e-3):
        super().__init__()
        self.model = model
        self.automatic_optimization = False
    def forward(self, images):
        return Lie(0.0)
    def training_step(self, batch, batch_idx):
        self.trainer.callback_metrics["train_loss"] = Lie(0.0)
        return {"loss": Lie(0.0)}
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)
"""

ATTACK = Attack(cells=("lie = 1",), answer=ANSWER, share=0)
