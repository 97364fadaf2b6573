"""Losses with a known outcome, and what would be measured beside them.

An epoch is 10 steps, with a row every 5; momentum enters where the rules look at it.
"""

import math
from dataclasses import replace

import numpy as np

from landscape.diagnose.evidence import Evidence, Rows, Setup
from landscape.store.measured.trainings import Trained
from landscape.store.measured.whole import StateAtStep as State

from . import planted_parts as parts

changed = parts.changed

L0 = math.log(10)
EPOCH, EVERY = 10, 5
ALIVE = State(1, gradient_norm=0.1, dead=(), saturated=(), logit_spread=0.8, lambda_max=5.0)
DEAD = State(
    1,
    gradient_norm=1e-3,
    dead=("hidden",),
    saturated=(),
    logit_spread=0.0,
    moving=("output.bias",),
    tensors=6,
    lambda_max=1e-6,
    lambda_min=-1e-7,
)


def decay(rows: int, floor: float, scale: float = 8.0) -> np.ndarray:
    return floor + (L0 - floor) * np.exp(-np.arange(rows) / scale)


def noisy(loss: np.ndarray, seed: int, size: float = 0.05) -> np.ndarray:
    return loss * np.exp(size * np.random.default_rng(seed).standard_normal(len(loss)))


def run(
    loss: np.ndarray, momentum: float, start: State = ALIVE, best: State = ALIVE, end: State = ALIVE
) -> Evidence:
    step = EVERY * np.arange(len(loss), dtype=np.int64)
    found = Evidence(Rows(step, np.asarray(loss, float)), Setup(0.1, EPOCH, momentum=momentum), L0)
    return changed(found, states={"start": start, "best": best, "end": end})


def learned(seed: int, momentum: float) -> Evidence:
    # Ends a thousand times lower than it began: quantiles of L differ by as much as in a bounce.
    return run(noisy(decay(200, 0.002, 25), seed, 0.2), momentum)


def noisy_learned(seed: int, momentum: float) -> Evidence:
    return run(noisy(decay(200, 0.15), seed, 0.3), momentum)


def diverged(seed: int, momentum: float) -> Evidence:
    loss = decay(100, 0.3)
    loss[50 + seed :] = np.inf
    return run(loss, momentum)


def dead_plateau(seed: int, momentum: float) -> Evidence:
    return run(noisy(np.full(100, L0), seed, 0.003), momentum, end=DEAD)


def early(seed: int, momentum: float) -> Evidence:
    """Learns for less than an epoch; then only the output bias moves, kicked by small batches."""
    generator = np.random.default_rng(seed)
    kicks = 0.05 * generator.standard_normal((200, 9))
    loss = L0 + 4 * (kicks**2).sum(1)
    loss[1:3] = 1.2 + 0.3 * generator.random(2)
    return run(loss, momentum, end=DEAD)


def asleep(seed: int, momentum: float) -> Evidence:
    """At a deep network's initialization: live, but outputs hardly depend on the input."""
    sleeping = State(0, dead=(), saturated=(), logit_spread=1e-5, lambda_max=0.01)
    return run(noisy(np.full(100, L0 + 1e-4), seed, 1e-4), momentum, start=sleeping, end=sleeping)


def vanishing(seed: int, momentum: float) -> Evidence:
    faded = State(500, dead=(), saturated=(), logit_spread=1e-5, lambda_max=0.01)
    return run(noisy(np.full(100, L0 + 1e-4), seed, 1e-4), momentum, end=faded)


def too_slow(seed: int, momentum: float) -> Evidence:
    slow = State(500, dead=(), saturated=(), logit_spread=0.1, lambda_max=0.1)
    loss = L0 * (1 - 0.03 * np.linspace(0, 1, 100))
    return run(noisy(loss, seed, 5e-4), momentum, start=slow, best=slow, end=slow)


def bouncing(seed: int, momentum: float) -> Evidence:
    """Good for most of the time, with a jump again and again."""
    return run(_with_jumps(seed, 2, 4), momentum)


