"""Changes of any Python code, after the operators of mutmut and cosmic-ray.

Each function gives every change of one kind. `OPERATORS` names them, with an example that a test
applies: before, and one of the results.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from autograder.mutating.answer_text import AnswerText, Change, Function, Operator

SIZES = (8, 64)
"""Sizes at which code is cut off; a judge that tries less does not see it."""
_TURNED: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">"), ast.LtE: ("<", ">="), ast.Gt: (">=", "<"), ast.GtE: (">", "<="),
    ast.Eq: ("!=",), ast.NotEq: ("==",), ast.In: ("not in",), ast.NotIn: ("in",),
    ast.Is: ("is not",), ast.IsNot: ("is",),
}  # fmt: skip
_OTHER: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "/", ast.Mod: "//",
    ast.Pow: "*",
}  # fmt: skip
_RELATED = [
    ("mean", "sum"), ("argmax", "argmin"), ("min", "max"), ("any", "all"), ("round", "int"),
    ("perf_counter", "time"), ("append", "insert"),
]  # fmt: skip


def numbers(answer: AnswerText) -> Iterator[Change]:
    """A constant one higher, doubled, halved, negated, tenfold."""
    for node in answer.nodes:
        if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
            value = node.value
            assert isinstance(value, int | float)  # noqa: S101 (as above)
            whole = isinstance(value, int)
            others = [value + 1, value * 2, -value] if whole else [value * 2, value / 10, -value]
            for other in {repr(other): None for other in others if other != value}:
                yield answer.replace(node, other)


def truths(answer: AnswerText) -> Iterator[Change]:
    """True for False, and the other way round."""
    for node in answer.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield answer.replace(node, str(not node.value))


def texts(answer: AnswerText) -> Iterator[Change]:
    """Another string: a letter more, or the next one of this code."""
    found = [
        node for node in answer.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        and node not in answer.docstrings
        and not isinstance(answer.parents[node], ast.JoinedStr)
    ]  # fmt: skip
    values = list(dict.fromkeys(str(node.value) for node in found))
    for node in found:
        yield answer.replace(node, repr(str(node.value) + "x"))
        if len(values) > 1:
            yield answer.replace(node, repr(_following(values, str(node.value))))


def _following(values: list[str], value: str) -> str:
    """The value that comes after another one; the first after the last."""
    return values[(values.index(value) + 1) % len(values)]


def dropped_statements(answer: AnswerText) -> Iterator[Change]:
    """A statement, method or class less."""
    for node in answer.nodes:
        if isinstance(node, ast.stmt) and node not in answer.docstrings | {answer.tree}:
            imports = isinstance(node, ast.Import | ast.ImportFrom | ast.Pass)
            if not imports and answer.parents.get(node):
                yield answer.drop_statement(node)


def emptied_functions(answer: AnswerText) -> Iterator[Change]:
    """A function that does nothing."""
    for function in answer.functions():
        body = answer.body(function)
        if len(body) > 1:
            start, end = answer.span(body[0])[0], answer.span(body[-1])[1]
            yield Change(start, end, "pass")


def dropped_decorators(answer: AnswerText) -> Iterator[Change]:
    """A decorator less."""
    for node in answer.nodes:
        for decorator in getattr(node, "decorator_list", []):
            start, end = answer.span(decorator)
            yield Change(start - 1, end, "")


def dropped_keywords(answer: AnswerText) -> Iterator[Change]:
    """A keyword argument less in a call."""
    for _, call in answer.calls():
        items = sorted([*call.args, *call.keywords], key=answer.span)
        for index, item in enumerate(items):
            if isinstance(item, ast.keyword):
                yield answer.drop_item(list(items), index)


def dropped_items(answer: AnswerText) -> Iterator[Change]:
    """An item of a list, tuple or set less, or a pair of a dictionary."""
    for node in answer.nodes:
        if isinstance(node, ast.List | ast.Set) and isinstance(
            getattr(node, "ctx", ast.Load()), ast.Load
        ):
            for index in range(len(node.elts)):
                yield answer.drop_item(list(node.elts), index)
        elif isinstance(node, ast.Dict):
            for index, key in enumerate(node.keys):
                start = answer.span(key)[0] if key else answer.span(node.values[index])[0] - 2
                end = answer.span(node.values[index])[1]
                rest = answer.text[end:]
                comma = len(rest) - len(rest.lstrip()) + 1 if rest.lstrip()[:1] == "," else 0
                yield Change(start, end + comma, "")


def comparisons(answer: AnswerText) -> Iterator[Change]:
    """A comparison that is turned, or that counts equality otherwise."""
    for node in answer.nodes:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            start, end = answer.span(node.left)[1], answer.span(node.comparators[0])[0]
            for other in _TURNED[type(node.ops[0])]:
                yield Change(start, end, f" {other} ")


def arithmetic(answer: AnswerText) -> Iterator[Change]:
    """Minus for plus, division for multiplication, and the other way round."""
    for node in answer.nodes:
        if isinstance(node, ast.BinOp) and type(node.op) in _OTHER:
            start, end = answer.span(node.left)[1], answer.span(node.right)[0]
            between = answer.text[start:end]
            old = ast.unparse(ast.BinOp(ast.Name("a"), node.op, ast.Name("b"))).split()[1]
            yield Change(start, end, between.replace(old, _OTHER[type(node.op)], 1))
        elif isinstance(node, ast.AugAssign) and type(node.op) in _OTHER:
            yield Change(answer.span(node.target)[1], answer.span(node.value)[0], " = ")


def logic(answer: AnswerText) -> Iterator[Change]:
    """`or` for `and`, no `not`, a condition that always or never holds."""
    for node in answer.nodes:
        if isinstance(node, ast.BoolOp):
            other = " or " if isinstance(node.op, ast.And) else " and "
            for left, right in pairwise(node.values):
                yield Change(answer.span(left)[1], answer.span(right)[0], other)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield answer.replace(node, answer.source(node.operand))
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield answer.replace(node.test, "True")
            yield answer.replace(node.test, "False")


def swapped_names(answer: AnswerText) -> Iterator[Change]:
    """Another parameter or variable of the same function, or another attribute of `self`."""
    for function in answer.functions():
        names = [a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)]
        inner = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        names += [node.id for node in inner if isinstance(node.ctx, ast.Store)]
        names = [name for name in dict.fromkeys(names) if name != "self"]
        loads = [n for n in inner if isinstance(n.ctx, ast.Load) and n.id in names]
        for node in loads if len(names) > 1 else ():
            yield answer.replace(node, _following(names, node.id))
    attributes = [n for n in answer.nodes if isinstance(n, ast.Attribute) and _of_self(n)]
    known = list(dict.fromkeys(n.attr for n in attributes if isinstance(n.ctx, ast.Store)))
    for attribute in attributes:
        if isinstance(attribute.ctx, ast.Load) and attribute.attr in known and len(known) > 1:
            yield answer.replace(attribute, f"self.{_following(known, attribute.attr)}")


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def unwrapped(answer: AnswerText) -> Iterator[Change]:
    """What a call works on, in place of the call: `x` for `x.eval()` and for `int(x)`."""
    modules = {"torch", "F", "nn", "L", "transforms", "optim", "time", "json", "os", "re"}
    for _, call in answer.calls():
        called = call.func
        if isinstance(called, ast.Attribute) and not (
            isinstance(called.value, ast.Name) and called.value.id in modules | {"self", "super"}
        ):
            yield answer.replace(call, answer.source(called.value))
        if len(call.args) == 1 and not call.keywords:
            yield answer.replace(call, answer.source(call.args[0]))


def related_functions(answer: AnswerText) -> Iterator[Change]:
    """A sum for a mean, the least for the greatest, and so on."""
    pairs = {**dict(_RELATED), **{b: a for a, b in _RELATED}}
    for name, call in answer.calls():
        if name in pairs:
            end = answer.span(call.func)[1]
            yield Change(end - len(name), end, pairs[name])


def cut_sizes(answer: AnswerText) -> Iterator[Change]:
    """Lengths, loops and whole numbers that end at a size."""
    for name, call in answer.calls():
        if name in {"len", "range"} and len(call.args) == 1:
            for size in SIZES:
                inner = answer.source(call.args[0])
                new = (
                    f"min({answer.source(call)}, {size})"
                    if name == "len"
                    else f"range(min({inner}, {size}))"
                )
                yield answer.replace(call, new)
    for node in answer.nodes:
        if isinstance(node, ast.For | ast.comprehension):
            for size in SIZES:
                yield answer.replace(node.iter, f"list({answer.source(node.iter)})[:{size}]")


def cut_parameters(answer: AnswerText) -> Iterator[Change]:
    """Whole numbers handed in that are taken for no more than a size."""
    for function, argument in _parameters(answer, "int"):
        for size in SIZES:
            line = f"{argument.arg} = min({argument.arg}, {size})"
            yield answer.insert_before(answer.body(function)[0], line)


def rounding(answer: AnswerText) -> Iterator[Change]:
    """Numbers that are rounded, and whole numbers made of fractions."""
    for function, argument in _parameters(answer, "float"):
        line = f"{argument.arg} = round({argument.arg}, 3)"
        yield answer.insert_before(answer.body(function)[0], line)
    for node in answer.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Mult):
            yield answer.replace(node, f"round({answer.source(node)})")


def _parameters(answer: AnswerText, kind: str) -> Iterator[tuple[Function, ast.arg]]:
    """Parameters with an annotation, of functions that have a body."""
    for function in answer.functions():
        for argument in (n for n in ast.walk(function.args) if isinstance(n, ast.arg)):
            annotation = argument.annotation
            if annotation and answer.body(function) and answer.source(annotation) == kind:
                yield function, argument


def remembered(answer: AnswerText) -> Iterator[Change]:
    """A result, or an assigned value, that is the one of the first call for ever."""
    for node in answer.nodes:
        if isinstance(node, ast.Return | ast.Assign) and isinstance(node.value, ast.expr):
            inside: ast.AST = node
            while inside in answer.parents and not isinstance(inside, Function):
                inside = answer.parents[inside]
            if isinstance(inside, Function) and not isinstance(node.value, ast.Constant):
                kept = f'globals().setdefault("_kept_{inside.name}", {answer.source(node.value)})'
                yield answer.replace(node.value, kept)


def last_statement_twice(answer: AnswerText) -> Iterator[Change]:
    """A call that stands alone, done twice."""
    for node in answer.nodes:
        if isinstance(node, ast.Expr | ast.AugAssign) and node not in answer.docstrings:
            yield answer.insert_after(node, answer.source(node))


OPERATORS: dict[str, tuple[Operator, str, str]] = {
    "number": (numbers, "f(2)", "f(3)"),
    "true and false": (truths, "f(a=True)", "f(a=False)"),
    "text": (texts, "f('a', 'b')", "f('b', 'b')"),
    "statement dropped": (dropped_statements, "def f():\n  a()\n  b()\n", "def f():\n  b()\n"),
    "function emptied": (emptied_functions, "def f():\n  a()\n  b()\n", "def f():\n  pass\n"),
    "decorator dropped": (dropped_decorators, "@a\ndef f(): g()\n", "\ndef f(): g()\n"),
    "keyword dropped": (dropped_keywords, "f(a, b=1, c=2)", "f(a, c=2)"),
    "item dropped": (dropped_items, "[a, b]", "[a]"),
    "comparison": (comparisons, "a < b", "a > b"),
    "arithmetic": (arithmetic, "a * b", "a / b"),
    "logic": (logic, "not a", "a"),
    "name swapped": (swapped_names, "def f(a, b): g(a)", "def f(a, b): g(b)"),
    "unwrapped": (unwrapped, "a.eval()", "a"),
    "related function": (related_functions, "a.mean()", "a.sum()"),
    "size cut": (cut_sizes, "len(a)", "min(len(a), 8)"),
    "rounded": (rounding, "a / b", "round(a / b)"),
    "parameter cut": (
        cut_parameters, "def f(n: int):\n  g(n)\n", "def f(n: int):\n  n = min(n, 8)\n  g(n)\n"
    ),
    "remembered": (
        remembered, "def f(): return a\n",
        'def f(): return globals().setdefault("_kept_f", a)\n',
    ),
    "twice": (last_statement_twice, "f()\ng()\n", "f()\nf()\ng()\n"),
}  # fmt: skip
