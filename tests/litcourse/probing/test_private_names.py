"""Private names that are found, replaced, and gone."""

from __future__ import annotations

import contextlib

import pytest
import torch
from lightning.fabric.utilities import imports

from litcourse.probing.attempts import NotMeasuredError
from litcourse.probing.private_names import ChangedError, find_private, replaced_private

INTERACTIVE = "lightning.fabric.utilities.imports._IS_INTERACTIVE"
IN_A_CLASS = "torch.utils._python_dispatch.TorchDispatchMode.__torch_dispatch__"


class Error(ChangedError):
    """Of a tool of the tests."""

    cannot = "nothing can be measured"
    works_with = "torch 1.0"
    room = "tests"


def test_a_name_of_a_module_and_of_a_class() -> None:
    assert find_private(INTERACTIVE, Error) is imports._IS_INTERACTIVE
    assert callable(find_private(IN_A_CLASS, Error))


def test_what_was_replaced_comes_back_after_an_exception() -> None:
    before, stand_in = find_private(INTERACTIVE, Error), object()
    with contextlib.suppress(ValueError), replaced_private(INTERACTIVE, stand_in, Error):
        assert imports._IS_INTERACTIVE is stand_in
        raise ValueError
    assert imports._IS_INTERACTIVE is before


@pytest.mark.parametrize("path", ["torch.no_such_name", "no_such_package.name", "torch.nn.No.name"])
def test_the_message_names_what_is_gone(path: str) -> None:
    with pytest.raises(NotMeasuredError) as error:
        find_private(path, Error)
    assert str(error.value).startswith(f"{path} is not there any more: nothing can be measured")
    assert f"torch {torch.__version__}. Install torch 1.0, or tell" in str(error.value)
    with pytest.raises(Error), replaced_private(path, None, Error):
        pass
