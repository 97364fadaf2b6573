"""The second question, in a long training: does it stay or explore, how far, and among what."""

from __future__ import annotations

import math

import numpy as np

from landscape.diagnose.connectivity import basins
from landscape.diagnose.course import course_of
from landscape.diagnose.items import Value
from landscape.diagnose.motion import slope, window
from landscape.diagnose.motion.deciding import BENT, INTERVENE
from landscape.diagnose.motion.estimates import is_sgd
from landscape.diagnose.outcome_names import UNDETERMINED
from landscape.diagnose.verdict.asked import (
    TESTED,
    Asked,
    Told,
    measuring,
    unanswered,
)
from landscape.diagnose.verdict.verdict import Verdict
from landscape.diagnose.verdict.wording import (
    enumerated,
    excursions_said,
    is_below,
    is_no_sum,
    motion_rests_on,
    motion_sentence,
    number_of,
    of_motion,
    over_steps,
    said,
    shares_said,
    with_errors,
)
from landscape.quantities import counted, number, percent
from landscape.store.measured.paths import PATHS, Barrier
from landscape.store.measured.weights import Copies, Diffusion
from landscape.store.scans.records import Floats
from landscape.store.scans.sentences import IGNORING
from landscape.store.verdicts import Remedy

TRAIN = "trainings from its window would tell"
OTHERS = "for other networks see docs/science/regimes.md in landscape's source"
ESCAPED = "after an escape, trainings from its snapshots ask why it left, not how it moves"


def stays(asked: Asked) -> Told:
    """Whether it stays near a place or explores, and over which time."""
    verdict = asked.verdict
    if verdict.verdict == "diverged":
        return unanswered("weights that became infinite are nowhere")
    text = motion_sentence(verdict)
    for which, steps in (("window", "window_steps"), ("replicas", "replicas_steps")):
        name = said(verdict, f"over_{which}")
        if isinstance(name, str) and name not in (verdict.motion, UNDETERMINED):
            text += f" {over_steps(verdict, number_of(verdict, steps))} it is {name}."
    if verdict.motion == UNDETERMINED:
        text += _as_sum(verdict)
        return Told(text, UNDETERMINED, verdict.would_tell.get("motion"))
    return Told(text, motion_rests_on(verdict))


NO_SUM = -0.05
"""Nothing is read as a sum that has a share below this, be its error as large."""


def _as_sum(verdict: Verdict) -> str:
    """What its movement is the sum of, or that it is none; nothing where that is open."""
    if is_no_sum(verdict):
        return " It is no sum of a confined movement, a walk and a drift either."
    shares = shares_said(verdict)
    if not shares or min(number_of(verdict, f"share_{kind}") or 0.0 for kind in shares) < NO_SUM:
        return ""
    parts = "{confined} confined, {walk} a walk, {drift} a drift".format_map(shares)
    return f" Read as a sum, its squared displacement over half the window is {parts}."


