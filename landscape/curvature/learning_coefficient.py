"""The local learning coefficient around floors of a run, with what would make it meaningless.

λ̂ = nβ (E[L(w)] − L(w*)), the mean over exp(−nβ L(w) − γ/2 |w − w*|²), β = 1/ln n: the real log
canonical threshold of w* as n grows (Watanabe, 2013; Lau et al., 2023), at finite n an effective
complexity at the scale 1/(nβ) of the loss. Where the loss is a quadratic with eigenvalues hᵢ it is
½ Σ hᵢ/(hᵢ + γ/(nβ)), the null that it is held against: of a regular minimum too the tether leaves
less than P/2. γ is chosen so that chains of some thousand steps mix: a `TETHER`th of the stiffest
direction's pull.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from landscape.curvature import MEMORY, langevin
from landscape.curvature.density import trace_of
from landscape.curvature.hessian import Hessian
from landscape.curvature.krylov import Eigenpairs, Products, iterate, search
from landscape.curvature.langevin import Slopes, Tempering
from landscape.errors import LandscapeError
from landscape.problem.evaluate import Evaluator
from landscape.problem.losses import cross_entropy
from landscape.problem.problem import Problem
from landscape.problem.weights import Buffers
from landscape.store.measured.complexity import CoefficientCheck, LearningCoefficient
from landscape.store.scans.records import Floats
from landscape.store.trajectories.landmarks import checked_rows, spread
from landscape.store.trajectories.trajectory import Trajectory

FLOORS, CHAINS, BATCH = 3, 4, 128
CHECKING, WIDER = 2, 4
"""Chains of each check; so many times the batch is tried too, whose noise bends that much less."""
DESCENT = 300
"""Losses and gradients of all samples that the descent to a floor may take."""
TETHER = 10.0
"""γ is so many times weaker than the stiffest direction at the last floor, nβ h_max; chains are
as many times longer."""
STEP = 0.05
"""ε times the exponent's largest curvature at the floor,"""
LARGEST = 0.1
"""and the most that it may be where the chains ended: then a variance is 2.6 % too large."""
BURN_IN, DRAWS = 4.0, 8.0
"""Lengths of a chain in 1/(εγ) steps, after which the slowest squares have forgotten."""
MOST = 40_000
"""Steps of a chain."""
KNOWN, KRYLOV = 10, 40
"""Eigenpairs that the null takes as they are, of so many products;"""
PROBES, NODES = 6, 16
"""the rest by quadratures."""
FEWEST, FEWEST_SAMPLES = 30.0, 8
"""Effective draws of all chains together; n."""
DRIFT = 3.0
"""The halves of the draws may differ by so many errors."""
BIAS = 0.1
"""What sampling otherwise may change, and what w* may lie beside its minimum, as a share."""
Listener = Callable[[int, int], None]
"""``listener(done, total)``, in losses and gradients of single samples."""


def cost(samples: int, floors: int = FLOORS, batch_size: int = BATCH) -> tuple[int, int]:
    """Single samples' gradients and Hessian products that `measure` takes, roughly."""
    steps = round((BURN_IN + DRAWS) * (TETHER + 1) / STEP)
    batch = min(batch_size, samples)
    # The checks: a larger batch, twice the step, thrice the tether, half of the samples.
    checks = steps * (min(WIDER * batch, samples) + batch * (1 / 2 + 1 / 3 + 1))
    gradients = floors * (DESCENT * samples + CHAINS * steps * batch) + CHECKING * checks
    products = (floors + 2) * (KRYLOV + PROBES * NODES + 60) * samples
    return round(gradients), products


