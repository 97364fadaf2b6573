"""The first question, at a high learning rate: what happened, why, and why it doesn't come back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from landscape.diagnose.course import course_of, departure
from landscape.diagnose.items import Value
from landscape.diagnose.left_again import outcomes, sequential_test
from landscape.diagnose.motion.deciding import INTERVENE
from landscape.diagnose.motion.estimates import is_sgd
from landscape.diagnose.outcome_names import (
    ALSO,
    LANDINGS,
    OUTCOMES,
    POINTS,
    UNDETERMINED,
    layers,
)
from landscape.diagnose.verdict import landing
from landscape.diagnose.verdict.asked import (
    TESTED,
    Asked,
    Told,
    measuring,
    tested,
    unanswered,
)
from landscape.diagnose.verdict.overfitting import Overfitting
from landscape.diagnose.verdict.verdict import Verdict
from landscape.diagnose.verdict.wording import (
    before_it_left,
    excursions_said,
    filled,
    is_below,
    number_of,
    other_rates,
    said,
    still,
    times,
    too_high,
    with_errors,
)
from landscape.quantities import counted, number, percent
from landscape.store.measured.trainings import LEAVING, STARTS
from landscape.store.measured.whole import StateAtStep
from landscape.store.scans.sentences import IGNORING, far_apart
from landscape.store.verdicts import Remedy

SEEDS = Remedy("sweep", {"seeds": 3})
RATES = Remedy("sweep", {"lr": (0.001, 0.01, 0.1)})
NO_GRADIENT = (
    "{which} dead: only an output's bias still has a gradient, so no rate can bring it back."
)
TRAIN = "trainings from its snapshots would tell"


def happened(asked: Asked) -> Told:
    """What became of the loss."""
    verdict = asked.verdict
    sentences = [filled(OUTCOMES[verdict.verdict].sentence, verdict)]
    sentences += before_it_left(verdict)
    rate = too_high(verdict)
    if rate is not None and rate.remedy is None:
        sentences.append(rate.text)
    if verdict.landing is not None:
        sentences.append(filled(LANDINGS[verdict.landing], verdict))
    elsewhere = {"overfitting"}  # which has a line of its own
    if (count := number_of(verdict, "spikes")) is not None:
        sentences.append(f"On the way it spiked {times(count)}.")
        elsewhere.add("bouncing")  # is just that
    sentences += [ALSO[name] for name in verdict.also if name in ALSO and name not in elsewhere]
    if rate is not None and rate.remedy is not None:
        sentences.append(rate.text)  # what would tell stands behind it
    remedy = verdict.would_tell.get("outcome") or (rate.remedy if rate is not None else None)
    return Told(" ".join(sentences), verdict.confidence, remedy)


def place(asked: Asked) -> Told:
    """Whether it ends in a minimum, and in what else."""
    verdict, end = asked.verdict, asked.evidence.state("end")
    if verdict.verdict == "diverged":
        return unanswered("there is no place, its loss or weights are infinite")
    kind = said(verdict, "landing_kind") or landing.curved(asked.evidence)
    if not isinstance(kind, str) or end is None or end.lambda_max is None:
        return unanswered("curvature at its last weights wasn't measured", measuring("curvature"))
    text = POINTS[kind]
    if kind == "flat-valley" and end.dead:
        text += " Weights of dead units are such: they change no output."
    flat = end.lambda_min is not None and landing.is_flat(asked.evidence, end, end.lambda_min)
    lowest = "next to 0" if flat else number(end.lambda_min)
    text += f" The Hessian's eigenvalues go from {lowest} to {number(end.lambda_max)}"
    best = asked.evidence.state("best")
    if best is not None and best.lambda_max is not None and best.step != end.step:
        text += f" (at its lowest logged loss to {number(best.lambda_max)})"
    return Told(f"{text}.")


def stable(asked: Asked) -> Told:
    """Whether the rate is too high for the place it was at."""
    again = [text for start in LEAVING if (text := _left_again(asked, start))]
    curvature = list(_sharpness(asked))
    if not again and not curvature:
        if not is_sgd(asked.evidence):
            return unanswered("stability bounds are known for plain SGD only")
        return unanswered("curvature as batches see it wasn't measured", measuring("sharpness"))
    # What decides comes first: curvature beside its bounds doesn't.
    tried = ", as many tried as decide" if _is_decided(asked) else ""
    left = f"At this rate other batch orders leave{_ends_above(asked)}{tried}: {', '.join(again)}."
    return Told(" ".join([left, *curvature] if again else curvature), tested(bool(again)))


def _ends_above(asked: Asked) -> str:
    """What counts as leaving: the line of the controls, which is that of all, and how it's made."""
    controls = (asked.verdict.evidence.get(f"control_from_{STARTS[s].item}") for s in LEAVING)
    level = next((_line(item.threshold) for item in controls if item is not None), None)
    course = course_of(asked.evidence, asked.thresholds)
    if level is None or course is None:
        return ""
    if course.wandered is not None:
        made = f"halfway from where it wandered before, {number(course.wandered)}, to its end"
    elif course.is_level_halfway:
        made = "halfway from its best stretch to its end"
    else:
        flat = asked.evidence.constant_loss
        to = "its first" if math.isnan(flat) else f"the loss of {IGNORING}"
        share = percent(asked.thresholds.excursion)
        made = f"{share} of the way to {to}"
    return f" (end above a loss of {number(level)}, {made})"


