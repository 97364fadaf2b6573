"""Overfitting: where the validation loss was lowest, and how far it is from the training loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landscape.diagnose.evidence import Rows

END_ROWS = 5


@dataclass(frozen=True)
class Overfitting:
    """Validation against training, over the recorded rows."""

    validation_minimum: float
    step: int
    """Where it was."""
    validation_end: float
    """Median of the last rows, as the other one called end."""
    train_end: float
    rise: float
    """How far validation rose from its minimum to the end."""
    gap: float
    """Validation minus training loss, row by row: the median over the last rows. It needn't be the
    difference of the medians, which may be those of two rows."""
    accuracy_gap: float | None = None
    """Training minus validation accuracy, row by row as well, where the loss has accuracies."""
    rows: int = 0
    """How many last rows these are; 0: an older version didn't say."""
    validation_accuracy: float | None = None
    """Median of the last rows, where the loss has accuracies."""


def measure(rows: Rows) -> Overfitting | None:
    """Read it off the finite rows; None without validation losses."""
    if rows.validation_loss is None:
        return None
    keep = np.isfinite(rows.validation_loss) & np.isfinite(rows.train_loss)
    if not keep.any():
        return None
    validation, train = rows.validation_loss[keep], rows.train_loss[keep]
    count = min(len(train), max(END_ROWS, len(train) // 10))
    end, train_end, gap = (
        float(np.median(values[-count:])) for values in (validation, train, validation - train)
    )
    lowest = int(validation.argmin())
    accuracy_gap: float | None = None
    accuracy: float | None = None
    if rows.train_accuracy is not None and rows.validation_accuracy is not None:
        differences = (rows.train_accuracy - rows.validation_accuracy)[keep][-count:]
        if np.isfinite(differences).all():
            accuracy_gap = float(np.median(differences))
            accuracy = float(np.median(rows.validation_accuracy[keep][-count:]))
    return Overfitting(
        float(validation[lowest]),
        int(rows.step[keep][lowest]),
        end,
        train_end,
        end - float(validation[lowest]),
        gap,
        accuracy_gap,
        count,
        accuracy,
    )
