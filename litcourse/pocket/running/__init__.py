"""What a job needs while it runs.

1. `run_loop`: waits for events and moves the clock.
2. `reports`: the socket on which stand-ins report; the queue of events.
3. `session_processes`: the job's processes, and whether all of them sleep.
4. `virtual_clock`: the time of a job.
5. `batch_shell`: the script's shell and its logs; `output_patterns`: the names of these.
6. `step_starter`: starts what srun starts; `launches`: ranks that are no processes.
7. `shell_commands`: `scontrol`, `scancel`, `sleep`, `hostname` and the others.
"""
