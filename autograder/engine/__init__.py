"""Warm, isolated kernels for student code.

1. `server` is a process of its own with a scrubbed environment. It imports torch and Lightning
   once (`imports`) and forks for whoever asks over its socket: a `kernel` for a student's code,
   or a `judge_server`, in which none ever runs.
2. `sandbox` is what a fork enters before a line of a student's runs; below it `syscalls`, what
   Linux is asked for, and `seccomp`, what it then refuses.
3. `watch` ends a kernel that takes more than its `limits`.
4. `provisioner` is Jupyter's way to it, for nbclient and nbgrader alike; `client` finds or
   starts the server.
"""
