"""The package that a student installs: given models and data, checks, explanations of findings.

`Check("lab1_mnist")` gives the checks of a lab, `explain("LIT101")` explains a finding.
Importing this package is cheap; the first function that needs torch or Lightning imports it.

What students import:

1. `models` and `data`: given networks and data sets; `embedded`: the images that need no network.
2. `check`: what a check cell calls; `cli`: the command `litcourse`.
3. `clusters`: a Trainer on simulated nodes; `pocket`: a Slurm for laptops without one;
   `requeue`: a callback for jobs that are longer than their time limit.

The parts of a check, in the order to read them:

4. `core`: the words, evidence, scoring, the registry of questions.
5. `frontends`: run a check in a notebook, for a grader, under otter.
6. `feedback`: what a student reads; the catalogue of findings.
7. `labs`: the questions.
8. `probing`: tools for authors of probes; `ranks` runs code on several ranks, `scripts` runs a
   student's program, `sharding` measures FSDP without a GPU.
"""

from litcourse.check import Check
from litcourse.feedback.catalogue import explain

__all__ = ["Check", "explain"]
__version__ = "0.1.0"
