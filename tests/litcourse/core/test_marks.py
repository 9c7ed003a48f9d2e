"""Lists of findings."""

from litcourse.core.marks import first_of_each
from litcourse.core.question import Finding


def test_of_findings_that_say_the_same_the_first_stays() -> None:
    first, again = (Finding("LIT001", ("a",), called=name) for name in ("first", "again"))
    other, elsewhere = Finding("LIT002", ("a",)), Finding("LIT001", ("b",))
    assert first_of_each([first, again, other]) == [first, other]
    assert first_of_each([first, elsewhere, again]) == [elsewhere, first]
    assert first_of_each([]) == []
