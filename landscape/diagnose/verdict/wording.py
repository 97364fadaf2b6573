"""What a verdict's sentences are made of, and the first two of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from landscape.diagnose.items import Value
from landscape.diagnose.motion import slope
from landscape.diagnose.motion.deciding import INTERVENE
from landscape.diagnose.outcome_names import LANDINGS, MOTIONS, OUTCOMES, UNDETERMINED, layers
from landscape.diagnose.trainings import after_escape
from landscape.diagnose.verdict.verdict import Verdict
from landscape.quantities import counted, duration, number, percent
from landscape.store.measured.trainings import LEAVING, STARTS
from landscape.store.verdicts import Remedy


@dataclass(frozen=True)
class Statement:
    """A sentence and what it rests on."""

    text: str
    confidence: str
    """One of `verdicts.CONFIDENCE`."""
    remedy: Remedy | None = None
    """What would decide it; None: it is decided, or nothing is known that would."""


def headline(verdict: Verdict) -> tuple[Statement, ...]:
    """What happened first, then why, each in two sentences at most; `questions` has them too.

    Of an escape what happened is also where it led; why is whether the rate is too high, of a run
    that never learned what other rates do, where they were tried. Of others how it moves comes
    last.

    >>> from landscape.diagnose.items import Item
    >>> found = Verdict(
    ...     *("dead-plateau", "undetermined", None, ("5.weight",), (), "observation"),
    ...     evidence={"motion_undetermined_because": Item("it stands still", None, "")},
    ... )
    >>> headline(found)[-1].text
    'Whether it stays or wanders is undetermined: it stands still.'
    """
    happened = filled(OUTCOMES[verdict.verdict].sentence, verdict)
    if verdict.landing is not None:
        happened += f" {filled(LANDINGS[verdict.landing], verdict)}"
    what, why = Statement(happened, verdict.confidence), too_high(verdict)
    if verdict.verdict in ("escaped", "diverged"):
        assert why is not None
        return what, why
    if (rates := next(other_rates(verdict), None)) is not None:
        return what, Statement(rates, "intervention")
    moves = Statement(motion_sentence(verdict), motion_rests_on(verdict))
    return tuple(filter(None, (what, why, moves)))


def before_it_left(verdict: Verdict) -> Iterator[str]:
    """What lay between its lowest loss and when it left, unless it stayed near."""
    middle = verdict.evidence.get("between")
    if verdict.verdict != "escaped" or middle is None or is_below(middle.value, middle.threshold):
        return
    low, high = (number(number_of(verdict, f"between_{end}") or 0.0) for end in ("low", "high"))
    span = low if low == high else f"{low} to {high}"
    yield (
        f"Its loss was lowest at step {number_of(verdict, 'lowest_step'):,.0f}; between that and "
        f"when it left it wandered well above, at {span}."
    )


def too_high(verdict: Verdict) -> Statement | None:
    """Whether the learning rate is too high, or what would tell; None where the outcome says it."""
    if verdict.verdict == "escaped":
        return _of_an_escape(verdict)
    if verdict.verdict == "learned" and not set(verdict.also) & DOUBTFUL:
        # That a lower one would do no better isn't seen.
        text = "Its learning rate isn't too high for it to stay at the loss that it reached."
        return Statement(text, "observation")
    if verdict.verdict in STUCK and next(other_rates(verdict), None) is None:
        return Statement(
            f"{OPEN} undetermined: no other was tried.", UNDETERMINED, _trains(verdict)
        )
    if verdict.verdict not in ("learned", "bouncing", "diverged"):
        return None
    return Statement(f"{OPEN} undetermined: a training at a lower one would tell.", UNDETERMINED)


OPEN = "Whether its learning rate is too high is"
STUCK = ("initial-plateau", "vanishing-signal", "stuck-jumping", "dead-plateau")
"""Outcomes of runs that never learned, of which other rates tell whether theirs is why."""
DOUBTFUL = {"bouncing", "noise-floor-raised", "ended-in-excursion", "little"}
"""What may stand beside ``learned`` where a lower rate might still do better."""
ORDERS = Remedy("diagnose", {"orders": after_escape.ORDERS})


def _trains(verdict: Verdict) -> Remedy:
    """What would train from its snapshots: of a run of an own loop its answers name ``again``."""
    named = (one.remedy for one in verdict.answers if one.remedy is not None)
    return next((one for one in named if "again" in one.options), INTERVENE)


def _of_an_escape(verdict: Verdict) -> Statement:
    """What trainings from before it left say of its rate."""
    starts = [STARTS[start].item for start in LEAVING]
    controls = {
        name: item for name in starts if (item := verdict.evidence.get(f"control_from_{name}"))
    }
    left = [name for name, item in controls.items() if not is_below(item.value, item.threshold)]
    lower = [item for name in left if (item := verdict.evidence.get(f"lower_rate_from_{name}"))]
    remedy = None
    if not controls:
        why, remedy = "no training from its snapshots tried a lower one", _trains(verdict)
    elif not left:
        why = "from its snapshots it doesn't leave again in its own order of batches"
        others = [_orders_left(verdict, name) for name in controls if _left_share(verdict, name)]
        why += f"; {' and '.join(others)} do" if others else ""
        # From there the control's steps are the run's own, as its velocity is known.
        if (took := number_of(verdict, "took_from_best")) is not None:
            remedy = Remedy("diagnose", {"epochs": math.ceil(took) + 1})
    elif not lower:
        why = "from its snapshots it leaves again, but no lower rate was tried"
    elif not all(is_below(item.value, item.threshold) for item in lower):
        why = "from its snapshots it leaves again, at a tenth of the rate too"
    else:
        # How long these trainings lasted is in the evidence.
        return _by_orders(verdict, left)
    return Statement(f"{OPEN} undetermined: {why}.", UNDETERMINED, remedy)


def _by_orders(verdict: Verdict, left: Sequence[str]) -> Statement:
    """What it says that it leaves again from these starts, but not at a tenth of its rate.

    That the rate is too high whatever the order of the batches is another order's to tell.
    """
    stability = {name: verdict.evidence.get(f"stability_from_{name}") for name in left}
    decided = {name: str(item.value) for name, item in stability.items() if item is not None}
    unstable = [name for name, value in decided.items() if value == "unstable"]
    if unstable:
        return Statement(
            f"Its learning rate is too high: {_orders_left(verdict, unstable[0])} leave again, "
            "not at a tenth of it.",
            "intervention",
        )
    more: Remedy | None = ORDERS
    if not decided:
        others = "weren't tried"
    elif "open" in decided.values():
        others = "were too few to tell"
        if (price := number_of(verdict, "orders_seconds")) is not None:
            others += f", more take about {duration(price)} or longer"
    else:
        others, more = "don't clearly leave", None
    return Statement(
        f"{OPEN} undetermined: from its snapshots it leaves again in its own order of batches, but "
        f"not at a tenth of the rate; other orders {others}.",
        UNDETERMINED,
        more,
    )


def _orders_left(verdict: Verdict, name: str) -> str:
    """From where how many other orders leave; how many isn't known of older verdicts."""
    [where] = [STARTS[start].page for start in LEAVING if STARTS[start].item == name]
    share = _left_share(verdict, name)
    count = number_of(verdict, f"orders_from_{name}")
    if share is None or count is None:
        return f"from {where} other batch orders"
    return f"from {where} {share * count:.0f} of {count:.0f} other batch orders"


