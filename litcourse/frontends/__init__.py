"""Runs a question for a notebook, for the grader or for otter.

1. `notebook`: draws, probes and judges in one process. `student_check` calls it in a notebook:
   `stopping` ends it, `progress_line` shows what it does, `executions` which cells it judged,
   `saved_notebook` how many points there are, `foreign_imports` what the course does not bring.
   `hand_in`: what a student would hand in.
2. `kernel_entry`: probes in the student's process for the grader, and does not judge.
3. `otter`: called by the test files of an otter bundle.
4. `reference_solution`: evidence from the instructor's solution, for judges that compare with it.
"""
