"""One failing and one passing card of each question, as students see them.

What is kept are the judge's marks on an answer of the bank, `kept/<lab>/cards.json`. Titles, advice
and layout are today's: a card is rendered when the pages are made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from random import Random
from typing import Any, TypedDict

from autograder.bank import SOLUTION, Case, load
from autograder.course import AuthorError, Lab
from autograder.pages.kept_outputs import KEPT, NEXT_STEP, digest_of, write_json
from autograder.verifying.trials import Trial, cells_of, draw, unsolved_cells
from autograder.verifying.verify import fault_of, verdict_on
from autograder.verifying.warm_runner import Run, run_all, warm_up
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.core.verdict import Verdict
from litcourse.feedback.guidance import find_guidance
from litcourse.feedback.rendering import Footer, as_html
from litcourse.frontends.notebook import PUBLIC_SEED

FAILING, PASSING = "failing", "passing"
_MARKS: dict[str, type[Mark]] = {kind.name: kind for kind in (Earned, Finding, NotLookedAt)}
_LIMIT = 300.0
"""Seconds for one answer on a busy machine."""
_OWN = 100
"""Findings of any question have codes below it, and from 900 to 999."""


class KeptCard(TypedDict):
    """The judge's marks on a case of the bank, and the digest of the cells that it is made of."""

    case: str
    digest: str
    marks: list[dict[str, Any]]
    picture: str


Cards = dict[str, dict[str, KeptCard]]
"""The kept cards of a lab by question id, then by `FAILING` and `PASSING`."""


def read_cards(lab: Lab) -> Cards:
    """The kept cards of a lab; none, if there are none."""
    path = KEPT / lab.id / "cards.json"
    found: Cards = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def card_html(lab: Lab, question_id: str, kept: KeptCard) -> str:
    """A card as the notebook shows it.

    Raises:
        AuthorError: the question's criteria are others than when the marks were kept.
    """
    question = lab.find_question(question_id)
    marks = tuple(_mark(dict(fields)) for fields in kept["marks"])
    try:
        verdict = Verdict(lab.id, question_id, question, marks, kept["picture"])
    except ValueError as error:
        path = KEPT / lab.id / "cards.json"
        raise AuthorError(path, question_id, str(error), NEXT_STEP) from error
    return as_html(verdict, Footer(points=lab.questions[question_id].points))


def first_code(kept: KeptCard) -> str:
    """The code of the finding that a card shows, or ""."""
    codes = [mark["code"] for mark in kept["marks"] if mark["mark"] == Finding.name]
    return codes[0] if codes else ""


def _mark(fields: dict[str, Any]) -> Mark:
    kind = _MARKS[fields.pop("mark")]
    return kind(**{**fields, "criteria": tuple(fields["criteria"])})


def common_findings(cases: list[Case]) -> Counter[str]:
    """How many wrong answers of a bank have which finding; those of any question are left out."""
    codes = [case.expects for case in cases if case.expects and _is_own(case.expects)]
    return Counter(codes)


def _is_own(code: str) -> bool:
    number = int(code.removeprefix("LIT"))
    return number >= _OWN and not 900 <= number < 1000  # noqa: PLR2004 (as `_OWN` says)


def stale_cards(lab: Lab) -> list[str]:
    """Questions whose kept cards are missing, or not those of the answers of now."""
    kept, plans = read_cards(lab), list(_plans(lab))
    fresh = {(name, side, case.id, digest_of(cells)) for name, side, case, cells in plans}
    found = {
        (name, side, card["case"], card["digest"])
        for name, cards in kept.items()
        for side, card in cards.items()
    }
    wanted = {(name, side, case.expects) for name, side, case, _ in plans}
    shown = {
        (name, side, first_code(card))
        for name, cards in kept.items()
        for side, card in cards.items()
    }
    stale = {entry[0] for entry in (fresh ^ found) | (wanted ^ shown)}
    return [name for name in lab.questions if name in stale]


def remake_cards(lab: Lab, names: list[str]) -> None:
    """Judge the solution and a common wrong answer to each of the questions, and keep the marks.

    Raises:
        AuthorError: a verdict is not what the bank says.
    """
    cards = {name: card for name, card in read_cards(lab).items() if name in lab.questions}
    warm_up()
    for name, side, kept in _judged(lab, names):
        cards.setdefault(name, {})[side] = kept
    ordered = {name: cards[name] for name in lab.questions}
    write_json(KEPT / lab.id / "cards.json", ordered)


def _judged(lab: Lab, names: list[str]) -> Iterator[tuple[str, str, KeptCard]]:
    for outcome in run_all(_runs(lab, names), jobs=1):
        trial, side, digest = outcome.run.key
        verdict = verdict_on(trial, outcome)
        if fault_of(trial.case, verdict):
            fault = f"the case {trial.case.id!r} gives {verdict.findings or outcome.note}"
            step = f"make verify LAB={lab.id} Q={trial.question_id}"
            raise AuthorError(lab.path, trial.question_id, fault, step)
        marks = [{"mark": mark.name, **asdict(mark)} for mark in verdict.marks]
        picture = verdict.picture
        yield (
            trial.question_id,
            side,
            {"case": trial.case.id, "digest": digest, "marks": marks, "picture": picture},
        )


def _runs(lab: Lab, names: list[str]) -> Iterator[Run]:
    for name, side, case, cells in _plans(lab):
        if name in names:
            inputs, shown = draw(lab, name, Random(PUBLIC_SEED))
            trial = Trial(lab, name, case, 0, inputs)
            yield Run((trial, side, digest_of(cells)), cells, lab.id, name, shown, _LIMIT)


def _plans(lab: Lab) -> Iterator[tuple[str, str, Case, list[str]]]:
    """The two answers to each question, with the sources of the cells up to it."""
    bank, stubs, kept = load(lab), unsolved_cells(lab), read_cards(lab)
    for name, cases in bank.items():
        before = kept.get(name, {}).get(FAILING)
        common = find_guidance(lab.id, name).common
        failing = _failing(cases, before and before["case"], common)
        sides = {FAILING: failing, PASSING: Case(SOLUTION)}
        for side, case in sides.items():
            yield name, side, case, cells_of(lab, name, case, bank, stubs)


def _failing(cases: list[Case], kept: str | None, common: Sequence[str]) -> Case:
    """The wrong answer that is kept, if the bank still has it; else one with a common finding.

    Args:
        cases: the question's bank.
        kept: id of the case that is kept, or None.
        common: codes of the findings that the question's help names, the commonest first.
    """
    alone = [case for case in cases if not case.right and not case.after]
    for case in alone:
        if case.id == kept:
            return case
    counts = common_findings(alone) | Counter({code: len(alone) for code in common[:1]})
    return max(alone, key=lambda case: counts[case.expects])
