"""Finds the lines of a module's own code that a card should name, and what `training_step` gave.

Lightning raises some exceptions outside of the student's code, whose lines the traceback lacks.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any

_BY_HAND = ("zero_grad", "backward", "manual_backward", "step")
"""Calls in a module that automatic optimization makes itself."""
_RETURNED = "training_step_output"
"""Lightning's name, in the frame that refuses it, for what `training_step` returned."""
_LONGEST = 60


def describe_refused(trace: TracebackType | None) -> tuple[str, str]:
    """What `training_step` returned, if Lightning refused it, and the line; else ("", "")."""
    trainer, returned = None, ""
    while trace is not None:
        names = trace.tb_frame.f_locals
        trainer = names.get("trainer") or trainer
        if _RETURNED in names and trace.tb_next is None:
            returned = _tell(names[_RETURNED])
        trace = trace.tb_next
    if not returned:
        return "", ""
    module = getattr(trainer, "lightning_module", None)
    step = getattr(type(module), "training_step", None)
    return returned, "; ".join(_lines(step, lambda node: isinstance(node, ast.Return)))


def steps_by_hand(cls: object) -> str:
    """Lines of a class's `training_step` that call zero_grad, backward or step, or "".

    Not those of a module that says `automatic_optimization = False`, which a judge knows.
    """
    return "; ".join(_lines(getattr(cls, "training_step", None), _is_by_hand))


def steps_by_hand_in(trace: TracebackType | None) -> str:
    """`steps_by_hand` of the module that was trained where an exception came from, or ""."""
    trainer = None
    while trace is not None:
        trainer = trace.tb_frame.f_locals.get("trainer") or trainer
        trace = trace.tb_next
    module = getattr(trainer, "lightning_module", None)
    return "" if module is None else steps_by_hand(type(module))


def lines_that_set(cls: object, name: str) -> str:
    """Lines of a class's own methods that assign to an attribute `name`, or ""."""
    methods = vars(cls).values() if isinstance(cls, type) else ()

    def sets(node: ast.AST) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else []
        return any(isinstance(each, ast.Attribute) and each.attr == name for each in targets)

    return "; ".join(line for method in methods for line in _lines(method, sets))


def lines_that_name_a_device(cls: object, names: Collection[str]) -> str:
    """Lines of a class's own methods that call one of `names` with a text first, or ""."""
    methods = vars(cls).values() if isinstance(cls, type) else ()

    def is_named(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "device_type")]
        texts = (part.value for part in given if isinstance(part, ast.Constant))
        return called in names and any(isinstance(text, str) for text in texts)

    return "; ".join(line for method in methods for line in _lines(method, is_named))


def _is_by_hand(node: ast.AST) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in _BY_HAND


def _lines(function: Any, wanted: Callable[[ast.AST], bool]) -> list[str]:
    """The lines of a function of the notebook that hold a `wanted` node, each with its number."""
    function = inspect.unwrap(function) if callable(function) else function
    if getattr(function, "__module__", None) != "__main__":
        return []
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):
        return []
    numbers = sorted({node.lineno for node in ast.walk(tree) if wanted(node)})  # type: ignore[attr-defined]
    return [f"line {first + n - 1}: {lines[n - 1].strip()}" for n in numbers]


def _tell(value: object) -> str:
    """A value's type, and the value if it is a number or a short text."""
    kind = type(value).__name__
    if isinstance(value, (int, float, str)):
        return f"{kind} {value!r}"[:_LONGEST]
    if isinstance(value, (tuple, list)):
        inner = ", ".join(type(each).__name__ for each in value[:4])
        return f"{kind} ({inner})"
    return kind
