"""Maps exceptions that learners often meet to findings.

The messages are those of lightning 2.6 and torch 2.15. `tests/litcourse/core/test_known_errors.py`
raises each exception and so fails when a new release changes a message.
"""

from __future__ import annotations

import builtins
import re
from functools import cache

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding

RAISED = "LIT902"
UNSOLVED = "LIT900"
BY_HAND = "LIT023"
_SHOWN_LINES = 4
_BAD_FORK = "is_device_in_bad_fork("
"""torch's message when a forked process, such as a rank of a check, asks for a GPU."""
_BY_HAND = re.compile(r"(^|; )line \d+: [^;]*\.(step|zero_grad)\(")
"""Lines of `litcourse.probing.step_lines` that do more by hand than backward."""
_RETURNED = re.compile(r"training_step returned: (.*)")
"""First line that `litcourse.probing.attempts` gives a message of Lightning's."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

_NO_MODULE = r"`model` must be a `LightningModule` or `torch._dynamo.OptimizedModule`, got"
_OWN_NETWORKS = (
    "MLP",
    "SmallCNN",
    "BasicBlock",
    "ResNet",
    "Block",
    "Head",
    "TransformerClassifier",
)
_MODULES_OF_NETWORKS = r"__main__|litcourse|torchvision\.models|torch\.nn\.modules\.(?!loss)\w+"
"""Where classes of networks are defined; of all else that a pickle names, none is one."""
_ARGUMENTS = (
    "lr", "max_lr", "weight_decay", "data_dir", "batch_size", "val_size", "seed", "num_workers",
)  # fmt: skip
"""Arguments of `__init__` in the labs' classes, which a method may ask self for."""


@cache
def network_names() -> str:
    """Classes of networks that are surely no LightningModule, those of the course and of torch."""
    from torch import nn

    return "|".join([*_OWN_NETWORKS, *_class_names(nn)])


@cache
def _others_names() -> str:
    """Classes without an attribute `lr` that are no module of a learner."""
    from torch import optim
    from torch.optim import lr_scheduler

    listed = (builtins, optim, lr_scheduler)
    return "|".join(["Trainer", *(name for each in listed for name in _class_names(each))])


def _class_names(module: object) -> list[str]:
    return [name for name, kind in vars(module).items() if isinstance(kind, type)]


PATTERNS: tuple[tuple[str, str], ...] = (
    ("LIT945", r"^TrainedTooEarlyError"),
    ("LIT921", r"(?<!OutOf)MemoryError|[Cc]an('t|not) allocate memory|not enough memory"),
    ("LIT922", r"Resource temporarily unavailable|can't start new thread"),
    ("LIT923", r"Too many open files"),
    ("LIT924", r"\[Errno 27\]"),
    ("LIT925", r"No space left on device"),
    ("LIT927", r"Network is unreachable|[Nn]ame resolution|Name or service not known"),
    ("LIT009", r"Support for `\w+_epoch_end` has been removed"),
    ("LIT001", r"`training_step` must return a Tensor, a dict"),
    ("LIT003", r"returns a dict, the 'loss' key needs to be present"),
    ("LIT002", r"does not require grad and does not have a grad_fn"),
    ("LIT004", r"backward through the graph a second time"),
    ("LIT005", r"to use manual_backward, please disable automatic"),
    ("LIT006", r"before Module\.__init__\(\) call"),
    ("LIT013", r"`CUDAAccelerator` can not run|[Nn]o supported gpu backend"),
    ("LIT007", r"not compiled with CUDA|no NVIDIA driver|No CUDA GPUs|CUDA in forked|bad_fork\("),
    ("LIT007", r"^NamedDeviceError|^DeviceMismatchError.* brought to the CPU by"),
    ("LIT008", r"^\w+: `self\.log\(.*` was called, but"),
    ("LIT206", r"`self\.log\(on_step=False, on_epoch=False\)`"),
    ("LIT010", r"could not find the monitored key in the returned metrics"),
    ("LIT011", r"Early stopping conditioned on metric"),
    ("LIT012", r"setup\(\) (takes 1 positional|got an unexpected keyword argument 'stage')"),
    ("LIT2112", r"Expected positive integer (total_steps|steps_per_epoch)"),
    ("LIT130", r"No `configure_optimizers\(\)` method defined"),
    ("LIT022", r"softmax\w*\" not implemented for '(Long|Int|Byte)'"),
    ("LIT020", r"has been modified by an inplace operation"),
    ("LIT015", r"could not infer output dtype|mean\(\).*Got: Bool"),
    ("LIT016", r"no attribute '(prepare_data_per_node|allow_zero_length_dataloader\w*)'"),
    ("LIT018", r"'AttributeDict' object has no attribute"),
    ("LIT017", r"'(?!(OTHERS)')\w+' object has no attribute '(KEPT)'|name '(KEPT)' is not defined"),
    ("LIT019", r"^RuntimeError: .*([Ii]nference tensor|view was created in inference mode)"),
    ("LIT2107", r"is not attached to a `Trainer`"),
    ("LIT403", r"a loader was asked for before setup"),
    ("LIT507", rf"Weights only load failed.* GLOBAL ({_MODULES_OF_NETWORKS})\."),
    ("LIT021", rf"{_NO_MODULE} `(NETWORKS|\w*Data(Module)?)`"),
    ("LIT014", _NO_MODULE),
)  # fmt: skip


