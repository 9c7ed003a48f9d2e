"""Importing the grader's own package: answers, judges' thresholds, secrets.

Strategy: import it as installed, by the checkout's path, by spec from file, by every finder, and
through the metadata of installed distributions.
Surface: Python's import system.
"""

from tests.attacks.arena import Attack

IMPORT = """
import importlib, importlib.metadata, importlib.util, os, pkgutil, sys
def load(path):
    spec = importlib.util.spec_from_file_location("stolen", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.__file__
for name in ("autograder.bank", "autograder.bank.lab1_mnist.wrap", "autograder.secret",
             "autograder.engine.client", "autograder.course"):
    try_to(name, lambda: importlib.import_module(name).__file__)
for place in (TARGETS["checkout"], TARGETS["root"], os.path.dirname(TARGETS["package"])):
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try_to("on the path", lambda: importlib.import_module("autograder.bank").__file__)
try_to("by file", lambda: load(TARGETS["package"] + "/bank/lab1_mnist/wrap.py"))
try_to("resources", lambda: importlib.resources.files("autograder.bank").joinpath("x"))
files = importlib.metadata.files("autograder") or []
try_to("a listed file", lambda: [f for f in files if f.suffix == ".py" and f.locate().exists()][0])
try_to("in memory", lambda: [m for m in sys.modules if m.startswith("autograder.bank")][0])
"""

ATTACK = Attack(cells=(IMPORT,), held=12)
