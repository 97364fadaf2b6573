"""What the values of a measure are: a loss or an accuracy, of which data, in which unit."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("train", "validation")
LOSSES = ("train_loss", "validation_loss")
"""What is minimised, on each set of data."""
ACCURACIES = ("train_accuracy", "validation_accuracy")
CORESET = "coreset"
"""Among a scan's settings: how many weighted samples its interpolation started from."""


@dataclass(frozen=True)
class MeasureInfo:
    """What is known of a measure beside its values; attributes of its dataset in a file."""

    kind: str
    """``loss``, ``accuracy`` (a share) or ``other``."""
    role: str = ""
    """Whose data it is measured on, ``train`` or ``validation``; empty: of the model alone."""
    unit: str = ""
    """Of the values; empty where they have none, or nobody said."""
    term: str = ""
    """Of a problem that is a sum: which term's loss, before its weight; empty: the sum's."""


def named(name: str) -> MeasureInfo:
    """What a measure is by its name, in files that say no more: those of the first versions."""
    role = next((one for one in ROLES if name.startswith(f"{one}_")), "")
    ending = name.rpartition("_")[2]
    return MeasureInfo(ending if ending in ("loss", "accuracy") else "other", role)
