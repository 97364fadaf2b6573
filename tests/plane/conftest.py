from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import CADENCE, MEASURES, Trajectory

SHAPES = {"a.weight": (5, 4), "a.bias": (5,), "b.weight": (3, 2, 2, 2), "b.bias": (3,)}


def layout(shapes: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    found, offset = [], 0
    for name, shape in shapes.items():
        found.append({"name": name, "shape": list(shape), "offset": offset})
        offset += prod(shape)
    return found


@pytest.fixture
def parameters() -> list[dict[str, Any]]:
    """Lay out a matrix, a convolution and their biases: 52 weights."""
    return layout(SHAPES)


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Trajectory]:
    """Write a trajectory with given weights (T, P) and losses."""
    numbers = count()

    def make(
        weights: np.ndarray,
        losses: Any = None,
        *,
        shapes: dict[str, tuple[int, ...]] | None = None,
        steps: list[int] | None = None,
        kinds: list[int] | None = None,
        buffers: list[dict[str, np.ndarray]] | None = None,
    ) -> Trajectory:
        rows, size = np.shape(weights)
        losses = np.arange(rows, 0, -1) if losses is None else losses
        folder = tmp_path / f"planted-{next(numbers)}"
        (folder / "shards").mkdir(parents=True)
        writer = Writer(folder, layout(shapes or {"weight": (1, size)}))
        for row in range(rows):
            writer.add_row(
                steps[row] if steps else 10 * row,
                kinds[row] if kinds else CADENCE,
                np.asarray(weights[row], np.float32),
                buffers[row] if buffers else {},
                dict.fromkeys(MEASURES, np.nan) | {"train_loss": float(losses[row])},
            )
        writer.flush()
        return Trajectory.open(folder / "trajectory.h5")

    return make


@pytest.fixture
def walk() -> Callable[..., np.ndarray]:
    """Draw a random walk (T, P) in float32."""

    def make(rows: int, size: int, *, seed: int = 0) -> np.ndarray:
        steps = np.random.default_rng(seed).standard_normal((rows, size))
        return steps.cumsum(0).astype(np.float32)

    return make