def apart(asked: Asked) -> Told:
    """How d(w_N, w_M) behaves by lag."""
    spread, moved = asked.evidence.measured.distances, asked.evidence.measured.diffusion
    if spread is None:
        return unanswered("they weren't measured", measuring("distances"))
    curve = spread.settled or spread.by_lag
    places = sorted({0, len(curve.lag) // 2, len(curve.lag) - 1})
    lags = enumerated([f"{curve.lag[at]:,.0f}" for at in places])
    apart = enumerated([number(float(curve.distance[at])) for at in places])
    since = "In the whole run"
    if spread.settled:
        since = f"Since step {spread.since:,} ({_window(asked)})"
    steps = "step" if lags == "1" else "steps"
    counts = [int(curve.pairs[at]) for at in places]
    pairs = f"root mean square of {enumerated([f'{count:,}' for count in counts])} pairs"
    if set(counts) == {1}:  # no mean of any
        pairs = "one pair" + " each" * (len(counts) > 1)
    text = (
        f"{since} weights {lags} {steps} apart differ by {apart} ({pairs}"
        f"{_kind(spread.distances.source)})"
    )
    return Told(f"{text}{'' if moved is None else _growth(moved)}.")


def _window(asked: Asked) -> str:
    """Which steps its window is, the one that its motion is read from."""
    setup, course = asked.evidence.setup, course_of(asked.evidence, asked.thresholds)
    if setup.after is not None:
        return "its window, as asked for"
    of = ""
    if course is not None and course.left is not None:
        of = " since it left"
    elif setup.constant_from > int(asked.evidence.rows.step[0]):
        of = " at its last rate"
    share = asked.thresholds.window
    part = "half" if share == 1 / 2 else percent(share)
    return f"its window, about the last {part}{of}"


def _kind(source: str) -> str:
    """What pairs are, where they aren't of recorded weights."""
    return "" if source == "snapshots" else " of steps, estimated from sketches"


def _growth(moved: Diffusion) -> str:
    """By which power of the lag the square grows, where it does, and up to which lag."""
    if not math.isnan(moved.exponent):
        return (
            f"; up to lags of {counted(round(moved.fitted_to), 'step')} the square grows like "
            f"lag^{number(moved.exponent, 2)} ± {number(moved.exponent_error, 1)} (0 confined, 1 a "
            "random walk, 2 a drift); the motion is read at longer lags, where it may be another"
        )
    if not (moved.msd > 0).all():
        return ""
    text = "; the square grows like no power of the lag"
    if (peak := moved.overshoot) is not None:
        lag = counted(max(1, round(peak.lag)), "step")
        return (
            f"{text}: it overshoots, with a peak at a lag of about {lag}, and falls back to about "
            f"{percent(peak.back)} of that, as an oscillation does"
        )
    if math.isnan(moved.correlation_time):
        return text
    time = counted(max(1, round(moved.correlation_time)), "step")
    return f"{text}: it levels off after about {time}"


def beside_copies(asked: Asked) -> Told:
    """Whether that is far, beside networks that are equal but for the order of units."""
    copies, moved = asked.evidence.measured.permutations, asked.evidence.measured.diffusion
    distance = _half_window(asked)
    if copies is None:
        return unanswered("distances to its copies weren't measured", measuring("permutations"))
    if distance is None or moved is None:
        return unanswered(
            "how far it moves while it stays wasn't measured", measuring("distances", "diffusion")
        )
    if copies.nearest is None:
        return unanswered(f"the model has no copies: {copies.reason}")
    return Told(
        f"Over half its window ({counted(moved.steps // 2, 'step')}) it moves {number(distance)} "
        f"(root mean square of {counted(moved.half_pairs, 'pair')}{_kind(moved.source)}): "
        f"{_references(copies, distance)}.",
        remedy=None if copies.twin is not None else Remedy("diagnose", {"twin": "RUN"}),
    )


def _references(copies: Copies, distance: float) -> str:
    """How far that is beside each: all but the typical are one distance, of the last weights."""
    typical = copies.typical.mean if copies.typical is not None else None
    many = "" if copies.typical is None else f", mean of {copies.typical.samples:,}"
    known = (
        ("the nearest permuted copy", copies.nearest, ""),
        ("a typical one", typical, many),
        ("an independent twin", copies.twin, ""),
        ("the twin, units matched", copies.twin_matched, ""),
    )
    found = [
        f"{_times(distance, to)} {what} ({number(to)}{of})"
        for what, to, of in known
        if to is not None
    ]
    if copies.twin is None:
        found.append("no twin to compare with")
    first, way, others = ", ".join(found).partition(" of the way")
    return first + way + others.replace(way, "") if way else first


def _times(distance: float, reference: float) -> str:
    if not reference > 0:
        return "beyond"
    ratio = distance / reference
    return f"{percent(ratio)} of the way to" if ratio < 1 else f"{number(ratio, 2)} times as far as"


def _half_window(asked: Asked) -> float | None:
    """√MSD(T/2), T the window; None where it isn't known."""
    moved = asked.evidence.measured.diffusion
    if moved is None or not len(moved.lags):
        return None
    known = np.isfinite(moved.msd)
    if not known.any():
        return None
    return math.sqrt(float(np.interp(moved.steps / 2, moved.lags[known], moved.msd[known])))


def typical(asked: Asked) -> Told:
    """What the distance is for typical networks."""
    copies, distance = asked.evidence.measured.permutations, _half_window(asked)
    if copies is None or distance is None:
        return unanswered(f"one run tells of itself only; {OTHERS}")
    if not copies.twin_matched:
        return unanswered(
            f"it takes an independently trained twin, for one run tells of itself only; {OTHERS}",
            Remedy("diagnose", {"twin": "RUN"}),
        )
    return Told(
        f"In half its window it goes {percent(distance / copies.twin_matched)} of the way to a "
        f"twin trained apart, units matched; {OTHERS}."
    )


def leaves(asked: Asked) -> Told:
    """Whether the rate is too high for the surface: does it leave what it reached?"""
    verdict = asked.verdict
    if verdict.verdict == "escaped":
        return Told("It left for good: see the outcome above.", verdict.confidence)
    if verdict.verdict == "diverged":
        return Told("It left for infinity.")
    if "excursions" not in verdict.evidence:
        return unanswered("it hadn't learned, so that there is nothing that it could leave")
    spikes, excursions = number_of(verdict, "spikes"), number_of(verdict, "excursions") or 0.0
    if spikes:
        text = f"It made {excursions_said(verdict)}, and came back each time"
    elif excursions:
        text = (
            f"It made {excursions_said(verdict)}: the loss rose a quarter of the way to "
            f"that of {IGNORING}, no farther than its losses scatter anyway"
        )
    else:
        text = f"It didn't leave: the loss never rose a quarter of the way to that of {IGNORING}"
    batch = verdict.evidence.get("batch_sharpness")
    top = verdict.evidence.get("sharpness")
    if batch is not None and isinstance(batch.value, float) and isinstance(batch.threshold, float):
        end = asked.evidence.state("end")
        error = end.batch_sharpness_error if end is not None else 0.0
        side = "below" if is_below(batch.value, batch.threshold) else "above"
        if abs(batch.value - batch.threshold) <= 2 * error:
            side = "too uncertain to be below or above"
        text += (
            f". Curvature as batches see it was {with_errors(batch.value, error)} at the last "
            f"weights, {side} the {number(batch.threshold)} up to which this rate is stable"
        )
        if top is not None and top.threshold != batch.threshold:
            text += f" under noise ({number(_as_float(top.threshold))} without)"
    if "edge-of-stability" in verdict.also:
        text += ": at the edge of stability"
    return Told(f"{text}.")


def _as_float(value: Value) -> float | None:
    return value if isinstance(value, float) else None


def momentum(asked: Asked) -> Told:
    """What momentum changes."""
    setup, moved = asked.evidence.setup, asked.evidence.measured.diffusion
    if not is_sgd(asked.evidence):
        return unanswered(f"how {setup.optimizer} explores beside SGD takes a run of SGD")
    # What a training is told: under a schedule the last step's rate may be next to nothing.
    rate = setup.learning_rate if math.isnan(setup.highest_rate) else setup.highest_rate
    if not setup.momentum:
        return unanswered(
            "it has none; a run with momentum 0.9 at a tenth of the rate, the same in effect, "
            "would tell whether that one goes elsewhere",
            Remedy("train", {"momentum": 0.9, "lr": _round(rate / 10)}),
        )
    last = 1 / (1 - setup.momentum)
    text = (
        f"Momentum {setup.momentum:g} multiplies the rate by {number(last)} in the long run; steps "
        f"resemble each other over about {last:.0f}"
    )
    if moved is not None and not math.isnan(moved.update_cosine + moved.gradient_cosine):
        text += (
            f" (cosine of consecutive steps {number(moved.update_cosine, 2)}, of their gradients "
            f"{number(moved.gradient_cosine, 2)})"
        )
    return Told(
        f"{text}. A run without it at a rate of {number(rate * last)}, the same in effect, would "
        "tell whether it goes elsewhere.",
        remedy=Remedy("train", {"momentum": 0.0, "lr": _round(rate * last)}),
    )


def _round(rate: float) -> float:
    """Without what floating point adds to a product."""
    return float(f"{rate:.6g}")


SWING_ROWS = 5
"""Rows of the running median that a loss without a level swings about."""


def oscillates(asked: Asked) -> Told:
    """Small oscillations, or an escape."""
    evidence, verdict = asked.evidence, asked.verdict
    rows, first = evidence.rows, window.of_run(evidence, asked.thresholds).first
    inside = (rows.step >= first) & np.isfinite(rows.train_loss)
    loss = rows.train_loss[inside]
    if not len(loss):
        return unanswered("no losses are known in its window")
    text = f"It escapes: it left at step {verdict.left:,}. " if verdict.left is not None else ""
    apart = evidence.measured.distances
    is_told = apart is not None and apart.settled is not None
    text += f"From step {first:,} on ({'its window' if is_told else _window(asked)}) "
    state = slope.state(slope.of_log_loss(rows.step[inside], loss), asked.thresholds)
    if state != slope.SETTLED:
        return Told(f"{text}{_about_its_way(loss, state)}.")
    low, middle, high = (float(value) for value in np.quantile(loss, [0.05, 0.5, 0.95]))
    text += (
        f"9 of 10 logged losses lie between {number(low)} and {number(high)} (median "
        f"{number(middle)}, largest {number(float(loss.max()))})"
    )
    # The share over the time that the motion has its name over.
    shares = shares_said(verdict, of_motion(verdict))
    if shares and verdict.verdict != "diverged":
        text += f"; {shares['confined']} of the squared displacement is to and fro"
    return Told(f"{text}.")


def _about_its_way(loss: Floats, state: str) -> str:
    """How a loss that holds no clear level swings: its range would be that of its way."""
    way = {slope.DESCENDING: "still falls", slope.RISING: "rises"}.get(
        state, "may still fall or rise"
    )
    whole = f"the loss {way}, from {number(float(loss[0]))} to {number(float(loss[-1]))}"
    if len(loss) < SWING_ROWS + slope.FEWEST - 1:
        return f"{whole}; its {counted(len(loss), 'row')} are too few to tell swings from that"
    windows = np.lib.stride_tricks.sliding_window_view(loss, SWING_ROWS)
    swings = loss[SWING_ROWS // 2 : -(SWING_ROWS // 2)] - np.median(windows, axis=1)
    low, high = (float(value) for value in np.quantile(swings, [0.05, 0.95]))
    return (
        f"{whole}; 9 of 10 logged losses lie between {number(abs(low))} below and {number(high)} "
        f"above the median of the {SWING_ROWS} rows around them"
    )


def noise(asked: Asked) -> Told:
    """What it does that SGD sees the loss through a sample."""
    trained = asked.evidence.measured.interventions
    motion = trained.motion if trained is not None else None
    if motion is None:
        escaped = asked.verdict.verdict == "escaped"
        if escaped:
            return unanswered(f"{ESCAPED}; of a run that stays, replicas would tell")
        return unanswered(TRAIN, INTERVENE)
    full, lower = motion.full_batch, motion.lower
    sentences = []
    if full is not None:
        perturbed = asked.evidence.setup.perturbed
        missing = "noise of batches, though with dropout or augmentation" if perturbed else "noise"
        sentences.append(
            f"Trained again from step {motion.start_step:,} for {full.steps} steps on all data, so "
            f"without {missing}, weights move {number(full.displacement)}, to a "
            f"training loss of {number(full.loss)}; replicas, with batches, "
            f"{number(full.noisy_displacement)} (root mean square), to {number(full.noisy_loss)} "
            "(mean)."
        )
    if lower is not None:
        sentences.append(
            f"A tenth of the rate takes the last weights' loss from {number(lower.start_loss)} to "
            f"{number(lower.end_loss)}."
        )
    return Told(" ".join(sentences), TESTED) if sentences else unanswered(TRAIN, INTERVENE)


def connected(asked: Asked) -> Told:
    """Discrete minima, or a connected set of them?"""
    floors, paths = asked.evidence.measured.connectivity, asked.evidence.measured.barriers
    if floors is None or not paths:
        escaped = asked.verdict.verdict == "escaped"
        return unanswered(ESCAPED) if escaped else unanswered(TRAIN, INTERVENE)
    text = f"Below {floors.count} of its snapshots lie floors; {_joined(asked)}"
    kind = "curve" if "curve" in paths else "line"
    worst = paths[kind].highest
    text += f" (worst barrier {_barrier(worst)} {PATHS[kind].along}"
    if (matched := paths.get("matched")) is not None:
        is_one = math.isnan(matched.highest.error) == math.isnan(worst.error)
        size = _barrier(matched.highest, unit=not is_one)
        text += f", units matched {size}"
    text += ")"
    dimension = number_of(asked.verdict, "valley_dimension")
    if dimension is not None:
        text += f"; a valley of about {number(dimension)} dimensions at this scale"
    return Told(f"{text}.", TESTED, None if _is_clear(asked) or "curve" in paths else BENT)


def _is_clear(asked: Asked) -> bool:
    """Whether floors are known to be joined or apart."""
    if number_of(asked.verdict, "basins") is not None:
        return True
    return basins.connected(asked.evidence, asked.thresholds, {}) is True


def _joined(asked: Asked) -> str:
    groups = number_of(asked.verdict, "basins")
    if groups is not None:
        return f"no path that was tried joins them: {groups:.0f} groups"
    if _is_clear(asked):
        return "paths of low loss join all: one connected set"
    return "some barriers are neither low nor high"


def _barrier(worst: Barrier, *, unit: bool = True) -> str:
    if math.isnan(worst.error):
        return number(worst.ratio, 2) + " times the loss" * unit
    return number(worst.error, 2) + " points of error" * unit
