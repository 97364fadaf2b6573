"""The verdict in plain sentences: what the run did, why it doesn't come back, whether it stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from landscape.diagnose.items import Value
from landscape.diagnose.outcome_names import ALSO, LANDINGS, MOTIONS, OUTCOMES, POINTS, UNDETERMINED
from landscape.diagnose.verdict.verdict import Verdict
from landscape.quantities import number

DEAD = (
    "A dead layer passes no gradient: nothing but an output's bias can move, so no learning rate "
    "brings the run back."
)
STABILITY = {
    "unstable": "that place is unstable",
    "not unstable": "that place is not clearly unstable",
    "open": "too few to say that the place is unstable",
}
"""By what the sequential test says."""


@dataclass(frozen=True)
class Statement:
    """A sentence of the answer and what it rests on."""

    text: str
    confidence: str
    """One of `verdicts.CONFIDENCE`."""


def answer(verdict: Verdict) -> tuple[str, ...]:
    """What a person would want to be told, a sentence each; caveats are apart.

    >>> from landscape.diagnose.items import Item
    >>> found = Verdict(
    ...     *("dead-plateau", "undetermined", None, ("5.weight",), (), "observation"),
    ...     evidence={
    ...         "no_way_back": Item(True, None, ""),
    ...         "motion_undetermined_because": Item("it stands still", None, ""),
    ...     },
    ... )
    >>> answer(found)[-1]
    'Whether it stays or wanders is undetermined: it stands still.'
    """
    return (*verdict.mistakes, *_outcome(verdict), *_motion(verdict))


def headline(verdict: Verdict) -> tuple[Statement, ...]:
    """The answer in two sentences, which `answer` has too: what happened, and why or how it moves.

    Why: where an escape led, what other rates do for a run that never learned. Of others how the
    weights move; nothing of a run that diverged.
    """
    what = Statement(filled(OUTCOMES[verdict.verdict].sentence, verdict), verdict.confidence)
    moved = next(_motion(verdict), None)
    if verdict.landing is not None:
        why = Statement(filled(LANDINGS[verdict.landing], verdict), verdict.confidence)
    elif (rates := next(_never(verdict), None)) is not None:
        why = Statement(rates, "intervention")
    elif moved is not None:
        why = Statement(moved, _of_motion(verdict))
    else:
        return (what,)
    return what, why


def _of_motion(verdict: Verdict) -> str:
    if verdict.motion == UNDETERMINED:
        return UNDETERMINED
    return "intervention" if "replicas_steps" in verdict.evidence else "observation"


def _outcome(verdict: Verdict) -> Iterator[str]:
    yield filled(OUTCOMES[verdict.verdict].sentence, verdict)
    if (count := number_of(verdict, "spikes")) is not None:
        yield f"On the way the loss spiked and came back {times(count)}."
    yield from (ALSO[name] for name in verdict.also if name in ALSO)
    if verdict.verdict == "dead-plateau":
        yield from _standstill(verdict)
    if verdict.verdict == "escaped":
        yield from _escape(verdict)
    else:
        yield from _never(verdict)
    if verdict.overfitting is not None and verdict.overfitting.rise > 0:
        found = verdict.overfitting
        side = "above" if found.gap >= 0 else "below"
        yield (
            f"Validation loss was lowest at step {found.step}, {number(found.validation_minimum)}; "
            f"at the end it is {number(found.validation_end)}, {number(abs(found.gap))} {side} "
            "training."
        )


def times(count: float) -> str:
    """Once, twice, 3 times."""
    return "once" if count == 1 else "twice" if count == 2 else f"{count:.0f} times"


def _never(verdict: Verdict) -> Iterator[str]:
    """What other rates do for a run that never learned."""
    for name, where in (("landing", "its end"), ("start", "its start")):
        if (found := helped(verdict, name)) is not None:
            good, count, within = found
            yield f"From {where} {good} of {count} other learning rates make it learn{within}."


def _escape(verdict: Verdict) -> Iterator[str]:
    if verdict.landing is not None:
        yield filled(LANDINGS[verdict.landing], verdict)
    if (norm := number_of(verdict, "gradient_norm_end")) is not None:
        text = f"The gradient there has norm {number(norm)}"
        before = number_of(verdict, "gradient_norm_best")
        yield text + (f", {number(before)} at the best weights." if before is not None else ".")
    kind = said(verdict, "landing_kind")
    if isinstance(kind, str):
        yield POINTS[kind]
    yield from _standstill(verdict)
    yield from _onset(verdict)
    for name, where in (("best", "best weights"), ("onset", "last weights before the onset")):
        yield from _tried(verdict, name, where)
    yield from _landed(verdict)


def _standstill(verdict: Verdict) -> Iterator[str]:
    zero, tensors = said(verdict, "exactly_zero"), said(verdict, "tensors")
    if zero is not None:
        yield f"There the gradient of {zero} of {tensors} parameter tensors is exactly zero."
    if said(verdict, "no_way_back") is True:
        yield DEAD


def _onset(verdict: Verdict) -> Iterator[str]:
    """Sharpness before it left, against the bounds of small and of full batches."""
    batch = verdict.evidence.get("batch_sharpness_onset")
    top = verdict.evidence.get("sharpness_onset")
    if top is not None and isinstance(top.value, float) and isinstance(top.threshold, float):
        text = (
            f"Before it left, the top Hessian eigenvalue was {number(top.value)}, against "
            f"{number(top.threshold)} that full batches bear"
        )
        if batch is not None and isinstance(batch.value, float):
            low = batch.threshold
            text += f"; batch sharpness {number(batch.value)}"
            if isinstance(low, float):
                text += f", against {number(low)} to {number(top.threshold)} by noise"
        yield text + "."


def _tried(verdict: Verdict, name: str, where: str) -> Iterator[str]:
    """What trainings from one start did; nothing follows where the control didn't leave."""
    control = verdict.evidence.get(f"control_from_{name}")
    if control is None or is_below(control.value, control.threshold):
        return
    again = number_of(verdict, f"left_again_from_{name}")
    epochs = number_of(verdict, f"epochs_from_{name}")
    if again is not None:
        within = "" if epochs is None else f", within {number(epochs)} epochs"
        yield (
            f"From the {where}, {again:.0%} of other batch orders leave again: "
            f"{STABILITY[str(said(verdict, f'stability_from_{name}'))]} at this learning rate"
            f"{within}."
        )
    lower = verdict.evidence.get(f"lower_rate_from_{name}")
    if lower is not None and isinstance(lower.value, float):
        stays = "stays" if is_below(lower.value, lower.threshold) else "leaves as well"
        over = "" if epochs is None else f" over {number(epochs)} epochs"
        yield (
            f"From the {where}, with a tenth of the learning rate it {stays}{over}: "
            f"loss {number(lower.value)}."
        )


