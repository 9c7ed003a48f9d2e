"""`autograder pages --outputs`: runs solved notebooks and a few answers, and keeps what came."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograder.course import Lab
from autograder.pages.kept_outputs import is_stale, remake_outputs
from autograder.pages.sample_cards import remake_cards, stale_cards


def remake(labs: Sequence[Lab], tell: Callable[[str], None], *, everything: bool = False) -> None:
    """Keep the outputs and the cards of labs anew, as far as they are not of the code of now.

    Args:
        labs: the labs.
        tell: is told what is done.
        everything: also those that are of the code of now, as after a change of a judge.
    """
    for lab in labs:
        if everything or is_stale(lab):
            tell(f"{lab.id}: running the solved notebook")
            remake_outputs(lab)
    for lab in labs:  # warm answers last: what they import, kernels need not inherit
        names = list(lab.questions) if everything else stale_cards(lab)
        if names:
            tell(f"{lab.id}: judging answers to {', '.join(names)}")
            remake_cards(lab, names)