def _line(threshold: Value) -> float | None:
    return float(threshold) if isinstance(threshold, int | float) else None


def _is_decided(asked: Asked) -> bool:
    """Whether no more orders were tried, whatever was allowed, because none was needed."""
    return all(
        said(asked.verdict, f"stability_from_{STARTS[start].item}") != "open"
        for start in LEAVING
        if _left_again(asked, start)
    )


def _sharpness(asked: Asked) -> Iterator[str]:
    evidence = asked.verdict.evidence
    when, suffix, at = "at the last weights", "", ""
    onset, there = asked.evidence.state("onset"), asked.evidence.state("end")
    if "batch_sharpness_onset" in evidence and onset is not None:
        at = f" (step {onset.step:,})"
        when, suffix, there = f"before it left{at}", "_onset", onset
    batch, top = (evidence.get(f"{name}{suffix}") for name in ("batch_sharpness", "sharpness"))
    if batch is None or not isinstance(batch.value, float):
        return
    error = there.batch_sharpness_error if there is not None else 0.0
    measured = with_errors(batch.value, error)
    text = f"Curvature along the batches' gradients was {measured} {when}"
    if top is not None and isinstance(top.threshold, float) and isinstance(batch.threshold, float):
        noisy, quiet = batch.threshold, top.threshold
        step, loss, highest = _highest(asked) if suffix else (0, math.nan, math.nan)
        if highest > quiet:
            same = onset is not None and step == onset.step
            yield (
                f"Before it left curvature was {number(highest)} along the sharpest direction "
                f"(step {step:,}, loss {number(loss)}), above {_side(noisy, quiet)}; along the "
                f"batches' gradients {measured}{'' if same else at}."
            )
            return
        text += f", {_bounds(batch.value, error, noisy=noisy, quiet=quiet)}"
    yield f"{text}."


def _highest(asked: Asked) -> tuple[int, float, float]:
    """Step, loss and value of the largest eigenvalue between the lowest loss and leaving.

    At losses below that of a constant output; NaN where none was measured.
    """
    found = asked.evidence.measured.curvature
    course = course_of(asked.evidence, asked.thresholds)
    left = departure(asked.evidence, course)
    if found is None or course is None or left is None:
        return 0, math.nan, math.nan
    begun = course.step(course.best)
    largest = found.eigenvalues[:, 0]
    near = (found.step >= begun) & (found.step < left) & (found.loss < course.constant)
    near &= np.isfinite(largest)
    if not near.any():
        return 0, math.nan, math.nan
    row = int(np.flatnonzero(near)[np.argmax(largest[near])])
    return int(found.step[row]), float(found.loss[row]), float(largest[row])


