"""Runs a student's code on several real ranks, on the CPU.

Read in this order:

1. `rank_runner`: `run_ranks`, which a probe calls.
2. `rank_outcomes`: `rank_findings`, which a judge calls.
3. `messages`: the types that launcher, supervisor and ranks share.
4. `rank_launcher`: starts the supervisor and reads the outcomes of the ranks.
5. `supervisor`: starts, watches and ends ranks; `spawned_supervisor` starts it as a new program.
6. `rank_process`: the process of a rank, before and after its work.
7. `stack_dumps`: reads stack dumps of a rank; `processes`: reads /proc and ends processes;
   `own_time`: the clock of a job; `private_network`: its loopback.
"""

from litcourse.ranks.rank_outcomes import is_cause, rank_findings, read_rank_values
from litcourse.ranks.rank_runner import all_done, change_nodes, part_of_run, run_ranks

__all__ = [
    "all_done",
    "change_nodes",
    "is_cause",
    "part_of_run",
    "rank_findings",
    "read_rank_values",
    "run_ranks",
]