def measure(
    problem: Problem,
    trajectory: Trajectory,
    rows: Sequence[int] | None = None,
    *,
    chains: int = CHAINS,
    batch_size: int = BATCH,
    tether: float | None = None,
    controls: bool = True,
    seed: int = 0,
    device: str = "auto",
    memory: int = MEMORY,
    listener: Listener = lambda done, total: None,
) -> LearningCoefficient:
    """The coefficient at the floors beneath some rows, three spread over the run unless given.

    A floor is where L-BFGS on the loss of all samples ends within 300 evaluations. Around one of a
    network that separates its samples nothing is sampled, since cross-entropy has no minimum there;
    it is undetermined, and so are saddles, descents that didn't end, and chains that drift, leave
    or disagree. `cost` says what it takes at most.

    Args:
        chains: two at least.
        tether: γ, the same at every floor; chosen unless given.
        controls: whether the last floor that is sampled is measured otherwise too; without that
            nobody knows whether batches and steps are small enough.

    Raises:
        LandscapeError: no such row, fewer than two chains, too few samples, or curvature can't be
            had.

    >>> import torch, landscape as ls
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).repeat(20, 1)  # the Hessian is diag(2, 1/2)
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> problem = ls.Problem(model, (x, x[:, :1]), loss="half_square")
    >>> weights = ls.train(problem, lr=0.1, steps=5, to="runs/a").trajectory
    >>> found = measure(problem, weights, [5], chains=2, tether=10.0, controls=False)
    >>> found.value.round(1), found.null.round(1)  # of a quadratic they are the same
    (array([0.5]), array([0.5]))
    """
    if chains < 2:
        raise LandscapeError(f"the learning coefficient needs at least 2 chains, got {chains}")
    rows = (
        [row for row in spread(trajectory, most=FLOORS + 1) if row > 0]
        if rows is None
        else checked_rows(trajectory, rows)
    )
    told = _Spent(
        listener, Hessian(problem, device=device, memory=memory).samples, len(rows), batch_size
    )
    around = Surroundings(
        problem,
        chains=chains,
        batch_size=batch_size,
        seed=seed,
        device=device,
        memory=memory,
        told=told,
    )
    floors = [around.floor(trajectory.row_weights(row), trajectory.buffers(row)) for row in rows]
    is_entropy = problem.loss is cross_entropy
    sampled = [k for k, floor in enumerate(floors) if not (is_entropy and floor.separates)]
    last = sampled[-1] if sampled else -1
    strength = around.samples / math.log(around.samples)
    if tether is None:
        tether = strength * around.top(floors[last]) / TETHER
    tempering = Tempering(strength, _above_zero(tether))
    found = [
        (around.estimate if k in sampled else around.unsampled)(floor, tempering)
        for k, floor in enumerate(floors)
    ]
    checked = controls and bool(sampled)
    checks = tuple(_checks(around, floors[last], tempering, found[last])) if checked else ()
    return LearningCoefficient(
        step=trajectory.step[rows],
        floor_loss=np.array([floor.loss for floor in floors]),
        moved=np.array([floor.moved for floor in floors]),
        undetermined=_reasons(found, sampled, tempering, _disagreeing(found[last], checks)),
        **{name: np.array([getattr(one, name) for one in found]) for name in COLUMNS},
        top=np.array([one.spectrum.top for one in found]),
        null=np.array([one.spectrum.null for one in found]),
        null_error=np.array([one.spectrum.null_error for one in found]),
        samples=around.samples,
        inverse_temperature=1 / math.log(around.samples),
        tether=tether,
        batch_size=around.batch_size,
        parameters=around.hessian.block.size,
        unit="nats" if is_entropy else "the loss's own, taken for nats",
        checks=checks,
    )


def _above_zero(tether: float) -> float:
    if not tether > 0:
        raise LandscapeError(
            f"the learning coefficient needs a tether above 0, got {tether:g}: the last floor has "
            "no curvature to choose it by"
        )
    return tether


SEPARATES = (
    "every training sample is classified as labelled, so that cross-entropy has no finite minimum "
    "there"
)
COLUMNS = ("value", "error", "by_chain", "effective", "step_size", "burn_in", "draws")
"""Of an `Estimate` those that are stored."""


@dataclass(frozen=True)
class Floor:
    """A point that the loss was descended to."""

    weights: Floats
    """(P,)"""
    buffers: Buffers
    loss: float
    gradient: Floats
    """(P,)"""
    moved: float
    """From where the descent began."""
    separates: bool
    """Whether every sample is classified as labelled."""


@dataclass(frozen=True)
class FloorSpectrum:
    """What is known of the Hessian at a floor, and so of its tempered neighbourhood."""

    top: float
    lowest: float
    null: float
    """½ Σ h/(h + γ/(nβ)); NaN where a direction falls faster than the tether holds."""
    null_error: float
    slack: float
    """By how much the exponent's minimum lies below w*, were it a quadratic."""


@dataclass(frozen=True)
class Estimate:
    """The coefficient at one floor."""

    spectrum: FloorSpectrum
    value: float
    error: float
    by_chain: Floats
    """(C,)"""
    effective: float
    halves: float
    """By how many errors the draws' second half differs from the first."""
    steepest: float
    """ε times the exponent's largest curvature where the chains ended."""
    step_size: float
    burn_in: int
    draws: int
    forgotten: float
    """How often the slowest squares forget within the draws of a chain."""


