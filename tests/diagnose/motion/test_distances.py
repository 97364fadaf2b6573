from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from landscape.diagnose.motion import distances
from landscape.errors import LandscapeError
from landscape.plane import principal
from landscape.sgd.recording.sketch import METHOD, Sketch
from landscape.store.trajectories.index import Sketching
from landscape.store.trajectories.shards import Writer
from landscape.store.trajectories.trajectory import CADENCE, DENSE, MEASURES, SCALARS, Trajectory


def walk(rows: int, size: int, seed: int = 0) -> np.ndarray:
    steps = np.random.default_rng(seed).standard_normal((rows, size))
    return np.cumsum(steps, axis=0).astype(np.float32)


def write(
    folder: Path, weights: np.ndarray, *, kinds: list[int] | None = None, sketch: int = 0
) -> Trajectory:
    """Row t at step t; with sketches of so many numbers for every step but the last."""
    rows, size = weights.shape
    (folder / "shards").mkdir(parents=True)
    sketching = Sketching(sketch, 0, METHOD) if sketch else None
    parameters = [{"name": "w", "shape": [size], "offset": 0}]
    writer = Writer(folder, parameters, sketching=sketching)
    of = Sketch(torch.from_numpy(weights[0]), sketch) if sketch else None
    for row in range(rows):
        kind = kinds[row] if kinds else CADENCE
        writer.add_row(row, kind, weights[row], {}, dict.fromkeys(MEASURES, np.nan))
        if of is not None and row < rows - 1:
            scalars = dict.fromkeys(SCALARS, 0.0)
            scalars["weight_norm"] = float(np.linalg.norm(weights[row].astype(float)))
            writer.add_step(scalars, of(torch.from_numpy(weights[row])))
    writer.flush()
    return Trajectory.open(folder / "trajectory.h5")


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_equal_to_plain_differences(tmp_path, offset):
    weights = (offset + 1e-2 * walk(20, 300)).astype(np.float32)
    found = distances.measure(write(tmp_path, weights))
    expected = cdist(weights.astype(float), weights.astype(float), "sqeuclidean")
    np.testing.assert_allclose(found.squared, expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.norm, np.linalg.norm(weights.astype(float), axis=1))
    assert (found.source, found.error, found.of) == ("snapshots", 0.0, 0)
    # In float32, products of the weights themselves lose the movement at the offset.
    gram = weights @ weights.T
    naive = np.diag(gram)[:, None] + np.diag(gram) - 2 * gram
    off = ~np.eye(20, dtype=bool)
    is_lost = np.abs(naive[off] / expected[off] - 1).max() > 0.05
    assert is_lost == (offset > 0)


def test_blocks_of_columns_give_the_same(tmp_path, monkeypatch):
    trajectory = write(tmp_path, walk(12, 101))
    whole = distances.measure(trajectory)
    for columns in (1, 7, 100):
        monkeypatch.setattr(principal, "CHUNK_BYTES", columns * 8 * 12)
        parts = distances.measure(trajectory)
        np.testing.assert_allclose(parts.squared, whole.squared, rtol=1e-12)
        np.testing.assert_allclose(parts.norm, whole.norm, rtol=1e-12)


def test_rows_of_the_cadence_with_finite_weights(tmp_path):
    weights = walk(10, 30)
    weights[4, 2] = np.inf
    kinds = [CADENCE if row % 2 == 0 else DENSE for row in range(10)]
    found = distances.measure(write(tmp_path, weights, kinds=kinds))
    assert found.step.tolist() == [0, 2, 6, 8]
    kept = weights[[0, 2, 6, 8]].astype(float)
    np.testing.assert_allclose(found.squared, cdist(kept, kept, "sqeuclidean"), rtol=1e-9)


def test_coordinates_in_a_subspace(tmp_path):
    weights = walk(15, 40)
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((40, 3)))[0].T
    found = distances.measure(write(tmp_path, weights), subspace=basis)
    moved = weights.astype(float) @ basis.T
    np.testing.assert_allclose(
        found.coordinates - found.coordinates[0], moved - moved[0], atol=1e-10
    )