def _left_share(verdict: Verdict, name: str) -> float | None:
    """Which share of other orders left again from a place; None: none was tried."""
    return number_of(verdict, f"left_again_from_{name}")


def motion_rests_on(verdict: Verdict) -> str:
    """What the motion's name rests on, as a confidence."""
    if verdict.motion == UNDETERMINED:
        return UNDETERMINED
    # That the loss moves is read off the run, whatever replicas did.
    is_tested = "replicas_ratio" in verdict.evidence and verdict.motion not in MOVING
    return "intervention" if is_tested else "observation"


def with_errors(value: float, error: float) -> str:
    """A number with two standard errors, where it has any.

    >>> with_errors(14.2, 2.05), with_errors(3.0, 0.0)
    ('14.2 ± 4.1', '3')
    """
    return f"{number(value)}{f' ± {number(2 * error, 2)}' if error else ''}"


def times(count: float) -> str:
    """Once, twice, 3 times."""
    return "once" if count == 1 else "twice" if count == 2 else f"{count:.0f} times"


def enumerated(parts: Sequence[str]) -> str:
    """A, b and c."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def other_rates(verdict: Verdict) -> Iterator[str]:
    """What other rates do from its last weights and its start, as far as they were tried."""
    for name, where in (("landing", "its last weights"), ("start", "its start")):
        if (found := _helped(verdict, name)) is not None:
            good, count, within = found
            lower = verdict.evidence.get(f"lower_rate_from_{name}")
            tenth = lower is not None and is_below(lower.value, lower.threshold)
            among = ", a tenth of its own among them" if tenth else ""
            yield f"From {where} {good} of {count} other rates make it learn{within}{among}."


def _helped(verdict: Verdict, start: str) -> tuple[int, int, str] | None:
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
    shown = "" if epochs is None else number(epochs)
    within = f" within {shown} epoch{'' if shown == '1' else 's'}" if shown else ""
    return sum(is_below(item.value, item.threshold) for item in rates), len(rates), within


def excursions_said(verdict: Verdict) -> str:
    """How many excursions it came back from, and how many of them are spikes.

    >>> from landscape.diagnose.items import Item
    >>> def of(excursions, spikes):
    ...     counts = {"excursions": excursions, "spikes": spikes}
    ...     items = {name: Item(count, None, "") for name, count in counts.items() if count}
    ...     rest = ("learned", "confined", None, (), (), "observation")
    ...     return excursions_said(Verdict(*rest, evidence=items))
    >>> of(3, 2), of(2, 2), of(1, 1), of(3, 0)
    ('3 excursions, 2 of them spikes', '2 spikes', '1 spike', '3 excursions, none of them a spike')
    """
    spikes, count = (round(number_of(verdict, name) or 0) for name in ("spikes", "excursions"))
    if spikes >= count:
        return counted(spikes, "spike")
    which = f"{spikes} of them" + (" a spike" if spikes == 1 else " spikes")
    return f"{counted(count, 'excursion')}, {which if spikes else 'none of them a spike'}"


MOVING = (slope.DESCENDING, slope.RISING)
"""Motions that name what the loss does: it hasn't settled."""
KINDS = ("confined", "walk", "drift")
"""What a squared displacement is read as the sum of."""


