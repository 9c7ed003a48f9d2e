"""One course and one warm process for all attacks."""

import logging
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.engine import client
from tests.attacks.arena import Arena


@pytest.fixture(scope="module")
def arena(root: Path) -> Iterator[Arena]:
    """A course with canaries, and temporary folders where nobody else makes any.

    Their path is short, because kernels put Unix sockets there.
    """
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    before = tempfile.tempdir
    with pytest.MonkeyPatch.context() as patch, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{folder / 'course'}")  # two runs of the tests may meet
        listener.listen()
        for name in ("course", "tmp"):
            (folder / name).mkdir()
        client.stop()  # another test's, in another folder
        tempfile.tempdir = str(folder / "tmp")
        logging.getLogger("traitlets").setLevel(logging.CRITICAL)
        try:
            yield Arena(Course(root), folder / "course", patch)
        finally:
            client.stop()
            tempfile.tempdir = before
            shutil.rmtree(folder, ignore_errors=True)
