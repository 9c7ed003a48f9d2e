"""Reads facts off the text of `train.py` that no run shows: whether LightningCLI is in it."""

from __future__ import annotations

import ast
from dataclasses import replace

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding
from litcourse.core.tree import Tree

_NO_CLI = {"LIT2501", "LIT2503", "LIT2505", "LIT941", "LIT942", "LIT943", "LIT2533"}
"""Codes of what a program does that reads no command line, or another one."""
_BARE = {"LIT940", "LIT2521", "LIT320"}
"""Codes of what comes of an argument that is None."""


def read_program(source: str) -> dict[str, Tree]:
    """Whether the text names LightningCLI, and arguments of `__init__` that become None.

    LightningCLI gives None to an argument without annotation and default, and says nothing.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return {"cli": True, "bare": []}
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}
    functions = [each for each in nodes if isinstance(each, ast.FunctionDef)]
    inits = [each for each in functions if each.name == "__init__"]
    return {"cli": "LightningCLI" in names, "bare": [name for f in inits for name in _bare(f)]}


def _bare(function: ast.FunctionDef) -> list[str]:
    """Names of arguments without annotation and without default, `self` left out."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    without = named[1 : len(named) - len(arguments.defaults)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    without += [argument for argument, default in pairs if default is None]
    return [argument.arg for argument in without if argument.annotation is None]


def name_cause(finding: Finding, program: Evidence) -> Finding:
    """The finding with a more exact code, if the program's text shows the cause."""
    bare = program["bare"].texts()
    if finding.code in _NO_CLI and not program["cli"].flag():
        return replace(finding, code="LIT2508")
    if finding.code in _BARE and bare:
        return replace(finding, code="LIT2507", where=f"{finding.where}; None: {', '.join(bare)}")
    return finding
