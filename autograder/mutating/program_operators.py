"""Changes of a program as a file: what its import does, how it ends, what it was started with."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.mutating.answer_text import AnswerText, Change, Operator

_AT_IMPORT = (
    "open('seen.txt', 'w').close()", "print('hello')", "L.seed_everything(0)",
    "torch.multiprocessing.set_start_method('spawn', force=True)", "torch.set_num_threads(1)",
    "mnist(train=True)", "cifar10(train=True)", "L.Trainer(logger=False)",
    "torch.set_default_dtype(torch.float64)", "parsed = __import__('sys').argv[1]",
)  # fmt: skip
_AT_END = (
    "__import__('threading').Thread(target=__import__('time').sleep, args=(300,)).start()",
    "raise SystemExit(1)", "__import__('os')._exit(0)",
)  # fmt: skip


def at_import(answer: AnswerText) -> Iterator[Change]:
    """Something done where the file is read."""
    last = [node for node in answer.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for line in _AT_IMPORT if last else ():
        yield answer.insert_after(last[-1], line)


def guards(answer: AnswerText) -> Iterator[Change]:
    """No guard around what runs, or another name in it; something behind it."""
    for node in answer.tree.body:
        if isinstance(node, ast.If) and "__name__" in answer.source(node.test):
            yield answer.replace(node, answer.source(node.body[0]))
            for line in _AT_END:
                end = answer.span(node)[1]
                indent = " " * node.body[0].col_offset
                yield Change(end, end, f"\n{indent}{line}")


OPERATORS: dict[str, tuple[Operator, str, str]] = {
    "at import": (at_import, "import a\n", "import a\nprint('hello')\n"),
    "main guard": (guards, 'if __name__ == "__main__":\n    f()\n', "f()\n"),
}
