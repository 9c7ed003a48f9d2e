"""Texts that no file can hold.

Strategy: send halves of surrogate pairs, which JSON can name and UTF-8 can't write, as an output,
as an exception's name and message, and in place of a measurement.
Surface: whoever writes the graded notebook, the record and the page of feedback.
"""

from tests.attacks.arena import Attack

HALVES = r"""
import json
get_ipython().kernel.session.pack = lambda message: json.dumps(message, default=str).encode()
print("shown \ud800")
class Half(Exception):
    pass
Half.__name__ = "Half\udfff"
raise Half("\udcff")
"""
CHECK = r"""
import litcourse.frontends.kernel_entry
def answer(*_):
    raise Half("\ud800 \udfff")
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(
    cells=(HALVES,), answer="right", after=(CHECK,), says="shown", share=0, finding="LIT905"
)
