"""A piece of evidence: what was measured, the line it is held against, and what it means."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Item:
    """One row of the verdict's evidence.

    >>> Item(0.34, 0.5, "how straight the movement is", "below: a walk")
    Item(value=0.34, threshold=0.5)
    """

    value: Value
    threshold: Value
    """None: stated, not judged."""
    meaning: str = field(repr=False)
    side: str = field(default="", repr=False)
    """On which side of the line the value is, and what that side counts for."""

    @property
    def text(self) -> str:
        """What it is, after what its side of the line counts for."""
        return f"{self.side}; {self.meaning}" if self.side else self.meaning


Items = dict[str, Item]


def held(value: float, line: float, meaning: str, *, below: str, above: str) -> Item:
    """A number with its line; at the line it counts as ``below``.

    >>> held(0.34, 0.5, "c", below="a walk", above="a drift").text
    'below: a walk; c'
    """
    if math.isnan(value):
        return Item(value, line, meaning)
    word = "above" if value > line else "below" if value < line else "at the line"
    return Item(value, line, meaning, f"{word}: {above if value > line else below}")


LABELS = {
    "best_loss": "lowest logged loss",
    "best_share": "best stretch's share",
    "end_loss": "loss it ends at",
    "end_change": "it still falls or rises",
    "end_noises": "end over best, in noise",
    "end_lost": "lost again at the end",
    "end_times": "end over best, a factor",
    "logit_spread": "outputs' spread",
    "half_cosine": "c½",
    "ratio": "R",
    "exponent": "exponent α",
    "dimension": "dimensions behind c½",
    "replicas_ratio": "replicas apart",
    "replicas_half_cosine": "c½, replicas' time",
    "replicas_lag_ratio": "R, replicas' time",
    "replicas_dimension": "dimensions behind that",
    "hops": "largest leap",
    "aging": "late over early movement",
    "no_way_back": "a bias alone can move",
    "landing_kind": "what surrounds the end",
    "near_step": "last logged step before it left",
    "between": "loss before it left",
    "between_low": "lowest before it left",
    "between_high": "highest before it left",
}
"""Of names that don't say it."""
PLACES = {
    "_from_best": "from lowest loss",
    "_best": "at lowest loss",
    "_from_onset": "from before it left",
    "_onset": "before it left",
    "_from_landing": "from the end",
    "_from_start": "from the start",
    "_from_plateau": "from a plateau",
    "_end": "at the end",
}
"""By how a name ends, where it was measured or where trainings began."""


def label(name: str) -> str:
    """What an item is called where people read it.

    A diagnosis knows the losses that training logged: its best row is that of the lowest of them,
    which figures, of all recorded weights, needn't mark as the best.

    >>> label("gradient_norm_best"), label("control_from_best"), label("best_stretch")
    ('gradient norm at lowest loss', 'control from lowest loss', 'best stretch')
    """
    if name in LABELS:
        return LABELS[name]
    for ending, words in PLACES.items():
        if name.endswith(ending):
            before = name.removesuffix(ending)
            return f"{LABELS.get(before, before.replace('_', ' '))} {words}"
    return name.replace("_", " ")
