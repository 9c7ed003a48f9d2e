"""What stand-ins say is heard before the job's clock moves."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

from litcourse.pocket.running.reports import NAME, Reports


def test_one_that_has_just_connected_is_heard_at_once(tmp_path: Path) -> None:
    # Nobody waited on the socket yet: its connection and its first words come together.
    with closing(Reports(tmp_path)) as reports, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / NAME))
        body = b"\0".join([b"start", str(os.getpid()).encode(), b"0", b"1", b"/", b"srun"])
        client.sendall(len(body).to_bytes(4, "little") + body)
        assert [report.kind for report in reports.wait(0)] == ["start"]
        assert reports.wait(0) == []
