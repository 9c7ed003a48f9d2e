"""What a student of the course installs: given models and data, checks, explanations.

`Check("lab1_mnist")` gives the checks of a lab, `explain("LIT101")` tells more about a
finding. Importing this package is cheap; torch and Lightning are imported by the first
thing that needs them.

What students import:

1. `models` and `data`: given networks and data sets; `embedded`: the images that need no network.
2. `check`: what a check cell calls; `cli`: the command `litcourse`.
3. `clusters`: a Trainer as it would be on nodes that are not there.

What a check is made of, in the order to read it:

4. `core`: the words, evidence, scoring, the registry of questions.
5. `frontends`: who asks a question: a notebook, a grader, otter.
6. `feedback`: what a student reads; the catalogue of findings.
7. `labs`: the questions.
8. `probing`: for whoever writes a probe; `ranks` and `scripts` run code on several ranks and as
   a program.
"""

from litcourse.check import Check
from litcourse.feedback.catalogue import explain

__all__ = ["Check", "explain"]
__version__ = "0.1.0"
