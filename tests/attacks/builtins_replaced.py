"""Python's own functions, replaced.

Strategy: `__import__`, `open`, `isinstance`, `float`, `json.dumps` and `safetensors` say what
suits.
Surface: the course's code in the student's process.
"""

from tests.attacks.arena import Attack

REPLACE = """
import builtins, json, math, safetensors.torch
math.isfinite = lambda value: True
safetensors.torch.save = lambda *a, **k: b"forged"
json.dumps = lambda *a, **k: '{"score": 1.0}'
builtins.float = lambda value=0.0: 0.0
builtins.isinstance = lambda value, kinds: True
builtins.issubclass = lambda value, kinds: True
"""

ATTACK = Attack(after=(REPLACE,), share=0.6)
