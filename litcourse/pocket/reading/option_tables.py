"""The options of sbatch and srun, in the order in which Slurm 22.05 has them."""

from __future__ import annotations

from litcourse.pocket.reading.getopt import Table

_LETTERS = {
    "A": "account", "b": "begin", "B": "extra-node-info", "c": "cpus-per-task",
    "C": "constraint", "d": "dependency", "D": "chdir", "e": "error", "F": "nodefile",
    "G": "gpus", "h": "help", "H": "hold", "i": "input", "J": "job-name", "k": "no-kill",
    "L": "licenses", "m": "distribution", "M": "clusters", "n": "ntasks", "N": "nodes",
    "o": "output", "O": "overcommit", "p": "partition", "q": "qos", "Q": "quiet",
    "s": "oversubscribe", "S": "core-spec", "t": "time", "v": "verbose", "V": "version",
    "w": "nodelist", "x": "exclude",
}  # fmt: skip

SBATCH = Table(
    "sbatch",
    "account= acctg-freq= array= batch= begin= bb= bbf= cluster-constraint= chdir= cluster= "
    "clusters= comment= container= context= contiguous constraint= core-spec= cores-per-socket= "
    "cpu-freq= cpus-per-gpu= cpus-per-task= deadline= delay-boot= dependency= distribution= "
    "error= exclude= exclusive? export= export-file= extra-node-info= get-user-env? gid= "
    "gpu-bind= gpu-freq= gpus= gpus-per-node= gpus-per-socket= gpus-per-task= gres= gres-flags= "
    "help hint= hold ignore-pbs input= job-name= kill-on-invalid-dep= licenses= mail-type= "
    "mail-user= mcs-label= mem= mem-bind= mem-per-cpu= mem-per-gpu= mincpus= network= nice? "
    "no-kill? no-requeue nodefile= nodelist= nodes= ntasks= ntasks-per-core= ntasks-per-gpu= "
    "ntasks-per-node= ntasks-per-socket= ntasks-per-tres= open-mode= output= overcommit "
    "oversubscribe parsable partition= power= prefer= priority= profile= propagate? qos= quiet "
    "reboot requeue reservation= signal= sockets-per-node= spread-job switches= tasks-per-node= "
    "test-only thread-spec= threads-per-core= time= time-min= tmp= uid= use-min-nodes usage "
    "verbose version wait wait-all-nodes= wckey= wrap=",
    {**_LETTERS, "a": "array", "W": "wait"},
)

SRUN = Table(
    "srun",
    "accel-bind= account= acctg-freq= bcast? bcast-exclude= begin= bb= bbf= cluster-constraint= "
    "chdir= cluster= clusters= comment= compress? container= context= contiguous constraint= "
    "core-spec= cores-per-socket= cpu-bind= cpu_bind= cpu-freq= cpus-per-gpu= cpus-per-task= "
    "deadline= debugger-test delay-boot= dependency= disable-status distribution= epilog= error= "
    "exact exclude= exclusive? export= extra-node-info= gid= gpu-bind= gpu-freq= gpus= "
    "gpus-per-node= gpus-per-socket= gpus-per-task= gres= gres-flags= help het-group= hint= hold "
    "immediate? input= interactive jobid= job-name= kill-on-bad-exit? label licenses= mail-type= "
    "mail-user= mcs-label= mem= mem-bind= mem-per-cpu= mem-per-gpu= mincpus= mpi= msg-timeout= "
    "multi-prog network= nice? no-allocate no-kill? nodefile= nodelist= nodes= ntasks= "
    "ntasks-per-core= ntasks-per-gpu= ntasks-per-node= ntasks-per-socket= ntasks-per-tres= "
    "open-mode= output= overcommit overlap? oversubscribe pack-group= partition= power= prefer= "
    "preserve-env priority= profile= prolog= propagate? pty qos= quiet quit-on-interrupt reboot "
    "relative= reservation= resv-ports? send-libs? signal= slurmd-debug= sockets-per-node= "
    "spread-job switches= threads= task-epilog= task-prolog= tasks-per-node= test-only "
    "thread-spec= threads-per-core= time= time-min= tmp= uid= unbuffered use-min-nodes usage "
    "verbose version wait= wckey= whole x11?",
    {
        **_LETTERS, "E": "preserve-env", "I": "immediate", "K": "kill-on-bad-exit", "l": "label",
        "r": "relative", "T": "threads", "u": "unbuffered", "W": "wait",
        "X": "disable-status", "Z": "no-allocate",
    },
)  # fmt: skip

SBATCH_VARIABLES = {
    "SBATCH_ACCOUNT": "account", "SBATCH_ARRAY_INX": "array", "SBATCH_CLUSTERS": "clusters",
    "SBATCH_CONSTRAINT": "constraint", "SBATCH_CORE_SPEC": "core-spec",
    "SBATCH_CPUS_PER_GPU": "cpus-per-gpu", "SBATCH_DISTRIBUTION": "distribution",
    "SBATCH_EXCLUSIVE": "exclusive", "SBATCH_EXPORT": "export",
    "SBATCH_GPU_BIND": "gpu-bind", "SBATCH_GPUS": "gpus", "SBATCH_GPUS_PER_NODE": "gpus-per-node",
    "SBATCH_GPUS_PER_TASK": "gpus-per-task", "SBATCH_GRES": "gres", "SBATCH_HINT": "hint",
    "SBATCH_JOB_NAME": "job-name", "SBATCH_MEM_PER_CPU": "mem-per-cpu",
    "SBATCH_MEM_PER_GPU": "mem-per-gpu", "SBATCH_MEM_PER_NODE": "mem",
    "SBATCH_NO_REQUEUE": "no-requeue", "SBATCH_OPEN_MODE": "open-mode",
    "SBATCH_OVERCOMMIT": "overcommit", "SBATCH_PARTITION": "partition", "SBATCH_QOS": "qos",
    "SBATCH_REQUEUE": "requeue", "SBATCH_RESERVATION": "reservation", "SBATCH_SIGNAL": "signal",
    "SBATCH_THREADS_PER_CORE": "threads-per-core", "SBATCH_TIMELIMIT": "time",
    "SBATCH_WAIT": "wait", "SBATCH_WAIT_ALL_NODES": "wait-all-nodes", "SBATCH_WCKEY": "wckey",
}  # fmt: skip
"""Variables of the submitting shell that are options."""

SAME = {"tasks-per-node": "ntasks-per-node", "cluster": "clusters", "cpu_bind": "cpu-bind"}
"""Other names of an option."""

BEYOND = frozenset({
    "bb", "bbf", "batch", "clusters", "cluster-constraint", "container", "core-spec",
    "cpu-freq", "extra-node-info", "gid", "gpu-freq", "gpus-per-socket", "nodefile",
    "ntasks-per-tres", "overcommit", "profile", "propagate", "sockets-per-node", "cores-per-socket",
    "spread-job", "thread-spec", "time-min", "uid", "deadline", "export-file", "mincpus",
    "power",
})  # fmt: skip
"""Options of sbatch that would change what a job gets, in ways that the pocket does not emulate."""
