"""Numbers and tensors as findings name them."""

from __future__ import annotations

import math

import torch

from litcourse.core.comparison import furthest_apart, tell_apart


def test_numbers_get_as_many_digits_as_tell_them_apart() -> None:
    assert tell_apart(0.1234, 0.5) == ("0.1234", "0.5")
    assert tell_apart(4.41881, 4.41889) == ("4.4188", "4.4189")
    assert len(set(tell_apart(0.1, math.nextafter(0.1, 1)))) == 2
    assert tell_apart(1.0, math.nan) == ("1", "nan")


def test_the_place_of_the_largest_difference() -> None:
    right = torch.zeros(3, 4)
    seen = right.clone()
    seen[1, 2], seen[2, 3] = 1e-3, 5e-4
    assert furthest_apart(seen, right) == (1, 2)
    seen[0, 1] = math.nan
    assert furthest_apart(seen, right) == (0, 1)
