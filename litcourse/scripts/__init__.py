"""Runs a student's script as `python NAME ARGUMENTS` does.

Read in this order:

1. `script_runner`: `run_script` in a fork with warm imports, `run_fresh` by the command itself.
2. `script_outcomes`: `script_findings`, which a judge calls.
3. `script_process`: executes the script in the forked process.
4. `import_effects`: records what importing a script does.
5. `recorder`: records what each Trainer of a script does.
6. `program_defaults`: reads what a LightningCLI program does without flags.
7. `interruption`: a callback that interrupts training.
"""

from litcourse.scripts.script_outcomes import (
    all_trainers,
    fitted_trainers,
    script_findings,
)
from litcourse.scripts.script_runner import format_command, import_script, run_fresh, run_script

__all__ = [
    "all_trainers",
    "fitted_trainers",
    "format_command",
    "import_script",
    "run_fresh",
    "run_script",
    "script_findings",
]
