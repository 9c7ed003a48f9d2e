"""Environment variables, and those of them that place a process in a job: Slurm's, MPI's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

_FOREIGN = (
    "SLURM_", "PMI", "PL_", "TORCHELASTIC_", "OMPI_", "LSB_", "JSM_", "GLOO_", "LITCOURSE_DATA",
)  # fmt: skip
_PLACE = {
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
    "GROUP_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
}  # fmt: skip


@contextlib.contextmanager
def only_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Inside, `variables` are all that the environment holds; afterwards it is as before."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def drop_job_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what tells a process of a job, an allocation or a rank."""
    return {
        key: value
        for key, value in environment.items()
        if key not in _PLACE and not key.startswith(_FOREIGN)
    }
