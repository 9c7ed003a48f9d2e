"""Draws sets for validation and test on which each wrong metric gives a different number."""

from __future__ import annotations

from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from litcourse.core.comparison import macro_accuracy
from litcourse.labs.lab2_cifar10.schedule._one_cycle import one_cycle
from litcourse.probing.networks import CLASSES, build_network, draw_batch, make_generator

LEAST = 0.01
"""Accuracies of different kinds differ by more than this."""
TRIES = 200
MARGIN = 0.5
"""Between the logits of a pushed image: no rounding may turn its class."""
PUSHES, PUSH = 12, 4.0
"""Steps in which an image is pushed into a class, and their length; its own is about 14."""
LARGE, SMALL, MANY = (66, 90), 7, 9
"""Sizes of a large batch and of a small one, and the least number of small ones."""


def telling_sets(
    rng: Random, shown: dict[str, Any]
) -> tuple[dict[str, list[Tensor]], dict[str, list[int]]]:
    """Images and labels of "val" and "test", of which a right answer gets about half right.

    Args:
        rng: random source.
        shown: network, batches, rates and seed of the plain run, which precedes the metrics.

    Returns:
        the sets, and the sizes of their batches: one large, `MANY` small or more, a smaller last.
    """
    model = _train(shown)
    shape = tuple(shown["batches"][0][0].shape[1:])
    sets, sizes = {}, {}
    for name in ("val", "test"):
        sizes[name] = [rng.randrange(*LARGE), *[SMALL] * rng.randrange(MANY, MANY + 3)]
        sizes[name].append(rng.randrange(1, 4))
        sets[name] = _draw_set(rng, model, sizes[name], shape)
    return sets, sizes


def _train(shown: dict[str, Any]) -> torch.nn.Module:
    """The network after the plain run, approximately: a right answer may use Nesterov momentum."""
    model = build_network(shown["network"]).train()
    total = shown["epochs"] * len(shown["batches"])
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=shown["weight_decay"]
    )
    with torch.random.fork_rng(devices=[]):
        for step, pair in enumerate(zip(*one_cycle(shown["max_lr"], total), strict=True)):
            optimizer.param_groups[0].update(lr=pair[0], momentum=pair[1])
            images, labels = shown["batches"][step % len(shown["batches"])]
            torch.manual_seed(shown["seed"])
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    return model.eval()


def _draw_set(
    rng: Random, model: torch.nn.Module, sizes: list[int], shape: tuple[int, ...]
) -> list[Tensor]:
    count, first = sum(sizes), draw_batch(rng, CLASSES, shape)[0]
    first = _push_to_each_class(model, first)
    for _ in range(TRIES):
        images = torch.cat([first, draw_batch(rng, count - CLASSES, shape)[0]])
        with torch.no_grad():
            guesses = model(images).argmax(1)
        easy = torch.rand(count, generator=make_generator(rng)) < rng.uniform(0.4, 0.6)
        easy[:CLASSES] = True
        shifts = torch.randint(1, CLASSES, (count,), generator=make_generator(rng))
        other = (guesses + shifts) % CLASSES  # any class but the one that is guessed
        labels = torch.where(easy, guesses, other)
        hits = easy.float()
        means = float(torch.stack([part.mean() for part in hits.split(sizes)]).mean())
        share = float(hits.mean())
        if min(abs(share - means), abs(share - macro_accuracy(guesses, labels))) > LEAST:
            break
    return [images, labels]


def _push_to_each_class(model: torch.nn.Module, images: Tensor) -> Tensor:
    """Change one image for each class until the network takes it for one of that class.

    A network that has seen few batches guesses three or four classes, and a metric that lacks one
    of the others would show on no image.
    """
    wanted = torch.arange(CLASSES)
    for _ in range(PUSHES):
        images = images.detach().requires_grad_()
        logits = model(images)
        first, second = logits.topk(2).values.T
        if bool(((logits.argmax(1) == wanted) & (first - second > MARGIN)).all()):
            break
        (slope,) = torch.autograd.grad(F.cross_entropy(logits, wanted), images)
        images = images - PUSH * slope / slope.flatten(1).norm(dim=1)[:, None, None, None].clamp(
            min=1e-12
        )
    return images.detach()
