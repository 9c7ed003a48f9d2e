"""Lab 5, On the cluster: job scripts, run in the pocket Slurm.

Questions that are files share, in this order:

1. `_pocket_runs`: submits a script and returns the evidence.
2. `_submitted`: reads that evidence.
3. `_placed`: where Lightning puts each process.
4. `_sbatch_refusals`: what kept a job from running; `_meeting`: whether the ranks come together.
5. `_allocated`: what the job got, and its tasks' cores; `_job_log`: the log.
6. `_job_scripts`: all of it for one submission.
"""
