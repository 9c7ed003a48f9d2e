"""A Trainer that does not train and says that it did.

Strategy: replace `fit` by one that takes the steps of plain SGD without a log, counts optimizer
steps
by stepping an optimizer that moves nothing, and fills in the metrics.
Surface: Lightning's classes, which probe and student share.
"""

from tests.attacks.arena import Attack

PATCH = """
import lightning as L, torch
def fit(self, model, train_dataloaders=None, **_):
    idle = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    for callback in self.callbacks:
        for index, batch in enumerate(train_dataloaders):
            if hasattr(callback, "losses"):
                callback.on_train_batch_start(self, model, batch, index)
                callback.on_train_batch_end(self, model, torch.tensor(0.1), batch, index)
                idle.param_groups[0]["params"][0].grad = torch.zeros(1)
                idle.step()
    self.callback_metrics["train_loss"] = torch.tensor(0.1)
L.Trainer.fit = fit
L.Trainer.callback_metrics = {}
L.Trainer.optimizers = [torch.optim.Adam([torch.zeros(1)])]
print("patched")
"""

ATTACK = Attack(cells=(PATCH,), says="patched")
