"""Replaces environment variables, and drops those that place a process in a job of Slurm or MPI."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

_JOB_PREFIXES = (
    "SLURM_", "PMI", "PL_", "TORCHELASTIC_", "OMPI_", "LSB_", "JSM_", "GLOO_", "LITCOURSE_DATA",
)  # fmt: skip
_RANK_VARIABLES = {
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
    "GROUP_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
}  # fmt: skip


@contextlib.contextmanager
def only_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Make `variables` the whole environment while the context lasts; restore it afterwards."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def drop_job_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without the variables of a job, an allocation or a rank."""
    return {
        key: value
        for key, value in environment.items()
        if key not in _RANK_VARIABLES and not key.startswith(_JOB_PREFIXES)
    }
