"""Ranks meet where nobody else of the machine is."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from litcourse.core.evidence import Evidence
from litcourse.ranks import private_network, read_rank_values, run_ranks
from litcourse.ranks.rank_launcher import FRESH
from tests.litcourse.ranks.rank_jobs import join

ALLOWED = pytest.mark.skipif(
    not private_network.is_possible(),
    reason="needs a network namespace; to enable: run it as root",
)


@ALLOWED
@pytest.mark.parametrize("fresh", ["0", "1"])
def test_no_other_user_of_the_machine_can_reach_them(
    monkeypatch: pytest.MonkeyPatch, fresh: str
) -> None:
    """The port of their store was open to all, and whoever connected could spoil the job."""
    monkeypatch.setenv(FRESH, fresh)
    with socket.create_server(("127.0.0.1", 0)) as of_the_machine:
        port = of_the_machine.getsockname()[1]

        def work(_: int) -> dict[str, Any]:
            join()
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except ConnectionRefusedError:
                return {"met": "its own loopback"}
            return {"met": "the machine's"}

        ranks = read_rank_values(Evidence(run_ranks(work)))
    assert [rank["met"].text() for rank in ranks] == ["its own loopback"] * 2


@ALLOWED
def test_the_caller_keeps_its_network_and_ranks_have_no_rights() -> None:
    before = os.readlink("/proc/self/ns/net")  # noqa: PTH115 (no path)

    def work(_: int) -> dict[str, Any]:
        return {"user": os.geteuid()}

    ranks = read_rank_values(Evidence(run_ranks(work)))
    assert {rank["user"].integer() for rank in ranks} == {os.geteuid()}
    assert os.readlink("/proc/self/ns/net") == before  # noqa: PTH115 (as above)


def refuse() -> None:
    raise OSError(errno.EINVAL, "Invalid argument")  # of a process with threads


@pytest.mark.parametrize("found", [False, True])
def test_where_linux_refuses_they_meet_all_the_same(
    monkeypatch: pytest.MonkeyPatch, *, found: bool
) -> None:
    monkeypatch.setattr(private_network, "is_possible", lambda: found)
    monkeypatch.setattr(private_network, "leave_network", refuse)

    def work(_: int) -> dict[str, Any]:
        join()
        return {"met": 1}

    assert len(read_rank_values(Evidence(run_ranks(work)))) == 2