CLIPPED = 0.1
"""Of a sum; shares from which more was taken to bring others up to 0 aren't said."""


def shares_said(verdict: Verdict, which: str = "") -> dict[str, str]:
    """The shares of the sum by kind, in percent that add up to 100; empty where it is none.

    ``which`` is ``replicas_`` for those of their time. What is below 0 by less than its error
    counts as 0, unless that would take more than a tenth from the others.

    >>> from landscape.diagnose.items import Item
    >>> found = {"confined": 0.894, "walk": 0.117, "drift": -0.0112}
    >>> items = {f"share_{kind}": Item(share, -0.7, "") for kind, share in found.items()}
    >>> rest = ("learned", "undetermined", None, (), (), "observation")
    >>> shares_said(Verdict(*rest, evidence=items))
    {'confined': '88 %', 'walk': '12 %', 'drift': '0 %'}
    """
    shares = [number_of(verdict, f"{which}share_{kind}") for kind in KINDS]
    known = [max(share, 0.0) for share in shares if share is not None and math.isfinite(share)]
    if len(known) < len(KINDS) or is_no_sum(verdict, which) or sum(known) > 1 + CLIPPED:
        return {}
    exact = [100 * share / sum(known) for share in known]
    whole = [math.floor(share) for share in exact]
    # What rounding down leaves over goes to the largest remainders.
    order = sorted(range(len(exact)), key=lambda at: whole[at] - exact[at])
    for at in order[: 100 - sum(whole)]:
        whole[at] += 1
    return {kind: f"{share} %" for kind, share in zip(KINDS, whole, strict=True)}


def is_no_sum(verdict: Verdict, which: str = "") -> bool:
    """Whether a share is negative beyond its error."""
    items = [verdict.evidence.get(f"{which}share_{kind}") for kind in KINDS]
    return any(item is not None and is_below(item.value, item.threshold) for item in items)


def motion_sentence(verdict: Verdict) -> str:
    """How the weights move, and over which time."""
    over = over_steps(verdict, number_of(verdict, "motion_steps"))
    return filled(MOTIONS[verdict.motion].sentence, verdict, over=over)


def over_steps(verdict: Verdict, steps: float | None) -> str:
    """Over which time, as a sentence begins."""
    whole = number_of(verdict, "window_steps")
    if steps is None:
        return ""
    said = counted(round(steps), "step")
    return f"Over the window's {said}" if steps == whole else f"Over {said}"


def filled(text: str, verdict: Verdict, **more: str) -> str:
    """A sentence of `outcome_names` with the evidence's values in it."""
    values = {name: _shown(name, item.value) for name, item in verdict.evidence.items()}
    shares = shares_said(verdict, of_motion(verdict))
    values |= {f"share_{kind}": share for kind, share in shares.items()}
    if (loss := number_of(verdict, "end_loss")) is not None:
        values["ends_at"] = _ends_at(loss, verdict)
    values["at_step"] = _at_step(verdict)
    if verdict.layers:
        # Older versions didn't say what units are.
        values = {"stuck_as": "dead or saturated", "layers": layers(verdict.layers), **values}
    return text.format_map({**values, **more})


def of_motion(verdict: Verdict) -> str:
    """Which shares are of the time that the motion has its name over: see `shares_said`."""
    steps = said(verdict, "motion_steps")
    return "replicas_" if steps is not None and steps == said(verdict, "replicas_steps") else ""


def _ends_at(loss: float, verdict: Verdict) -> str:
    """The loss it ends at, as a sentence goes on: a level only where it is one."""
    change = number_of(verdict, "end_change")
    if change is None:
        return f"a level of {number(loss)}"
    size = percent(abs(math.expm1(change)))
    return f"a loss of {number(loss)} that {still(verdict)} (by {size} over its last stretch)"


def _at_step(verdict: Verdict) -> str:
    """When it left for good or diverged, as a sentence goes on; empty where that isn't known."""
    name = "non-finite" if verdict.verdict == "diverged" else "escape"
    step = next((one.first for one in verdict.events if one.name == name), None)
    return "" if step is None else f" at step {step:,}"


def still(verdict: Verdict) -> str:
    """Whether that loss ``still falls`` or ``still rises``; empty of a level."""
    change = number_of(verdict, "end_change")
    return "" if change is None else "still falls" if change < 0 else "still rises"


def _shown(name: str, value: Value) -> str:
    if isinstance(value, float):
        return percent(max(value, 0.0)) if "share_" in name else number(value)
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
