"""A piece of evidence: what was measured, the line it is held against, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Item:
    """One row of the verdict's evidence."""

    value: Value
    threshold: Value
    """None: stated, not judged."""
    meaning: str


Items = dict[str, Item]
LABELS = {
    "best_loss": "lowest logged loss",
    "best_share": "best stretch's share",
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
