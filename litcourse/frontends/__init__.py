"""Who asks a question, and how.

1. `notebook`: a student's check; draws, probes and judges in one process.
2. `kernel_entry`: the grader's end in the student's process; it only probes.
3. `otter`: what the test files of an otter bundle call.
4. `reference_solution`: what the probe finds on the instructor's solution, where that is the
   expected value.
"""
