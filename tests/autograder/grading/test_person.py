"""What a person entered survives whatever is graded afterwards; penalties: `test_penalties`."""

import pytest

from .conftest import AGAIN, RIGHT, Class, again, enter, entered


@pytest.mark.parametrize("way", AGAIN)
def test_what_a_person_entered_survives(group: Class, way: str) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    values = {"manual_score": 7.0, "extra_credit": 1.5, "manual_comment": "well seen"}
    enter(group, **values, late_submission_penalty=2.5)
    again(group, way)
    assert entered(group) == (7.0, 1.5, "well seen", 2.5)
    assert group.score("ada") == 8.5