LIMITS = ("LIT921", "LIT922", "LIT923", "LIT924", "LIT925", "LIT927")
"""Codes of exceptions that a limit of the grading sandbox causes."""


@cache
def _compiled_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """`PATTERNS` with the names that torch tells; importing it takes seconds."""
    names = {"NETWORKS": network_names(), "OTHERS": _others_names(), "KEPT": "|".join(_ARGUMENTS)}

    def fill(pattern: str) -> re.Pattern[str]:
        for word, known in names.items():
            pattern = pattern.replace(word, known)
        return re.compile(pattern, re.DOTALL)

    return tuple((code, fill(pattern)) for code, pattern in PATTERNS)


def error_code(kind: str, message: str) -> str:
    """The code of the finding for an exception of type name `kind` with `message`."""
    for code, pattern in _compiled_patterns():
        if pattern.search(f"{kind}: {message}"):
            return code
    # nbgrader's stub raises NotImplementedError without a message; torch's have one.
    return UNSOLVED if kind == "NotImplementedError" and not message else RAISED


def waiting_finding(error: Evidence, criteria: tuple[str, ...], question: str) -> Finding:
    """The finding that an earlier `question` must be solved first, since its answer raised."""
    raised = error_finding(error, criteria)
    expected = f"a solved question {question}"
    return Finding("LIT904", criteria, raised.called, expected, raised.got, raised.where)


def error_finding(error: Evidence, criteria: tuple[str, ...]) -> Finding:
    """The finding for an exception that `litcourse.probing.attempts.describe` recorded."""
    kind, message = error["type"].text(), error["message"].text()
    code = error_code(kind, message)
    where, expected = error["line"].text(), "no exception"
    if code in {"LIT004", "LIT020"} and _BY_HAND.search(where):
        code = BY_HAND
    returned = _RETURNED.match(message)
    if returned and code in {"LIT001", "LIT003"}:
        expected = "a tensor, or a dict that holds one under 'loss'"
        return Finding(code, criteria, "training_step", expected, returned[1], where)
    lines = [line.strip() for line in _COLOUR.sub("", message).strip().splitlines()]
    shown = " ".join(line for line in lines[:_SHOWN_LINES] if line)
    if _BAD_FORK in shown:  # torch's assertion asks to report a bug of torch; this is none
        shown = "a GPU was asked for, and this process has none"
    return Finding(
        code,
        criteria,
        called=error["called"].text(),
        expected="a solved cell" if code == UNSOLVED else expected,
        got=kind if code == UNSOLVED else f"{kind}: {shown}",
        where=where,
    )