def test_many_rows_are_thinned_evenly_and_it_is_said(tmp_path):
    found = distances.measure(write(tmp_path, walk(101, 5)), most=11)
    assert found.step.tolist() == list(range(0, 101, 10))
    assert found.of == 101


def test_one_row_has_no_distance(tmp_path):
    with pytest.raises(LandscapeError) as caught:
        distances.measure(write(tmp_path, walk(1, 5)))
    assert str(caught.value) == (
        "distances need at least two rows with finite weights, got 1; record more often"
    )


def test_sketches_within_their_error(tmp_path):
    weights = walk(201, 20_000)
    trajectory = write(tmp_path, weights, sketch=256)
    found = distances.sketched(trajectory, first=20, last=180, points=40)
    assert found.step.tolist() == list(range(20, 181, 4))
    assert found.error == pytest.approx(0.0442, abs=1e-4)
    kept = weights[found.step].astype(float)
    off = np.triu_indices(len(kept), 1)
    expected = cdist(kept, kept)[off]
    errors = np.sqrt(found.squared[off]) / expected - 1
    # Pairs share their sketches' errors: together they may lie to one side.
    assert np.abs(errors).max() < 4 * found.error
    assert np.abs(errors).max() > 0.5 * found.error
    np.testing.assert_allclose(found.norm, np.linalg.norm(kept, axis=1), rtol=1e-6)


def test_without_sketches(tmp_path):
    trajectory = write(tmp_path, walk(5, 5))
    with pytest.raises(LandscapeError) as caught:
        distances.sketched(trajectory)
    assert str(caught.value) == (
        f"{trajectory.path} must hold sketches, found none; measure distances between snapshots, "
        "or train again with sketches"
    )


def test_a_stretch_without_steps(tmp_path):
    trajectory = write(tmp_path, walk(5, 5), sketch=4)
    with pytest.raises(LandscapeError) as caught:
        distances.sketched(trajectory, first=3)
    assert str(caught.value) == (
        "distances need sketches of at least two steps from 3 to 4, got 1; choose a longer stretch"
    )


def test_distance_by_lag():
    weights = np.outer(np.arange(65.0), np.ones(4))
    found = distances.by_lag(distances.between(weights))
    assert found.pairs.sum() == 65 * 64 // 2
    assert (found.low <= found.distance).all()
    assert (found.distance <= found.high).all()
    # Along a line d is 2 × lag: bins hold the mean of squares.
    np.testing.assert_allclose(found.distance, 2 * found.lag, rtol=0.03)
    assert found.distance[0] == pytest.approx(2.0)


def test_uneven_steps_have_their_own_lags():
    uneven = distances.between(np.array([[0.0], [1.0], [4.0]]), np.array([0, 10, 40]))
    found = distances.by_lag(replace(uneven))
    assert found.lag.tolist() == [10.0, 30.0, 40.0]
    assert found.distance.tolist() == pytest.approx([1.0, 3.0, 4.0])


def test_what_was_learned_first_is_left_out_of_the_settled_window():
    # Straight down for 100 steps, then a walk about there of the same steps' length.
    generator = np.random.default_rng(0)
    walk = generator.standard_normal((200, 50)).cumsum(0)
    drift = np.zeros((100, 50))
    drift[:, 0] = np.linspace(1000, 0, 100)
    found = distances.between(np.concatenate([drift, walk]))
    late = distances.since(found, 100)
    assert late is not None
    assert list(late.step) == list(range(100, 300))
    lag = 64
    expected = np.sqrt(np.mean(((walk[lag:] - walk[:-lag]) ** 2).sum(1)))
    curve, whole = distances.by_lag(late), distances.by_lag(found)
    near = np.abs(curve.lag - lag).argmin()
    assert curve.distance[near] == pytest.approx(expected, rel=0.15)
    assert whole.distance[near] > 3 * curve.distance[near]
    assert distances.since(found, 299) is None