def _landed(verdict: Verdict) -> Iterator[str]:
    if (found := helped(verdict, "landing")) is not None:
        good, count, within = found
        yield (
            f"From where it landed {good} of {count} other learning rates bring it back{within}."
        )
    stuck, placed = number_of(verdict, "stuck_from_plateau"), number_of(verdict, "plateau_rates")
    if stuck is not None and placed is not None:
        yield (
            "From an initialization with the last hidden layer dead, the outputs still ignore the "
            f"input at the end at {stuck * placed:.0f} of {placed:.0f} learning rates."
        )


def helped(verdict: Verdict, start: str) -> tuple[int, int, str] | None:
    """How many of how many rates from a place ended below the line, and within what time."""
    rates = [
        item
        for name, item in verdict.evidence.items()
        if name == f"lower_rate_from_{start}"
        or (name.startswith("rate_") and name.endswith(f"_from_{start}"))
    ]
    if not rates:
        return None
    epochs = number_of(verdict, f"epochs_from_{start}")
    within = "" if epochs is None else f" within {number(epochs)} epochs"
    return sum(is_below(item.value, item.threshold) for item in rates), len(rates), within


def _motion(verdict: Verdict) -> Iterator[str]:
    if verdict.verdict == "diverged":
        return
    over = over_steps(verdict, number_of(verdict, "motion_steps"))
    yield filled(MOTIONS[verdict.motion].sentence, verdict, over=over)
    bound, count = number_of(verdict, "restoring_below"), number_of(verdict, "valley_dimension")
    if bound is not None:
        text = (
            "No confinement was seen for most of the squared displacement: restoring curvature "
            f"along it is below {number(bound)}"
        )
        if count is not None:
            text += f", and about {number(count)} Hessian eigenvalues are"
        elif said(verdict, "valley_dimension") is not None:
            text += "; how many Hessian eigenvalues are is not resolved"
        yield text + "."
    yield from _otherwise(verdict)
    if "edge-of-stability" in verdict.also:
        yield "It trains at the edge of stability: curvature is as high as the learning rate lets."


def over_steps(verdict: Verdict, steps: float | None) -> str:
    """Over which time, as a sentence begins."""
    whole = number_of(verdict, "window_steps")
    if steps is None:
        return ""
    return f"Over the window's {steps:,.0f} steps" if steps == whole else f"Over {steps:,.0f} steps"


def _otherwise(verdict: Verdict) -> Iterator[str]:
    """What the movement is called over the other of two times, where there are two."""
    for which, steps in (("window", "window_steps"), ("replicas", "replicas_steps")):
        name = said(verdict, f"over_{which}")
        reason = said(verdict, f"over_{which}_because")
        if isinstance(name, str) and (name != verdict.motion or reason):
            over = over_steps(verdict, number_of(verdict, steps))
            yield f"{over} it is {name}" + (f": {reason}." if reason else ".")


def filled(text: str, verdict: Verdict, **more: str) -> str:
    """A sentence of `outcome_names` with the evidence's values in it."""
    values = {name: _shown(name, item.value) for name, item in verdict.evidence.items()}
    if said(verdict, "motion_steps") == said(verdict, "replicas_steps"):
        shares = [name for name in values if name.startswith("share_")]
        values |= {
            name: values[f"replicas_{name}"] for name in shares if f"replicas_{name}" in values
        }
    return text.format_map({"layers": " and ".join(verdict.layers), **values, **more})


def _shown(name: str, value: Value) -> str:
    if isinstance(value, float):
        return f"{max(value, 0.0):.0%}" if "share_" in name else number(value)
    return str(value)


def said(verdict: Verdict, name: str) -> Value:
    """A piece of evidence; None where it isn't there."""
    item = verdict.evidence.get(name)
    return None if item is None else item.value


def number_of(verdict: Verdict, name: str) -> float | None:
    """The same, if it is a number."""
    value = said(verdict, name)
    return float(value) if isinstance(value, int | float) else None


def is_below(value: Value, threshold: Value) -> bool:
    """Whether both are numbers and the first isn't above the other."""
    numbers = isinstance(value, int | float) and isinstance(threshold, int | float)
    return numbers and float(value or 0) <= float(threshold or 0)