def _side(noisy: float, quiet: float) -> str:
    """The bounds that a curvature above all of them is above."""
    if noisy == quiet:
        return f"the stability bound ({number(noisy)})"
    return f"both stability bounds ({number(noisy)} and {number(quiet)})"


def _bounds(value: float, error: float, *, noisy: float, quiet: float) -> str:
    """On which side of the rate's stability bounds a value is, and what that proves.

    Undetermined within two of its standard errors.
    """
    alone = ", which alone proves nothing"
    one = noisy == quiet
    bounds = f"({number(noisy)}{'' if one else f' under noise, {number(quiet)} without'})"
    if any(abs(value - bound) <= 2 * error for bound in (noisy, quiet)):
        which = "the stability bound" if one else "the stability bounds"
        return f"too uncertain (two standard errors) to be on a side of {which} {bounds}"
    if value > quiet:
        return f"above {_side(noisy, quiet)}" + alone * one
    if value < noisy:
        return f"below {'the stability bound' if one else 'both stability bounds'} {bounds}"
    return f"between the stability bounds {bounds}{alone}"


def _left_again(asked: Asked, start: str) -> str:
    verdict, name = asked.verdict, STARTS[start].item
    control = verdict.evidence.get(f"control_from_{name}")
    share = number_of(verdict, f"left_again_from_{name}")
    if share is None or control is None or is_below(control.value, control.threshold):
        return ""
    decided = str(said(verdict, f"stability_from_{name}"))
    branches = asked.evidence.measured.branches
    left = outcomes(branches, start, _line(control.threshold) or 0.0)
    stability = DECIDED.get(decided)
    if stability is None:
        more = sequential_test(asked.thresholds).fewest(left)
        stability = f"undecided: it takes {more} more at least"
    step = next(one.start_step for one in branches if one.start == start)
    where = f"{STARTS[start].page}, step {step:,}"
    return f"{share * len(left):.0f} of {len(left)} from {where} ({stability})"


DECIDED = {"unstable": "unstable", "not unstable": "not clearly unstable"}
"""By what the sequential test says; else it is open."""


def way_back(asked: Asked) -> Told:
    """Why it doesn't find its old optimum again."""
    verdict = asked.verdict
    if verdict.verdict == "diverged":
        return Told("Infinite weights lead nowhere.")
    rates = list(other_rates(verdict))
    dead = []
    if said(verdict, "no_way_back") is True:
        count = len(landing.dead_layers(asked.evidence.state("end")))
        which = f"{count} layers are" if count > 1 else "A layer is"
        dead = [NO_GRADIENT.format(which=which)]
    if verdict.verdict == "escaped" or _never_learned(asked):
        if not dead and not rates:
            return unanswered(f"it isn't tested; {TRAIN}", INTERVENE)
        return Told(" ".join((*dead, *rates)), tested(bool(rates)))
    noises = number_of(verdict, "end_noises")
    if noises is None or verdict.verdict == UNDETERMINED:
        return unanswered(
            "what the end is beside the best stretch isn't clear; training on would tell"
        )
    text = "It needn't: it ends "
    if noises > 0:
        text += f"{number(noises, 2)} standard deviations of its noise above its best stretch"
    else:
        text += _near_best(verdict)
    if said(verdict, "excursions"):
        text += f", and came back each time ({excursions_said(verdict)})"
    if verdict.verdict == "bouncing":
        text = f"It does, again and again: {said(verdict, 'excursions')} times, and holds no level"
    return Told(f"{text}.")


