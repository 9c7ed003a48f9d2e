"""Evidence of another check, kept and handed in again.

Strategy: have the check run twice, and hand in what a right class measured on inputs of the
student's own choice.
Surface: evidence that does not depend on this submission's inputs.
"""

from tests.attacks.arena import Attack

REPLAY = """
import pathlib, random, litcourse.frontends.kernel_entry
from litcourse.core.serialization import encode, decode
from litcourse.core.registry import find_question
from litcourse.probing.probe_runner import take_evidence
honest = litcourse.frontends.kernel_entry.write_evidence
class Right(L.LightningModule):
    def __init__(self, model, lr=1e-3):
        super().__init__()
        self.model, self.lr = model, lr
    def forward(self, images):
        return self.model(images)
    def training_step(self, batch, batch_idx):
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)
question = find_question("lab1_mnist", "wrap")
other = question.draw(random.Random(0)).shown
kept = encode(take_evidence(question, other, {"LitClassifier": Right}))
def answer(lab, question, inbox, outbox, namespace):
    pathlib.Path(outbox).write_bytes(kept)
litcourse.frontends.kernel_entry.write_evidence = answer
print("kept", len(kept))
"""

ATTACK = Attack(cells=(REPLAY,), answer="unsolved", says=r"kept \d+", finding="LIT101", share=0)
