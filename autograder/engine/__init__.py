"""Warm, isolated kernels for student code.

1. `server` is a process with a scrubbed environment. It imports torch and Lightning once
   (`imports`). For each client on its socket it forks a `kernel`, which runs a student's code, or
   a `judge_server`, which never does. `interpreter` comes in front of it for an ordinary user.
2. `sandbox` isolates a fork before it runs a student's code. `syscalls` holds the Linux calls that
   this takes; `seccomp` makes Linux refuse calls from then on.
3. `watch` measures what a kernel takes, and `cgroups` what `watch` can't see; the server ends one
   that exceeds its `limits`. `user_quotas` tells whether kernels of one user took from each other.
4. `provisioner` gives Jupyter these kernels, for nbclient and nbgrader alike; `client` starts the
   server and connects to it.
5. `cell_client` executes cells in one; `machine_faults` tells whose fault its end was.
"""