def _near_best(verdict: Verdict) -> str:
    """Its last stretch is its best one, which the lowest of all logged losses needn't be in.

    One that still falls or rises is said to end at its last loss.
    """
    lowest, end = (number_of(verdict, name) for name in ("best_loss", "end_loss"))
    if lowest is None or end is None:
        return "near its best"
    if moves := still(verdict):
        lies = "the lowest" if end <= lowest else f"the lowest {number(lowest)}"
        return f"near its best and {moves} (its last logged loss is {number(end)}, {lies})"
    return f"near its best ({number(end)} over its last stretch, its lowest is {number(lowest)})"


def _never_learned(asked: Asked) -> bool:
    return not {"end_noises", "excursions"} & set(asked.verdict.evidence)


def gradient(asked: Asked) -> Told:
    """How close to zero the next step is, and whether that keeps it there."""
    end, best = asked.evidence.state("end"), asked.evidence.state("best")
    if end is None or end.gradient_norm is None:
        return unanswered("the gradient at its last weights wasn't measured", measuring("units"))
    text = f"At the last weights the full gradient's norm is {number(end.gradient_norm)}"
    if best is not None and best.gradient_norm is not None and best.step != end.step:
        text += f" ({number(best.gradient_norm)} at its lowest logged loss)"
    if end.moving is not None and (zero := (end.tensors or 0) - len(end.moving)):
        text += f". It is 0 for {zero} of {end.tensors} parameter tensors"
        text += f": {landing.still_moving(end.moving)}" if end.moving else ""
    return Told(f"{text}.")


def plateau(asked: Asked) -> Told:
    """Whether it is stuck on a plateau: outputs that don't depend on the input."""
    end = asked.evidence.state("end")
    if end is None or end.logit_spread is None:
        return unanswered(
            "what outputs and units are at its last weights wasn't measured", measuring("units")
        )
    flat = landing.ignores_input(end, asked.thresholds)
    share = f"from input to input they vary by {percent(end.logit_spread)} of their own size"
    if flat and not end.logit_spread:
        text = "Yes, by what the network does: no output depends on the input"
    elif flat:
        text = f"Yes, by what the network does: its outputs hardly depend on the input ({share})"
    else:
        text = f"No, by what the network does: its outputs depend on the input ({share})"
    if end.stuck_layers:
        text += f"; {_dead_layers(end, asked.verdict.layers)}"
    elif end.partly_stuck:
        text += f"; {_dead_units(end.partly_stuck)} are {end.stuck_as(end.partly_stuck)}"
    else:
        text += "; no unit is dead or saturated on all data"
    return Told(f"{text}.")


def _dead_layers(end: StateAtStep, named: Sequence[str]) -> str:
    """All of them; those that the outcome names first, which others were before it left."""
    dead = end.stuck_layers
    died = [name for name in dead if name in named] or list(dead)
    text = f"all units of {layers(died)} are {end.stuck_as(died)}"
    if before := [name for name in dead if name not in died]:
        text += f", as those of {layers(before)} were at its lowest logged loss"
    return text


def _dead_units(dead: Mapping[str, float]) -> str:
    """Of the layer with the most of them."""
    worst = max(dead, key=lambda name: dead[name])
    most = ", more than of any other layer," if len(dead) > 1 else ""
    return f"{percent(dead[worst])} of the units of {layers([worst])}{most}"


def stuck_rates(asked: Asked) -> Told:
    """At which rates it would be stuck, started in the middle of the plateau."""
    placed = number_of(asked.verdict, "plateau_rates")
    if placed is None and said(asked.verdict, "no_way_back") is True:
        return Told(
            "At every rate, started from its last weights: no rate moves a dead layer. No network "
            "was put on the plateau to see what rates do from there."
        )
    if placed is None and asked.verdict.verdict == "escaped":
        return unanswered(f"no network was put on the plateau and trained; {TRAIN}", INTERVENE)
    if placed is None:
        return unanswered(
            "networks are put on the plateau and trained at several rates only after an escape; "
            "of other rates a sweep tells",
            RATES,
        )
    stuck = (number_of(asked.verdict, "stuck_from_plateau") or 0.0) * placed
    rates = [b.learning_rate for b in asked.evidence.measured.branches if b.kind == "plateau"]
    return Told(
        "A network that starts on the plateau, its last hidden layer dead, is still there after "
        f"training at {stuck:.0f} of {placed:.0f} rates from {number(min(rates))} to "
        f"{number(max(rates))}.",
        TESTED,
    )


