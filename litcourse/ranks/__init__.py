"""Running a piece of a student's code on several ranks, for real, on the CPU.

Read in this order:

1. `rank_runner`: `run_ranks`, which whoever writes a probe calls.
2. `rank_outcomes`: what a judge says of ranks that failed, `rank_findings`.
3. `messages`: what the processes below are told.
4. `rank_launcher`: starts the supervisor and reads what became of the ranks.
5. `supervisor`: starts, watches and ends the ranks; `spawned_supervisor` is one in a fresh program.
6. `rank_process`: what a rank does before and after its work.
7. `stack_dumps`: what a rank was doing; `processes`: what /proc tells of it.
"""

from litcourse.ranks.rank_outcomes import is_cause, rank_findings, read_rank_values
from litcourse.ranks.rank_runner import all_done, run_ranks

__all__ = ["all_done", "is_cause", "rank_findings", "read_rank_values", "run_ranks"]