class _Spent:
    """Hears of single samples' gradients, and tells what share of all they are."""

    def __init__(self, listener: Listener, samples: int, floors: int, batch_size: int) -> None:
        self._listener, self._done = listener, 0
        self._total = cost(samples, floors, batch_size)[0]

    def __call__(self, samples: int) -> None:
        self._done += samples
        self._listener(min(self._done, self._total), self._total)


class Surroundings:
    """The loss over all samples or some, around floors of it: descents, spectra, chains."""

    def __init__(
        self,
        problem: Problem,
        *,
        chains: int = CHAINS,
        batch_size: int = BATCH,
        seed: int = 0,
        device: str = "auto",
        memory: int = MEMORY,
        indices: torch.Tensor | None = None,
        told: Callable[[int], None] = lambda samples: None,
    ) -> None:
        """Take the mean over the samples with these indices, all unless given."""
        self._problem, self._chains, self._seed, self._device = problem, chains, seed, device
        self._told = told
        self.hessian = Hessian(problem, device=device, memory=memory)
        self._of_vectors = self.hessian.of_vectors
        self._indices = torch.arange(self.hessian.samples) if indices is None else indices
        if indices is not None:
            self.hessian.select(indices)
        self.samples = len(self._indices)
        if self.samples < FEWEST_SAMPLES:
            raise LandscapeError(
                f"the learning coefficient needs at least {FEWEST_SAMPLES} samples, "
                f"got {self.samples}"
            )
        self.batch_size = min(batch_size, self.samples)
        self._batches = Hessian(problem, device=device, memory=memory)
        self._evaluator = Evaluator(problem, next(self.hessian.model.parameters()).device)
        self._generator = torch.Generator().manual_seed(seed)
        self._moving = self.hessian.embedded(np.ones(self.hessian.block.size))

    def half(self) -> Surroundings:
        """Of half of the samples, drawn by the seed."""
        generator = torch.Generator().manual_seed(self._seed)
        drawn = torch.randperm(self.samples, generator=generator)[: self.samples // 2]
        return Surroundings(
            self._problem,
            chains=self._chains,
            batch_size=self.batch_size,
            seed=self._seed,
            device=self._device,
            memory=self.hessian.memory,
            indices=self._indices[drawn].sort().values,
            told=self._told,
        )

    def floor(self, start: NDArray[np.floating], buffers: Buffers) -> Floor:
        """Descend from weights (P,), buffers staying as they are."""
        begin = np.asarray(start, np.float64)
        self.hessian.move(begin, buffers)

        def value(weights: Floats) -> tuple[float, Floats]:
            self.hessian.move(weights)
            self._told(self.samples)
            return self.hessian.gradient()

        limits = {"maxfun": DESCENT, "maxiter": DESCENT, "maxcor": 20, "ftol": 0.0, "gtol": 1e-7}
        found = minimize(value, begin, jac=True, method="L-BFGS-B", options=limits)
        weights = np.asarray(found.x, np.float64)
        loss, gradient = value(weights)
        moved = float(np.linalg.norm(weights - begin))
        # Of the whole data, which half of it being told apart doesn't show.
        separates = self._evaluator.on_train(self.hessian.model).accuracy == 1.0
        return Floor(weights, buffers, loss, gradient, moved, separates)

    def top(self, floor: Floor) -> float:
        """The largest eigenvalue."""
        self.hessian.move(floor.weights, floor.buffers)
        return self._top(KRYLOV)

    def spectrum(self, floor: Floor, tempering: Tempering) -> FloorSpectrum:
        """The null, from the largest eigenpairs and the density of the rest."""
        self.hessian.move(floor.weights, floor.buffers)
        block = self.hessian.block
        count = min(KNOWN, block.size)
        krylov = search(
            block,
            count,
            products=KRYLOV,
            tolerance=1e-4,
            seed=self._seed,
            memory=self._of_vectors,
        )
        kept = slice(len(krylov.values) - count, None)
        pairs = Eigenpairs(krylov.values[kept], krylov.vectors(kept))
        flat, lowest = tempering.tether / tempering.strength, float(krylov.values[0])
        null, error = math.nan, math.nan
        if lowest > -flat:
            null, error = trace_of(
                lambda values: 0.5 * values / (values + flat),
                block,
                pairs,
                probes=PROBES,
                steps=NODES,
                seed=self._seed,
                memory=self._of_vectors,
            )
        slope = floor.gradient[self._moving > 0]
        slack = _slack(block, slope, tempering, self._of_vectors)
        return FloorSpectrum(float(pairs.values[-1]), lowest, null, error, slack)

    def estimate(
        self,
        floor: Floor,
        tempering: Tempering,
        *,
        step: float = STEP,
        batch_size: int | None = None,
        chains: int | None = None,
        spectrum: FloorSpectrum | None = None,
    ) -> Estimate:
        """Sample around a floor, by steps of so much over the stiffest direction's pull.

        ``spectrum`` is the floor's under this tempering, where it is known already.
        """
        spectrum = spectrum or self.spectrum(floor, tempering)
        stiffest = float(tempering.curvature(max(spectrum.top, 0.0)))
        step_size = step / stiffest
        lengths = np.array([BURN_IN, DRAWS]) / (step_size * tempering.tether)
        burn_in, draws = (int(n) + 1 for n in lengths * min(1.0, MOST / lengths.sum()))
        size = min(batch_size or self.batch_size, self.samples)
        walked = langevin.sample(
            self._slopes(floor, size),
            floor.weights,
            tempering,
            step_size=step_size,
            burn_in=burn_in,
            draws=draws,
            chains=chains or self._chains,
            seed=self._seed,
            scale=self._moving,
            every=self.samples // size,
            observe=None if size == self.samples else self._losses(floor),
        )
        energies = tempering.strength * (walked.losses - floor.loss)
        value, error, effective, halves, steepest = math.nan, math.nan, 0.0, math.inf, math.inf
        if walked.is_finite:
            value, error = float(energies.mean()), langevin.error(energies)
            effective, halves = langevin.effective(energies), _drift(energies)
            curved = max(self._steepest(floor, point) for point in walked.last)
            steepest = step_size * float(tempering.curvature(curved))
        return Estimate(
            spectrum=spectrum,
            value=value,
            error=error,
            by_chain=energies.mean(0),
            effective=effective,
            halves=halves,
            steepest=steepest,
            step_size=step_size,
            burn_in=burn_in,
            draws=draws,
            forgotten=draws * step_size * tempering.tether,
        )

    def unsampled(self, floor: Floor, tempering: Tempering) -> Estimate:
        """Where there is no minimum to sample around: its spectrum alone."""
        nothing = np.full(self._chains, math.nan)
        return Estimate(
            spectrum=self.spectrum(floor, tempering),
            value=math.nan,
            error=math.nan,
            by_chain=nothing,
            effective=0.0,
            halves=math.nan,
            steepest=math.nan,
            step_size=math.nan,
            burn_in=0,
            draws=0,
            forgotten=0.0,
        )

    def _slopes(self, floor: Floor, size: int) -> Slopes:
        """Losses and gradients of a fresh batch for each chain; of all samples where it is."""
        self._batches.move(floor.weights, floor.buffers)
        self._batches.select(self._indices)

        def slopes(points: Floats) -> tuple[Floats, Floats]:
            losses, gradients = np.empty(len(points)), np.empty_like(points)
            for number, point in enumerate(points):
                if size < self.samples:
                    drawn = torch.randperm(self.samples, generator=self._generator)[:size]
                    self._batches.select(self._indices[drawn])
                self._batches.move(point)
                losses[number], gradients[number] = self._batches.gradient()
                self._told(size)
            return losses, gradients

        return slopes

    def _losses(self, floor: Floor) -> Callable[[Floats], Floats]:
        """Losses of all samples, as often as that takes about as long as the batches'."""
        self.hessian.move(floor.weights, floor.buffers)

        def losses(points: Floats) -> Floats:
            found = np.empty(len(points))
            for number, point in enumerate(points):
                self.hessian.move(point)
                found[number] = self.hessian.loss()
            return found

        return losses

    def _steepest(self, floor: Floor, point: Floats) -> float:
        self.hessian.move(point, floor.buffers)
        return self._top(10)

    def _top(self, products: int) -> float:
        block, memory = self.hessian.block, self._of_vectors
        found = search(block, 1, products=products, seed=self._seed, memory=memory)
        return float(found.values[-1])


def _slack(block: Products, slope: Floats, tempering: Tempering, memory: int) -> float:
    """½ (nβ)² g'(nβH + γ)⁻¹ g, by Lanczos from g; infinite where that isn't positive definite."""
    length = float(np.linalg.norm(slope))
    if length == 0:
        return 0.0
    for krylov in iterate(block, slope.copy(), most=NODES, memory=memory):
        found = krylov
    curved = np.asarray(tempering.curvature(found.values))
    if curved.min() <= 0:
        return math.inf
    return float(
        (tempering.strength * length) ** 2 / 2 * (found.coordinates[0] ** 2 / curved).sum()
    )


def _drift(energies: Floats) -> float:
    half = len(energies) // 2
    first, second = energies[:half], energies[half:]
    apart = math.hypot(langevin.error(first), langevin.error(second))
    return abs(float(second.mean() - first.mean())) / apart if apart > 0 else 0.0


def _checks(
    around: Surroundings, floor: Floor, tempering: Tempering, found: Estimate
) -> Iterator[CoefficientCheck]:
    """A floor again: otherwise sampled, and at other scales."""

    def check(
        change: str, what: Surroundings, one: Estimate, scale: Tempering, *, same: bool
    ) -> CoefficientCheck:
        return CoefficientCheck(
            change=change,
            value=one.value,
            error=one.error,
            null=one.spectrum.null,
            samples=what.samples,
            inverse_temperature=1 / math.log(what.samples),
            tether=scale.tether,
            step_size=one.step_size,
            batch_size=what.batch_size,
            same=same,
        )

    again = partial(around.estimate, floor, tempering, chains=CHECKING, spectrum=found.spectrum)
    if around.batch_size < around.samples:
        size = min(WIDER * around.batch_size, around.samples)
        change = "all samples at every step" if size == around.samples else "four times the batch"
        wider = check(change, around, again(batch_size=size), tempering, same=True)
        yield replace(wider, batch_size=size)
    longer = again(step=2 * STEP)
    yield check("twice the step", around, longer, tempering, same=True)
    tight = replace(tempering, tether=3 * tempering.tether)
    held = around.estimate(floor, tight, chains=CHECKING)
    yield check("three times the tether", around, held, tight, same=False)
    if around.samples >= 2 * FEWEST_SAMPLES:
        half = around.half()
        fewer = replace(tempering, strength=half.samples / math.log(half.samples))
        other = half.estimate(half.floor(floor.weights, floor.buffers), fewer, chains=CHECKING)
        yield check("half of the samples", half, other, fewer, same=False)


def _reasons(
    found: Sequence[Estimate],
    sampled: Sequence[int],
    tempering: Tempering,
    disagreeing: Iterable[str],
) -> tuple[str, ...]:
    """Of each floor why its value means nothing; empty where it does."""
    everywhere = tuple(disagreeing)
    return tuple(
        "; ".join((*_against(one, tempering), *everywhere)) if k in sampled else SEPARATES
        for k, one in enumerate(found)
    )


def _against(found: Estimate, tempering: Tempering) -> Iterator[str]:
    """Why an estimate means nothing, a sentence each."""
    spectrum = found.spectrum
    if spectrum.lowest <= -tempering.tether / tempering.strength:
        yield "the floor is a saddle: the loss falls along a direction faster than the tether holds"
    if math.isnan(found.value):
        yield "a chain left for where the loss isn't finite"
        return
    # Were the loss a quadratic, w* would count for up to twice that too little.
    allowed = max(found.error, BIAS * abs(found.value))
    if not 2 * spectrum.slack <= allowed:
        yield (
            f"the descent didn't reach a minimum: within the tether's reach λ falls by up to "
            f"{2 * spectrum.slack:.2g}"
        )
    if found.by_chain.min() < 0:
        yield "a chain's mean loss is below the floor's"
    if found.halves > DRIFT:
        yield f"the chains drift: their halves differ by {found.halves:.1f} errors"
    if found.effective < FEWEST:
        yield f"the draws amount to {found.effective:.0f} independent ones, fewer than {FEWEST:.0f}"
    if found.forgotten < DRAWS / 2:
        yield "the chains are too short for the tether"
    if found.steepest > LARGEST:
        yield (
            f"the step is too large for the curvature that the chains met, {found.steepest:.2g} "
            f"of it where {LARGEST:g} is allowed"
        )


def _disagreeing(found: Estimate, checks: Sequence[CoefficientCheck]) -> Iterator[str]:
    for check in checks:
        error = math.hypot(check.error, found.error)
        apart = abs(check.value - found.value)
        if check.same and not apart <= max(DRIFT * error, BIAS * abs(found.value)):
            yield (
                f"with {check.change} the last floor's is {check.value:.3g}, not {found.value:.3g}"
            )