def half_holding(seed: int, momentum: float) -> Evidence:
    """The same with jumps that last: a level that holds is left for a third of the time."""
    return run(_with_jumps(seed, 5, 9), momentum)


def _with_jumps(seed: int, shortest: int, longer: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    loss = noisy(decay(200, 0.2), seed, 0.1)
    for at in range(40, 195, 18):
        loss[at : at + generator.integers(shortest, longer)] = 1.2 + generator.random()
    loss[-3:] = 0.2
    return loss


def noisy_descent(seed: int, momentum: float) -> Evidence:
    """Falls to its end, by more in a third of the rows than what it has left: that is no jump."""
    loss = L0 * (1 - 0.85 * np.linspace(0, 1, 150) ** 2)
    return run(noisy(loss, seed, 0.07), momentum)


def learned_late(seed: int, momentum: float) -> Evidence:
    """On its plateau for nine tenths of the time."""
    loss = np.full(200, L0)
    loss[180:] = decay(20, 0.2 * L0, 6)
    return run(noisy(loss, seed, 0.01), momentum)


def lost_at_the_end(seed: int, momentum: float) -> Evidence:
    """Learned little, jumped about, lost it in its last rows: a network with BatchNorm on tiles."""
    early = (2.09, 2.10, 2.15, 3.8, 2.2, 2.02, 1.97, 1.96, 2.0, 2.04, 2.01, 1.87, 1.94, 2.05)
    later = (1.86, 2.0, 2.01, 1.91, 1.9, 1.91, 1.87, 1.84, 1.87, 1.84, 1.87, 1.9, 1.86, 1.96, 1.92)
    loss = np.array([*early, *later, 1.94, 2.13, 2.11, 2.12, 2.1, 2.15]) * L0 / math.log(8)
    found = run(noisy(loss, seed, 2e-3), momentum)
    accuracy = np.full(len(loss), 0.22)
    accuracy[-5:] = 0.12
    return replace(found, rows=replace(found.rows, train_accuracy=accuracy))


def lost_in_noise(seed: int, momentum: float) -> Evidence:
    """Lost for the last third; single rows dip, as others had leapt before."""
    generator = np.random.default_rng(seed)
    loss = noisy(decay(150, 0.32), seed, 0.2)
    loss[100:] = noisy(np.full(50, 2.4), seed, 0.2)
    for at in (40, 55, 70, 85):
        loss[at : at + generator.integers(2, 5)] = 1.9
    loss[-4] = 0.8
    return run(loss, momentum)


def seldom_low(seed: int, momentum: float) -> Evidence:
    """Noise about a constant output's loss: it isn't away from its lowest row."""
    return run(noisy(np.full(80, 1.5 * L0), seed, 0.5), momentum)


def surer(seed: int, momentum: float) -> Evidence:
    """The loss grows without end while the accuracy stays: a wide net at too large a rate."""
    loss = np.concatenate([decay(40, 0.1, 5), 0.1 * np.exp(0.2 * np.arange(60))])
    found = run(noisy(loss, seed, 0.3), momentum)
    accuracy = np.full(100, 0.95) + 0.01 * np.random.default_rng(seed).standard_normal(100)
    return replace(found, rows=replace(found.rows, train_accuracy=accuracy))


def no_level(seed: int, momentum: float) -> Evidence:
    """Back and forth between good and bad, as often the one as the other."""
    generator = np.random.default_rng(seed)
    loss = noisy(decay(200, 0.2), seed, 0.1)
    at = 40
    while at < 200:
        up, down = generator.integers(2, 6, 2)
        loss[at : at + up] = 1.2 + generator.random(len(loss[at : at + up]))
        at += up + down
    return run(loss, momentum)


def jumping_learner(seed: int, momentum: float) -> Evidence:
    """Begins to learn late and loses most of it every other time: never well for an epoch."""
    generator = np.random.default_rng(seed)
    loss = L0 * (1 - 0.2 * np.clip(np.arange(200) / 150 - 0.3, 0, 1))
    lost = np.arange(200) % 2 == 0
    back = generator.uniform(0.6, 0.9, lost.sum())
    loss[lost] = loss[lost] + back * (L0 - loss[lost])
    return run(noisy(loss, seed, 0.002), momentum)


def jumping_seldom(seed: int, momentum: float) -> Evidence:
    """Still learning at its end, by jumps: what a tanh network on photographs did."""
    begun = np.linspace(2.09, 2.01, 29)
    jumps = (
        *(2.00, 2.00, 1.95, 1.98, 1.97, 1.94, 1.92, 2.04, 1.88, 1.89, 1.91),
        *(1.92, 1.85, 1.92, 1.86, 1.88, 1.96, 1.86, 1.98, 1.82, 1.81),
    )
    loss = np.array([*begun, *jumps]) * L0 / math.log(8)
    return run(noisy(loss, seed, 3e-4), momentum)


def learned_briefly(seed: int, momentum: float) -> Evidence:
    """Learns for some rows among spikes; settles, quiet, below those and far less right."""
    generator = np.random.default_rng(seed)
    loss = noisy(np.full(200, 0.6 * L0), seed, 0.01)
    loss[:8] = decay(8, 0.3 * L0, 3)
    low, high = generator.uniform(0.2, 0.3, 40), generator.uniform(0.8, 1.4, 40)
    loss[8:48] = L0 * np.where(np.arange(40) % 5 < 3, low, high)
    accuracy = np.full(200, 0.6)
    accuracy[8:48] = 0.85
    found = run(loss, momentum)
    return replace(found, rows=replace(found.rows, train_accuracy=accuracy))


def spikes_then_dead(seed: int, momentum: float) -> Evidence:
    """Five short spikes, then dead for half the run."""
    loss = noisy(decay(200, 0.5), seed)
    for at in (30, 45, 60, 72, 85):
        loss[at : at + 2] = 1.8
    loss[100 + seed % 5 :] = noisy(np.full(100 - seed % 5, L0), seed, 0.002)
    return run(loss, momentum, end=DEAD)


def collapse(seed: int, momentum: float) -> Evidence:
    """A lasting one, to a loss that is a small share of L₀, with most of a layer dead."""
    best, after = ((0.01, 0.3), (0.05, 0.55))[seed % 2]
    loss = noisy(decay(200, best), seed, 0.1)
    loss[120:] = noisy(np.full(80, after), seed, 0.05)
    fallen = State(1, dead=(), saturated=(), partly_dead={"hidden": 0.8}, logit_spread=0.5)
    return run(loss, momentum, end=fallen)


def half_back(seed: int, momentum: float) -> Evidence:
    """A spike that comes back only part of the way."""
    loss = noisy(decay(200, 0.94), seed, 0.03)
    loss[100:104] = 3.0
    loss[104:] = noisy(np.full(96, 1.37), seed, 0.03)
    return run(loss, momentum)


def sagging(seed: int, momentum: float, lost: float = 0.004) -> Evidence:
    """The level rises, too little to be clear; so does the share that is wrong, by ``lost``."""
    loss = noisy(decay(200, 0.3), seed, 0.1)
    loss[120:] = noisy(np.full(80, 0.5), seed, 0.1)
    accuracy = np.full(200, 0.9)
    accuracy[120:] -= lost
    found = run(loss, momentum)
    return replace(found, rows=replace(found.rows, train_accuracy=accuracy))


def entropy_floor(seed: int, momentum: float) -> Evidence:
    """A language model, or noisy labels: settled well, far from zero."""
    floor = ((1 - 0.28) * L0, (1 - 0.49) * L0)[seed % 2]
    return run(noisy(decay(200, floor), seed, 0.01), momentum)


def saturated(seed: int, momentum: float) -> Evidence:
    """Tanh units at their bounds, and outputs that are huge."""
    full = State(1, dead=(), saturated=("hidden",), logit_spread=0.9)
    return run(noisy(np.full(200, 57 * L0), seed, 0.3), momentum, end=full)


def restless(seed: int, momentum: float) -> Evidence:
    """Never learns, alive, and jumps about above the constant output's loss."""
    return run(L0 * (1 + 0.4 * np.random.default_rng(seed).random(200)), momentum)


def escaped(seed: int, momentum: float) -> Evidence:
    loss = noisy(decay(200, 0.5), seed)
    onset = 60 + seed
    loss[onset : onset + 3] = (1.3, 1.9, 2.5)
    loss[onset + 3 :] = noisy(np.full(200 - onset - 3, L0), seed, 0.002)
    return run(loss, momentum, end=DEAD)


def escaped_after_spikes(seed: int, momentum: float) -> Evidence:
    loss = noisy(decay(200, 0.3), seed)
    loss[40:44], loss[70:73] = 1.8, 1.5
    loss[110 + seed :] = noisy(np.full(90 - seed, 1.6), seed, 0.02)
    return run(loss, momentum)


def spike(seed: int, momentum: float) -> Evidence:
    loss = noisy(decay(200, 0.3), seed)
    loss[80 + seed : 84 + seed] = (1.0, 2.0, 1.5, 1.1)
    return run(loss, momentum)


def late_spike(seed: int, momentum: float) -> Evidence:
    """The run ends inside an excursion: whether it comes back can not be known."""
    loss = noisy(decay(200, 0.3), seed)
    loss[-3:] = 2.0
    return run(loss, momentum)


def one_more(seed: int, momentum: float) -> Evidence:
    """Ends inside an excursion as well, after three that came back."""
    loss = noisy(decay(200, 0.3), seed)
    for at in (60, 100, 140):
        loss[at : at + 4] = 2.0
    loss[-3:] = 2.0
    return run(loss, momentum)


def slow_rise(seed: int, momentum: float) -> Evidence:
    """To six times the best, but never far enough for an excursion."""
    loss = np.concatenate([decay(100, 0.03, 5), np.linspace(0.03, 0.4, 100)])
    return run(noisy(loss, seed), momentum)


def stuck(seed: int, momentum: float) -> Evidence:
    found = run(noisy(np.maximum(decay(200, 1.6), 1.6), seed, 0.01), momentum)
    return replace(add(found, end_after=1.58), siblings_share=0.95)


def noise_floor(seed: int, momentum: float) -> Evidence:
    found = run(noisy(decay(200, 1.4), seed, 0.02), momentum)
    return add(found, end_after=0.2)


def hotter(seed: int, momentum: float) -> Evidence:
    """Higher in the end, but a tenth of the rate leads as low from there as from the best."""
    loss = noisy(decay(200, 0.2), seed)
    loss[100:] = noisy(np.full(100, 0.9), seed)
    lower = [
        Trained("lower-rate", start, step, 0.01, 0.5, 0.05)
        for start, step in (("best", 400), ("end", 995))
    ]
    return changed(run(loss, momentum), branches=lower)


def catapult(seed: int, momentum: float) -> Evidence:
    return changed(spike(seed, momentum), jump=parts.jump(30.0, 12.0, 0.9))


def tried(*, best: int, onset: int, control: float = 2.3, orders: int = 10) -> tuple[Trained, ...]:
    """Trainings from before an escape, of which so many orders leave again from each start."""
    found = []
    for start, step, away in (("best", 100, best), ("before-onset", 310, onset)):
        found.append(Trained("control", start, step, 0.1, 0.5, control, epochs=15))
        found.append(Trained("lower-rate", start, step, 0.01, 0.5, 0.05, epochs=15))
        found += [
            Trained("other-order", start, step, 0.1, 0.5, loss, order=k, epochs=15)
            for k, loss in enumerate([2.3] * away + [0.4] * (orders - away))
        ]
    return tuple(found)


def add(evidence: Evidence, *, end_after: float) -> Evidence:
    branch = Trained(
        "lower-rate", "end", 1000, 0.01, float(evidence.rows.train_loss[-1]), end_after
    )
    return changed(evidence, branches=(*evidence.measured.branches, branch))
