"""A coreset: a few weighted samples whose loss at any point stands for that of all.

Of one network at many points of a plane the losses of samples differ, but not independently: those
of some dozens say nearly what the mean over all does, once each counts as much as the points say
at which both are known. Weights so chosen are those of calibration estimators (Deville and Särndal,
1992): as near to equal ones as what is known of all samples permits. What a tolerance promises
doesn't rest on them: they are where interpolation starts from, and held-out points test it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from landscape.problem import samples
from landscape.problem.problem import Problem
from landscape.problem.samples import Several, drawn
from landscape.scan.filling import Stream
from landscape.scan.refine.order import Rows
from landscape.scan.speed.engine import Engine
from landscape.store.scans.certificates import Promise
from landscape.store.scans.records import Floats

SHARE = 24
"""One of so many samples, those of validation counted: all points of a grid on the coreset take
one over so much of what they would take on all samples."""
MOST, LEAST = 256, 32
"""More say nothing new; fewer say too little."""
ROUGH = 0.5
"""A coreset pays where, seen from the first grid, more than this share of the other points can't
be interpolated from it."""
SAID, FOLDS = 0.75, 8
"""And where it says so many of the first points' losses to the tolerance, each with weights chosen
without it and one of eight of the others."""
NEAR = 8.0
"""Weights are chosen at points whose loss is at most so many times the cap."""
RIDGE = 1e-4
"""How much equal weights count beside what is known; a tenth or ten times as much is as good."""


@dataclass(frozen=True)
class Coreset:
    """Some training samples and what each counts."""

    places: Rows
    """(m,) in the training data, in order."""
    weights: Mapping[str, Floats]
    """(m,) by measure: ``train_loss``, ``validation_loss``, ... The loss of other samples too is
    said by training samples, as well as by its own."""

    def at(self, few: Engine, xy: Floats) -> dict[str, Floats]:
        """Each measure (n,) as the coreset says it, at points (n, D), from an engine on it."""
        values = few.of_samples(xy)
        return {name: values[_what(name)] @ weights for name, weights in self.weights.items()}

    def train_losses_at(self, few: Engine, xy: Floats) -> Floats:
        """The training losses (n,) alone."""
        return self.at(few, xy)["train_loss"]

    def stream(self, few: Engine) -> Stream:
        """What fills a grid with `at`, as `Engine.stream` does with the measures themselves."""

        def blocks(
            there: Sequence[Rows], place: Callable[[Rows], Floats]
        ) -> Iterator[tuple[Rows, dict[str, Floats], float]]:
            for block in there:
                started = time.perf_counter()
                found = self.at(few, place(block))
                yield block, found, time.perf_counter() - started

        return blocks


def suits(engine: Engine) -> bool:
    """Whether a few of a problem's samples can stand for all at a small part of the price."""
    objective, problem = engine.objective, engine.problem
    apart = objective.fixed is None and engine.decay is None and engine.population is None
    if not apart or not engine.buffers_stay or size(engine) == 0:
        return False
    return not isinstance(problem.train, Several) and samples.is_nest(_together(problem, [0]))


def size(engine: Engine) -> int:
    """How many samples a coreset has; 0 where there are too few to choose from."""
    count = min(MOST, sum(engine.samples.values()) // SHARE)
    return count if LEAST <= count <= engine.samples["train"] // 2 else 0


def problem_of(problem: Problem, places: Rows) -> Problem:
    """The problem with some of its training samples only."""
    return replace(problem, train=_together(problem, places), validation=None)


def draw(engine: Engine, seed: int) -> Rows:
    """Places (m,) of random training samples."""
    generator = torch.Generator().manual_seed(seed)
    return drawn(engine.samples["train"], size(engine), generator).numpy()


def calibrated(
    places: Rows,
    values: Mapping[str, Floats],
    known: Mapping[str, Floats],
    promises: Mapping[str, Promise],
) -> Coreset | None:
    """Weigh samples so that they say what is ``known`` (n,) of all at n points.

    ``values`` (n, m) are theirs, as `Engine.of_samples` gives them. None where they don't say it to
    the losses' ``promises`` at three of four points, each left out with some others.
    """
    found = {}
    for name, wanted in known.items():
        own = values.get(_what(name))
        if own is None:
            continue
        near, sizes = np.isfinite(wanted) & np.isfinite(own).all(1), np.ones(len(wanted))
        promise = promises.get(name)
        if promise is not None:
            near &= wanted <= NEAR * promise.cap
            sizes = np.maximum(np.abs(wanted), promise.floor)
        if np.count_nonzero(near) < FOLDS:
            return None
        system = own[near], wanted[near], sizes[near]
        found[name] = weights(*system)
        if promise is not None:
            off = _misses(*system)[promise.below(wanted[near])]
            if not len(off) or np.quantile(off, SAID) > promise.tolerance:
                return None
    return Coreset(places, found)


def _misses(values: Floats, wanted: Floats, sizes: Floats) -> Floats:
    """By how much (n,) each point is missed by weights that know only those of other folds."""
    fold = np.arange(len(wanted)) % FOLDS
    off = np.empty(len(wanted))
    for number in range(FOLDS):
        out, kept = fold == number, fold != number
        chosen = weights(values[kept], wanted[kept], sizes[kept])
        off[out] = np.abs(values[out] @ chosen - wanted[out]) / sizes[out]
    return off


def weights(values: Floats, wanted: Floats, sizes: Floats) -> Floats:
    """Weights (m,), none negative, with which ``values`` (n, m) add up to the ``wanted`` (n,).

    Misses are measured in ``sizes`` (n,). Of all such weights those next to equal ones.

    >>> weights(np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([2.5, 2.0]), np.ones(2)).round(2)
    array([0.25, 0.75])
    """
    count = values.shape[1]
    scaled, target = values / sizes[:, None], wanted / sizes
    mean = scaled.mean(1)
    # Equal ones, of a sum over positions, say, as many as a sample has.
    equal = float(mean @ target / max(mean @ mean, np.finfo(float).tiny)) / count
    pull = math.sqrt(RIDGE * count) * float(np.abs(scaled).mean())
    system = np.vstack([scaled, pull * np.eye(count)])
    right = np.concatenate([target, np.full(count, pull * equal)])
    return np.asarray(nnls(system, right, maxiter=100 * count)[0])


def _together(problem: Problem, places: ArrayLike) -> Any:
    """Some training samples as one batch, which is read once however they are kept."""
    return samples.few(problem.train, torch.as_tensor(places)).content


def _what(name: str) -> str:
    """A measure's name without its set's."""
    return name.partition("_")[2]
