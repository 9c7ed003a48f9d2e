"""Evidence nested so deeply that a reader which recurses falls over.

Strategy: a header of JSON with 100000 brackets; another with a tensor of 10**18 elements.
Surface: JSON and safetensors readers of the grader.
"""

from tests.attacks.arena import Attack

FORGE = """
import json, litcourse.frontends.kernel_entry, pathlib
def answer(lab, question, inbox, outbox, namespace):
    tree = "[" * 100_000 + "]" * 100_000
    header = {
        "__metadata__": {"tree": tree},
        "t0": {"dtype": "F32", "shape": [10**9, 10**9, 0], "data_offsets": [0, 0]},
    }
    text = json.dumps(header).encode()
    pathlib.Path(outbox).write_bytes(len(text).to_bytes(8, "little") + text)
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(cells=(FORGE,), answer="unsolved", finding="LIT903", share=0)
