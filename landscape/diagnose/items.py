"""A piece of evidence: what was measured, the line it is held against, and what it means."""

from __future__ import annotations

import math
from dataclasses import dataclass

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Item:
    """One row of the verdict's evidence."""

    value: Value
    threshold: Value
    """None: stated, not judged."""
    meaning: str
    side: str = ""
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
    "logit_spread_best": "outputs' spread lowest logged",
    "logit_spread_end": "outputs' spread, end",
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
}
"""Of names that don't say it."""


def label(name: str) -> str:
    """What an item is called where people read it.

    A diagnosis knows the losses that training logged: its best row is that of the lowest of them,
    which figures, of all recorded weights, needn't mark as the best.

    >>> label("gradient_norm_best"), label("best_stretch"), label("dead_layers")
    ('gradient norm lowest logged', 'best stretch', 'dead layers')
    """
    if name in LABELS:
        return LABELS[name]
    words = name.replace("_", " ")
    return words if "stretch" in words else words.replace("best", "lowest logged")
