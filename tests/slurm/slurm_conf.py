"""The slurm.conf and gres.conf that both clusters of the tests have in common."""

from __future__ import annotations

import os
from pathlib import Path

GPUS = 8
CORES = 64

_CONFIG = """\
ClusterName=course
SlurmctldHost={host}({address})
SlurmctldPort={port}
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
MpiDefault=none
PropagateResourceLimits=NONE
SelectType=select/cons_tres
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
PriorityType=priority/basic
EnforcePartLimits=ALL
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=3
MinJobAge=86400
GresTypes=gpu
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr={address} Port=[{first}-{last}] \
CPUs={cores} Boards=1 SocketsPerBoard=1 CoresPerSocket={cores} ThreadsPerCore=1 \
RealMemory=512000 Gres=gpu:{kind}{gpus} State=UNKNOWN
"""
_GRES = """\
NodeName=n[1-{nodes}] Name=gpu {type}File={folder}/gpu[0-{last_gpu}] Flags=nvidia_gpu_env
"""
FOLDERS = ("state", "log", "run")
"""What has to be there in the cluster's folder, besides the files gpu0, gpu1, ..."""


def host_name() -> str:
    """This machine, as slurm.conf names it."""
    return os.uname().nodename.split(".")[0]


def write_configuration(
    folder: Path, own: str, *, address: str, port: int, nodes: int, user: str, gpu_type: str = ""
) -> None:
    """Write slurm.conf and gres.conf.

    Args:
        folder: the cluster's.
        own: the lines that this cluster has besides, its partitions among them.
        address: IP address of all daemons.
        port: that of slurmctld; the nodes n1, n2, ... have those that follow.
        nodes: how many there are.
        user: whose daemons they are.
        gpu_type: of all GPUs; none by default.
    """
    values = {
        "folder": folder, "host": host_name(), "address": address, "port": port, "user": user,
        "nodes": nodes, "first": port + 1, "last": port + nodes, "cores": CORES, "gpus": GPUS,
        "last_gpu": GPUS - 1, "kind": gpu_type and f"{gpu_type}:",
        "type": gpu_type and f"Type={gpu_type} ",
    }  # fmt: skip
    (folder / "slurm.conf").write_text(_CONFIG.format(**values) + own)
    (folder / "gres.conf").write_text(_GRES.format(**values))
