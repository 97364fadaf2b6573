"""Trajectories with a known motion: heavy-ball SGD in worlds whose answer is plain."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from landscape.diagnose.evidence import Evidence, Rows, Setup
from landscape.diagnose.motion import diffusion, distances
from landscape.diagnose.motion.grid import Grid
from landscape.diagnose.motion.stretches import of_several
from landscape.store.measured.trainings import Replicas, Stretches
from landscape.store.measured.whole import Measured

from . import planted_parts as parts

changed = parts.changed

SEEDS = 20
POINTS = 128
STEPS = 2048
WARM = 256
LOSS, L0 = 0.05, math.log(10)

Force = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class World:
    """A gradient, the noise on it, and what SGD is asked to do there."""

    gradient: Force
    dimensions: int
    momentum: float
    lr: float = 0.1
    noise: float | np.ndarray = 1.0
    steps: int = STEPS
    start: float | np.ndarray = 0.0
    """Standard deviation of the weights some steps before the window."""
    connected: bool | Callable[[np.ndarray], bool] = True
    """Whether floors are: given, or read off positions (T, D)."""
    trend: float = 0.0
    """Change of log loss over the window."""


def sgd(world: World, start: np.ndarray, steps: int, seed: int, *, every: int = 1) -> np.ndarray:
    """Positions (steps/every + 1, ..., D): v = βv + g, w = w − ηv."""
    generator = np.random.default_rng(seed)
    w, velocity = start.copy(), np.zeros_like(start)
    kept = [w.copy()]
    for step in range(1, steps + 1):
        noise = generator.standard_normal(w.shape, dtype=np.float32)
        g = world.gradient(w) + world.noise * noise
        velocity = world.momentum * velocity + g
        w = w - world.lr * velocity
        if step % every == 0:
            kept.append(w.copy())
    return np.array(kept)


def evidence(world: World, *, seed: int = 0, count: int = SEEDS, share: int = 1) -> list[Evidence]:
    """The evidence of ``count`` runs in a world, replicas and floors included.

    Replicas are as long as the window and start with it, or last a ``share``-th of it and start in
    its middle.
    """
    every = world.steps // (32 * share * max(1, POINTS // (32 * share)))
    length = world.steps // share
    generator = np.random.default_rng(seed)
    start = world.start * generator.standard_normal((count, world.dimensions))
    start = sgd(world, start, WARM, seed + 1, every=WARM)[-1]
    w = sgd(world, start, world.steps, seed + 2, every=every)
    begin = start if share == 1 else w[len(w) // 2]
    again = np.repeat(begin[:, None], 4, axis=1)
    others = sgd(world, again, length, seed + 3, every=length // 32)
    step = every * np.arange(len(w), dtype=np.int64)
    noise = generator.standard_normal((count, len(w)))
    found = []
    for run in range(count):
        log_loss = math.log(LOSS) + world.trend * step / step[-1] + 0.02 * noise[run]
        is_connected = world.connected
        if callable(is_connected):
            is_connected = is_connected(w[:, run])
        barrier = parts.barrier(0.3, 0.2) if is_connected else parts.barrier(20.0, 8.0)
        found.append(
            Evidence(
                Rows(step, np.exp(log_loss)),
                Setup(world.lr, 64, momentum=world.momentum),
                L0,
                measured=Measured(
                    diffusion=diffusion.measure(distances.between(w[:, run], step)),
                    interventions=parts.moved(
                        replicas=replicas(others[:, run], begin[run], length),
                        stretches=None if share == 1 else stretches(w[:, run], share, length),
                    ),
                    connectivity=parts.connectivity(10, barrier, matched=barrier),
                    # Where no line connects, curves are tried before anything is called a basin.
                    curves=None if is_connected else parts.curves(10, barrier),
                ),
            )
        )
    return found


def replicas(w: np.ndarray, start: np.ndarray, steps: int) -> Replicas:
    """Of the positions (33, k, D) of k replicas."""
    moved = w[-1] - start
    count = len(moved)
    pairs = [((moved[a] - moved[b]) ** 2).sum() for a in range(count) for b in range(a)]
    first, second = w[16] - w[0], w[-1] - w[16]
    cosines = (first * second).sum(1) / np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return Replicas(
        count,
        float(np.mean(pairs) / (2 * (moved**2).sum(1).mean())),
        float(cosines.mean()),
        float(cosines.std(ddof=1) / math.sqrt(count)),
        lag_ratio=float(np.mean(_msd(w, 16) / _msd(w, 4))),
        dimension=of_several([_grid(w[:, k]).dimension() for k in range(count)]),
        steps=steps,
    )


def stretches(w: np.ndarray, count: int, steps: int) -> Stretches:
    """Of the positions (n count + 1, D) of a run."""
    each = (len(w) - 1) // count
    found = [_grid(w[each * k : each * (k + 1) + 1]) for k in range(count)]
    cosines = np.array([grid.half_cosine() for grid in found])
    return Stretches(
        count,
        steps,
        float(cosines.mean()),
        float(cosines.std(ddof=1) / math.sqrt(count)),
        float(np.mean([grid.ratio() for grid in found])),
        of_several([grid.dimension() for grid in found]),
        float(np.median([grid.hops() for grid in found])),
    )


def _grid(w: np.ndarray) -> Grid:
    return Grid.of(distances.between(w), None, None)


def _msd(w: np.ndarray, lag: int) -> np.ndarray:
    return ((w[lag:] - w[:-lag]) ** 2).sum(-1).mean(0)


def quadratic(curvature: np.ndarray | float) -> Force:
    return lambda w: curvature * w


def spread(h: float | np.ndarray, momentum: float) -> np.ndarray:
    """Stationary standard deviation at η = 0.1 and noise 1; 0 where h = 0."""
    bowl = np.where(h, h, 1.0)
    variance = 0.1 * (1 + momentum) / (bowl * (1 - momentum) * (2 * (1 + momentum) - 0.1 * bowl))
    return np.where(h, np.sqrt(variance), 0.0)


def rate(world_steps: int, lr: float, momentum: float, times: float) -> float:
    """The curvature whose correlation time is 1/``times`` of the steps."""
    return times * (1 - momentum) / (lr * world_steps)


def drift(momentum: float) -> World:
    slope = np.full(100, 1.0)
    return World(lambda w: slope, 100, momentum)


def confined(momentum: float, times: float = 60.0, dimensions: int = 200) -> World:
    h = rate(STEPS, 0.1, momentum, times)
    return World(quadratic(h), dimensions, momentum, start=spread(h, momentum))


def walk(momentum: float, dimensions: int = 200) -> World:
    return World(quadratic(0.0), dimensions, momentum)


def mixture(momentum: float, walking: int = 50) -> World:
    """A confined movement, and a walk in some coordinates that has 0.4 of MSD(T/2)."""
    h = np.full(200, rate(STEPS, 0.1, momentum, 100.0))
    h[:walking] = 0.0
    # Over T/2 a walking coordinate covers η²σ²T/2/(1−β)², a confined one 2V = ησ²/(h(1−β)).
    inside = (200 - walking) * 0.1 / (h[-1] * (1 - momentum))
    outside = walking * 0.1**2 * STEPS / 2 / (1 - momentum) ** 2
    noise = np.ones(200)
    noise[:walking] = math.sqrt(inside / outside * 0.4 / 0.6)
    return World(quadratic(h), 200, momentum, noise=noise, start=spread(h, momentum))


def drifting_mixture(momentum: float) -> World:
    """A confined movement and a drift that has 0.6 of MSD(T/2)."""
    h = np.full(200, rate(STEPS, 0.1, momentum, 100.0))
    h[0] = 0.0
    inside = 199 * 0.1 / (h[-1] * (1 - momentum))
    slope = np.zeros(200)
    slope[0] = math.sqrt(inside * 0.6 / 0.4) / (STEPS / 2) * (1 - momentum) / 0.1
    noise = np.ones(200)
    noise[0] = 0.0
    return World(lambda w: h * w - slope, 200, momentum, noise=noise, start=spread(h, momentum))


def drifting_walk(momentum: float) -> World:
    """A walk, and a drift that has 0.6 of MSD(T/2), and 0.16 of MSD over a sixteenth of T."""
    noise = np.ones(200)
    noise[0] = 0.0
    slope = np.zeros(200)
    slope[0] = math.sqrt(0.6 / 0.4 * 199 / (STEPS / 2))
    return World(lambda w: slope + 0.0 * w, 200, momentum, noise=noise)


def slow_drift(momentum: float, share: float) -> list[Evidence]:
    """Runs that are confined for 60 correlation times, and drift by a ``share`` of MSD(T/2)."""
    h = np.full(201, rate(STEPS, 0.1, momentum, 60.0))
    h[0] = 0.0
    inside = 200 * 0.1 / (h[-1] * (1 - momentum))
    slope = np.zeros(201)
    slope[0] = math.sqrt(inside * share / (1 - share)) / (STEPS / 2) * (1 - momentum) / 0.1
    noise = np.ones(201)
    noise[0] = 0.0
    start = spread(h, momentum)
    return evidence(World(lambda w: h * w - slope, 201, momentum, noise=noise, start=start))


def narrow_mixture(momentum: float) -> World:
    """The same with so few walking coordinates that c½ may be anything."""
    return mixture(momentum, walking=4)


def half_done(momentum: float) -> World:
    """Confined by curvatures over two decades, the softest for ten correlation times."""
    times = np.geomspace(10, 1000, 200)
    h = rate(STEPS, 0.1, momentum, 1.0) * times
    return World(quadratic(h), 200, momentum, start=spread(h, momentum))


def ornstein(momentum: float, times: float = 1.0) -> World:
    h = rate(STEPS, 0.1, momentum, times)
    return World(quadratic(h), 200, momentum, start=spread(h, momentum))


def few(momentum: float) -> World:
    """A walk in so few dimensions that its cosines are any number."""
    return walk(momentum, dimensions=4)


def descending(momentum: float) -> World:
    return replace(walk(momentum), trend=-0.5)


def rising(momentum: float) -> World:
    return replace(walk(momentum), trend=0.5)


def leaping(momentum: float) -> World:
    """A walk that one step in 500 takes far, in all directions at once."""

    def gradient(w: np.ndarray) -> np.ndarray:
        leap = generator.random((*w.shape[:-1], 1)) < 1 / 500
        return 60 * leap * generator.standard_normal(w.shape)

    generator = np.random.default_rng(7)
    return World(gradient, 200, momentum)


def wells(momentum: float, count: int = 100) -> World:
    """Double wells (x² − 1)² that are hopped over so often that it looks like confinement."""

    def gradient(x: np.ndarray) -> np.ndarray:
        return 4 * x * (x**2 - 1)

    def joined(x: np.ndarray) -> bool:
        return len(np.unique(np.sign(x[:: len(x) // 10]), axis=0)) == 1

    return World(
        gradient,
        count,
        momentum,
        lr=0.02 * (1 - momentum),
        noise=7.5,
        start=1.0,
        connected=joined,
        steps=4 * STEPS,
    )