def overfits(asked: Asked) -> Told:
    """How overfitting shows, and whether it has to do with the escape."""
    found = asked.verdict.overfitting
    if found is None:
        return unanswered("there is no validation data")
    lowest = number(found.validation_minimum)
    text = f"{_whether(asked, found)} The validation loss was lowest, {lowest}, at step "
    text += f"{found.step:,}"
    best = asked.evidence.places.get("best")
    if best is not None and best != found.step:
        order = "before" if best > found.step else "after"
        text += f", {counted(abs(best - found.step), 'step')} {order} that of training"
    if (left := asked.verdict.left) is not None:
        order = "before" if left >= found.step else "after"
        text += f", {counted(abs(left - found.step), 'step')} {order} it left"
    text += "."
    if asked.evidence.is_for_good:  # both are the loss of ignoring the input
        return Told(text)
    text += f" {_at_the_end(found)}."
    accuracies = (math.nan, math.nan)
    if found.validation_accuracy is not None and found.accuracy_gap is not None:
        accuracies = found.validation_accuracy + found.accuracy_gap, found.validation_accuracy
    if why := far_apart(found.train_end, found.validation_end, accuracies=accuracies):
        text += f" {why}"
    return Told(text)


def _whether(asked: Asked, found: Overfitting) -> str:
    """Yes, no, or why neither is said: the verdict's own line is what decides."""
    verdict = asked.verdict
    if found.rise <= 0:
        return "No, the validation loss hasn't risen from its lowest."
    item = verdict.evidence.get("validation_rise")
    if item is None and verdict.verdict == "escaped":
        return "Undetermined, and nothing here would tell: an escape lifts the training loss too."
    if item is None or not isinstance(item.value, float) or not isinstance(item.threshold, float):
        return (
            "Undetermined: it is judged where a run has learned and ends near its best; only a run "
            "that does so tells."
        )
    times_lowest = f"the validation loss ends at {number(item.value)} times its lowest"
    if "overfitting" in verdict.also:
        return f"Yes: {times_lowest}, clear of its noise."
    if is_below(item.value, item.threshold):
        return f"No: {times_lowest}, and up to {item.threshold:g} counts as no rise."
    return f"Not clearly: {times_lowest}, but not clear of its noise."


def _at_the_end(found: Overfitting) -> str:
    """Both losses over the last rows, and their difference in the same rows."""
    where = "At its end"  # an older version didn't say of how many rows
    if found.rows == 1:
        where = "In its last logged row"
    elif found.rows > 1:
        where = f"Medians over its last {found.rows:,} logged rows"
    return (
        f"{where}: validation {number(found.validation_end, 4)}, training "
        f"{number(found.train_end, 4)}, the difference row by row {number(found.gap)}"
    )


def beside(asked: Asked) -> Told:
    """How it differs from other runs."""
    others = asked.evidence.siblings_share
    loss, constant = (number_of(asked.verdict, name) for name in ("end_loss", "constant_loss"))
    if others is None or loss is None or not constant:
        return unanswered("it needs other runs, those of a sweep", SEEDS)
    own = (constant - loss) / abs(constant)
    return Told(
        f"It ends {_share(own)} of the way from the loss of {IGNORING} to zero; the sweep's "
        f"other runs that learned, {_share(others)} (median)."
    )


def _share(share: float) -> str:
    return percent(max(share, 0.0))
