"""Make ``landscape/problem/datasets/data/digits.npz`` from scikit-learn's digits.

    python tests/problem/datasets/make_digits.py landscape/problem/datasets/data/digits.npz

Needs scikit-learn. The same bytes come out each time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

VALIDATION = 360
SEED = 0

Array = npt.NDArray[Any]


def arrays() -> dict[str, Array]:
    """All 1797 images, split so that every class has its share in both parts."""
    bunch = load_digits()
    inputs = bunch.images.astype(np.uint8)[:, None]
    targets = bunch.target.astype(np.uint8)
    generator = np.random.Generator(np.random.PCG64(SEED))
    order = generator.permutation(len(targets))
    chosen = _stratified(targets[order])
    # Shuffled again: what the choice leaves has few of a class until its share is taken.
    train = generator.permutation(order[~chosen])
    validation = generator.permutation(order[chosen])
    return {
        "train_inputs": inputs[train],
        "train_targets": targets[train],
        "validation_inputs": inputs[validation],
        "validation_targets": targets[validation],
    }


def _stratified(targets: Array) -> Array:
    """Mark the first samples of every class, in proportion, by the largest remainder."""
    counts = np.bincount(targets)
    exact = counts * VALIDATION / len(targets)
    quota = np.floor(exact).astype(int)
    largest = np.argsort(quota - exact, kind="stable")[: VALIDATION - quota.sum()]
    quota[largest] += 1
    chosen = np.zeros(len(targets), dtype=bool)
    for digit, share in enumerate(quota):
        chosen[np.flatnonzero(targets == digit)[:share]] = True
    return chosen


if __name__ == "__main__":
    np.savez_compressed(Path(sys.argv[1]), **arrays())
