"""Losses at points of a plane, one point at a time: the weights change in place."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import LandscapeError
from landscape.problem import batchnorm, spectral
from landscape.problem.batchnorm import has_statistics, recompute
from landscape.problem.device import resolve
from landscape.problem.evaluate import Evaluator, measure_samples, summed
from landscape.problem.objective import BATCH
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.problem.sums import standard_errors, values
from landscape.problem.weights import Buffers, load_buffers, tied
from landscape.scan.speed.batchnorm import AnchoredStatistics
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.weight_decay import WeightDecay
from landscape.store.scans.records import Floats, Plane, Weights

BATCHES = (64, 128, 256, 512, 1024, 2048, 8192)
TRIAL_SAMPLES = 8192
PART = 2**20
"""So many weights of a point are computed at a time."""
TRIALS = 2


@dataclass(frozen=True)
class StrategyRecord:
    """How points are evaluated; what a resumed scan must not choose again."""

    name: str
    batch_size: int
    threads: int
    dtype: str
    device: str
    points: int = 1
    """K: so many points are evaluated at once."""
    lanes: int = 1
    """So many such tiles side by side, each on one thread; 1: one, on all threads."""
    note: str = ""
    """What a user should know about the choice, in one line."""


PRECISIONS: Mapping[str, torch.dtype] = {"float32": torch.float32, "float64": torch.float64}


def dtype_of(precision: str, device: torch.device) -> torch.dtype | None:
    """The dtype called float32 or float64; None for float32, which leaves a model its own.

    Raises:
        LandscapeError: another name, or float64 on a device that has none.
    """
    if precision not in PRECISIONS:
        raise LandscapeError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision}")
    if precision == "float64" and device.type == "mps":
        raise LandscapeError("precision float64 needs a device that has it, got mps; use cpu")
    return torch.float64 if precision == "float64" else None


class PointEvaluator:
    """A copy of a problem's model whose weights are set to points of a plane.

    Eval mode, `torch.inference_mode`, data in memory, sums in float64. Memory: the data, the
    model, its copy, the plane itself and one batch's activations; up to a million weights the
    plane again in float64, larger ones are converted some at a time.

    >>> import torch
    >>> from landscape.plane import line
    >>> from landscape.plane.still import StillWeights
    >>> from landscape.problem import Problem, half_square
    >>> x = torch.ones(4, 1)
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> _ = model.weight.data.fill_(1.0)
    >>> problem = Problem(model, (x, 0 * x), loss=half_square)
    >>> along = line(StillWeights.of(problem))
    >>> evaluator = PointEvaluator(problem, along)
    >>> w = 1 + 2.0 * float(along.directions[0, 0])
    >>> bool(abs(evaluator.train_loss_at(np.array([2.0])) - w**2 / 2) < 1e-6)
    True
    """

    def __init__(
        self,
        problem: Problem,
        plane: Plane,
        *,
        device: str = Evaluation.device,
        batch_size: int | None = None,
        precision: str = Evaluation.precision,
        population: Mapping[str, int] | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        """Get ready; ``population``: how many samples, by set, the problem's are a subset of.

        Training losses are raised by ``weight_decay`` / 2 |w|².
        """
        place = resolve(device)
        self.tied = tied(problem.model, place, dtype_of(precision, place), layout=problem.layout)
        self.model, self.vector = self.tied.model, self.tied.vector
        self.model.eval()
        self.data = Evaluator(problem, place, dtype=dtype_of(precision, place))
        self.objective = self.data.objective
        drawn = {"train": math.inf} if problem.draw is not None else None
        self.population: Mapping[str, float] | None = population or drawn
        # Apple's GPUs have no float64.
        self.exact = torch.float32 if place.type == "mps" else torch.float64
        """What points are computed in."""
        self._decay = partial(WeightDecay, weight_decay, problem) if weight_decay else None
        self._place(plane)
        started = time.perf_counter()
        if self.objective.rich:
            batch_size = self.objective.size(BATCH)
        self.data.batch_size = batch_size or self._fastest_batch()
        self.choosing_seconds = time.perf_counter() - started
        self.strategy = StrategyRecord(
            "sequential", self.data.batch_size, torch.get_num_threads(), precision, str(place)
        )

    def _place(self, plane: Plane) -> None:
        """Take a plane: its points are those that are evaluated from now on."""
        normalizes, place = has_statistics(self.model), self.vector.device
        dtype = self.exact if len(self.vector) <= PART else None
        self.origin = torch.from_numpy(plane.origin).to(place, dtype)
        self.directions = torch.from_numpy(plane.directions).to(place, dtype)
        self.decay = None if self._decay is None else self._decay(self.origin, self.directions)
        self._recompute = plane.batchnorm == "recompute" and normalizes
        interpolates = plane.batchnorm == "interpolate" and normalizes
        self._averages = self._recompute and batchnorm.normalizes(self.model)
        self._between = AnchoredStatistics(plane.anchors) if interpolates else None
        self._buffers = plane.buffers
        self.set(plane.origin, plane.buffers)

    @property
    def buffers_stay(self) -> bool:
        """Whether the same buffers hold at every point of the plane."""
        return not self._recompute and self._between is None

    @property
    def block(self) -> int:
        """So many points, in the grid's order, are best asked for at once, always the same ones."""
        return 1

    def stream(
        self, blocks: Sequence[NDArray[np.int64]], place: Callable[[NDArray[np.int64]], Floats]
    ) -> Iterator[tuple[NDArray[np.int64], dict[str, Floats], float]]:
        """Each block of points with `at_many` of its coordinates, and the seconds it took.

        In any order; ``place`` gives a block's coordinates (n, D).
        """
        for block in blocks:
            started = time.perf_counter()
            found = self.at_many(place(block))
            yield block, found, time.perf_counter() - started

    def at_many(self, xy: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """All measures at points (n, D), each of shape (n,)."""
        found = [self.at(point) for point in xy]
        return {name: np.array([values[name] for values in found]) for name in found[0]}

    def train_losses_at(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """The training losses (n,) alone at points (n, D)."""
        return np.array([self.train_loss_at(point) for point in xy])

    @property
    def sets(self) -> Mapping[str, Samples]:
        """The data by name: train and, if there is any, validation."""
        found = {"train": self.data.train}
        if self.data.validation is not None:
            found["validation"] = self.data.validation
        return found

    @property
    def samples(self) -> dict[str, int]:
        """How many samples are behind each value."""
        found = {"train": self.data.train.total}
        if self.data.validation is not None:
            found["validation"] = self.data.validation.total
        return found

    @property
    def passes(self) -> int:
        """Forward passes of single samples that one point takes."""
        return sum(self.samples.values()) + (len(self.data.train) if self._averages else 0)

    def at(self, xy: NDArray[np.float64]) -> dict[str, float]:
        """All measures at one point of the plane, given its D coordinates."""
        self.move(xy)
        found: dict[str, Floats] = {}
        for name, samples in self.sets.items():
            size, moments = self.data.batch_size, self.population is not None
            sums = summed(self.model, samples, self.objective, batch_size=size, moments=moments)
            found |= self.named(name, sums)
        found = self.raised(found, xy[None])
        plain = {name: float(value) for name, [value] in found.items()}
        for name, (value, error) in self.objective.values_alone(self.model).items():
            plain |= {name: value, f"{name}_error": error}
        return plain

    def raised(self, found: dict[str, Floats], xy: Floats) -> dict[str, Floats]:
        """Values at points (n, D) with what weight decay adds to the training loss."""
        if self.decay is None:
            return found
        return found | {"train_loss": found["train_loss"] + self.decay.at(xy)}

    def penalty_of(self, weights: Weights) -> float:
        """What weight decay adds at any weights (P,)."""
        return 0.0 if self.decay is None else self.decay.of(weights)

    def named(self, name: str, sums: Tensor) -> dict[str, Floats]:
        """A set's values (K,) by the names that a scan has for them, from (2 or 5, V, K) sums.

        Of a subset with their standard errors, unless it is one of whole batches.
        """
        names, measured = self.objective.names, values(self.objective, sums)
        found = {f"{name}_{what}": v for what, v in zip(names, measured, strict=True)}
        if name in (self.population or {}) and self.objective.fixed is None:
            assert self.population is not None
            count, of = self.samples[name], self.population[name]
            errors = standard_errors(sums, count=count, population=of)
            found |= {f"{name}_{what}_error": v for what, v in zip(names, errors, strict=True)}
        return found

    def train_loss_at(self, xy: NDArray[np.float64]) -> float:
        """The training loss alone at one point of the plane."""
        self.move(xy)
        found = self.data.on_train(self.model).loss
        return found if self.decay is None else found + float(self.decay.at(xy[None])[0])

    def train_loss_of(self, weights: Weights | Iterator[Weights], buffers: Buffers) -> float:
        """The training loss at any weights (P,), in the plane's BatchNorm mode.

        ``saved`` and ``interpolate`` mean the weights' own statistics here. Without weight decay
        they may come in pieces.
        """
        self.set(weights, buffers)
        try:
            if self._recompute:
                recompute(self.model, self.data.train, self.objective)
            found = self.data.on_train(self.model).loss
            return found if isinstance(weights, Iterator) else found + self.penalty_of(weights)
        finally:  # the plane's points need their own
            load_buffers(self.model, self._buffers)

    @property
    def true_loss_is_recorded(self) -> bool:
        """Whether a trajectory's recorded loss is what `train_loss_of` would give."""
        return not self._recompute

    def set(self, weights: Weights | Iterator[Weights], buffers: Buffers) -> None:
        """Put the model at some weights with their buffers."""
        self.tied.move(weights)
        load_buffers(self.model, buffers)

    def move(self, xy: NDArray[np.float64]) -> None:
        """Put the model at a point (D,) of the plane, with the statistics that hold there."""
        # From the origin each time: nothing accumulates, and at (0, 0) the weights are exact.
        for start in range(0, len(self.vector), PART):
            part = slice(start, start + PART)
            point = self.origin[part].to(self.exact)
            for coordinate, direction in zip(xy.tolist(), self.directions, strict=True):
                point = torch.add(point, direction[part].to(self.exact), alpha=coordinate)
            with torch.no_grad():
                self.vector[part].copy_(point)
        self.tied.settle()
        if self._between is not None:
            load_buffers(self.model, self._between.at(xy))
            spectral.compute(self.model)
        if self._recompute:
            recompute(self.model, self.data.train, self.objective)

    def _fastest_batch(self) -> int:
        """Time a few batch sizes at the origin; caches make a factor of four between them."""
        count = min(len(self.data.train), TRIAL_SAMPLES)
        sizes = [size for size in BATCHES if size < count] + [count]
        seconds = dict.fromkeys(sizes, math.inf)
        for size in sizes:
            for _ in range(TRIALS):
                started = time.perf_counter()
                measure_samples(
                    self.model, self.data.train, self.objective, batch_size=size, at_most=count
                )
                seconds[size] = min(seconds[size], time.perf_counter() - started)
        return min(seconds, key=seconds.__getitem__)
