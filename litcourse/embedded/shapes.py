"""Draws small colour images of ten shapes, which stand in for CIFAR10.

A shape lies near the middle, at any angle, in any size and colour, darker or brighter than a
background of two tones with noise. No single pixel depends on the class, so a linear model stays
weak, but a small convolutional network does not. Mirroring an image never changes its class.

The images are the same on every machine: random numbers are raw output of PCG64, which numpy
promises to keep, and pixels come from operations that IEEE 754 rounds in one way (no sine, no
exponential, no matrix product). They are this project's own; nobody else's rights apply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Plane = NDArray[np.floating[Any]]  # all float32

__all__ = ["CLASSES", "draw"]

SIDE = 32
MEAN = (125, 123, 114)  # CIFAR10's mean colour, 0 to 255
RANGE = 200  # brightest minus darkest tone; gives CIFAR10's standard deviation
TINT = 60  # largest difference between the channels of a colour
CUT = 60  # largest difference between the two tones of a background
NOISE = 40  # brightest minus darkest noise


def draw(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw images (count, 32, 32, 3) uint8 and their classes (count,) int64, 0 to 9.

    The classes' counts differ by at most one. Equal arguments give equal pixels; another ``seed``
    gives independent images.
    """
    source = np.random.PCG64(seed)
    labels = np.argsort(source.random_raw(count), kind="stable").astype(np.int64) % len(CLASSES)
    images = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    for label, shape in enumerate(CLASSES.values()):
        chosen = np.flatnonzero(labels == label)
        images[chosen] = _paint(shape, len(chosen), source)
    return images, labels


def _paint(
    shape: Callable[[Plane, Plane], Plane], count: int, source: np.random.PCG64
) -> NDArray[np.uint8]:
    """Draw ``count`` images (count, 32, 32, 3) of one class."""
    tone = _uniform(source, count, 1, 1, 1)
    other = (tone + 0.5) % 1  # half the range from tone
    ground = _colour(tone, source) + _cut(count, source)
    figure = _colour(other, source)
    inside = _inside(shape, count, source)
    noise = NOISE * (_uniform(source, count, SIDE, SIDE, 3) - 0.5)
    pixels = ground + inside * (figure - ground) + noise
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def _inside(shape: Callable[[Plane, Plane], Plane], count: int, source: np.random.PCG64) -> Plane:
    """Place one shape per image; return its coverage of each pixel, (count, 32, 32, 1), 0 to 1."""
    y, x = _centred(count, source, reach=4)
    cosine, sine = _direction(count, source)
    radius = 7 + 5 * _uniform(source, count, 1, 1)
    distance = shape((cosine * x + sine * y) / radius, (cosine * y - sine * x) / radius)
    return np.clip(0.5 - radius * distance, 0, 1)[..., None]


def _cut(count: int, source: np.random.PCG64) -> Plane:
    """Return the background's brightness on both sides of a random line, (count, 32, 32, 1)."""
    y, x = _centred(count, source, reach=10)
    cosine, sine = _direction(count, source)
    side = np.clip(0.5 + cosine * x + sine * y, 0, 1) - 0.5
    return CUT * (side * _uniform(source, count, 1, 1))[..., None]


def _colour(tone: Plane, source: np.random.PCG64) -> Plane:
    """Return a colour of brightness ``tone`` (count, 1, 1, 1), 0 to 1, per image: (..., 3)."""
    tint = _uniform(source, len(tone), 1, 1, 3) - 0.5
    mean = np.array(MEAN, dtype=np.float32)
    colour: Plane = mean + RANGE * (tone - 0.5) + TINT * tint
    return colour


def _centred(count: int, source: np.random.PCG64, reach: float) -> tuple[Plane, Plane]:
    """Return rows and columns relative to a point at most ``reach`` pixels from the middle."""
    axis = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    off = reach * (2 * _uniform(source, 2, count, 1, 1) - 1)
    return axis[None, :, None] - off[0], axis[None, None, :] - off[1]


def _direction(count: int, source: np.random.PCG64) -> tuple[Plane, Plane]:
    """Return cosine and sine of a random angle per image, each (count, 1, 1)."""
    x, y = _uniform(source, 2, count, 1, 1) - np.float32(0.5 - 2**-26)  # never both 0
    length = np.sqrt(x * x + y * y)
    return x / length, y / length


def _uniform(source: np.random.PCG64, *shape: int) -> Plane:
    """Return multiples of 2**-24 in [0, 1), exact in float32."""
    raw = source.random_raw(int(np.prod(shape))) >> np.uint64(40)
    return raw.astype(np.float32).reshape(shape) * np.float32(2**-24)


# Each shape takes coordinates in units of its radius and returns the signed distance to its
# outline in the same unit: above 0 outside, below 0 inside.


def _both(one: Plane, other: Plane) -> Plane:
    """Return the distance to the intersection of two shapes."""
    common: Plane = np.maximum(one, other)
    return common


def _rim(distance: Plane, half: float) -> Plane:
    """Return the distance to a shape's outline, which is ``2 * half`` wide."""
    return _both(distance, -distance) - half


def _disc(u: Plane, v: Plane) -> Plane:
    return np.sqrt(u * u + v * v) - 0.9


def _ring(u: Plane, v: Plane) -> Plane:
    return _rim(_disc(u, v) + 0.15, 0.2)


def _half_disc(u: Plane, v: Plane) -> Plane:
    return _both(_disc(u, v + 0.4) - 0.1, -0.4 - v)


def _square(u: Plane, v: Plane) -> Plane:
    return _both(np.abs(u), np.abs(v)) - 0.8


def _frame(u: Plane, v: Plane) -> Plane:
    return _rim(_square(u, v) + 0.12, 0.18)


def _bar(u: Plane, v: Plane) -> Plane:
    return _both(np.abs(u) - 1, np.abs(v) - 0.28)


def _cross(u: Plane, v: Plane) -> Plane:
    return np.minimum(_bar(u, v), _bar(v, u))


def _triangle(u: Plane, v: Plane) -> Plane:
    slanted = 0.866 * np.abs(u) - 0.5 * v  # both other sides, by symmetry
    return _both(slanted, v) - 0.5


def _checkers(u: Plane, v: Plane) -> Plane:
    corner = np.copysign(np.minimum(np.abs(u), np.abs(v)), u * v)
    return _both(_square(u, v), corner)


def _two_dots(u: Plane, v: Plane) -> Plane:
    return _disc(np.abs(u) - 0.6, v) + 0.5


CLASSES: dict[str, Callable[[Plane, Plane], Plane]] = {
    "disc": _disc,
    "ring": _ring,
    "half disc": _half_disc,
    "square": _square,
    "frame": _frame,
    "bar": _bar,
    "cross": _cross,
    "triangle": _triangle,
    "checkers": _checkers,
    "two dots": _two_dots,
}
