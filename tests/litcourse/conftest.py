"""The switch of the golden tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where a path below this folder is given on the command line."""
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew, then look at it"
    )
