"""Evidence that says one large thing a great many times in few bytes.

Strategy: take honest evidence, and name one tensor of 40 MiB 50,000 times where gradients belong.
Surface: the judge, which looks at each: it was busy for minutes with a file of 45 MB.
"""

from tests.attacks.arena import Attack

FORGE = """
import json, litcourse.frontends.kernel_entry, pathlib
SIZE = 10 * 2**20
honest = litcourse.frontends.kernel_entry.write_evidence
def put(node):
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        put(child)
    if isinstance(node, dict) and "gradients" in node:
        node["gradients"] = {f"w{number}": {"$tensor": "big"} for number in range(50_000)}
def answer(lab, question, inbox, outbox, namespace):
    honest(lab, question, inbox, outbox, namespace)
    place = pathlib.Path(outbox)
    data = place.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header, tensors = json.loads(data[8:start]), data[start:]
    tree = json.loads(header["__metadata__"]["tree"])
    put(tree)
    header["__metadata__"]["tree"] = json.dumps(tree, separators=(",", ":"))
    end = len(tensors) + 4 * SIZE
    header["big"] = {"dtype": "F32", "shape": [SIZE], "data_offsets": [len(tensors), end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    place.write_bytes(len(text).to_bytes(8, "little") + text + tensors + bytes(4 * SIZE))
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(after=(FORGE,), answer="right", finding="LIT903", share=0)
