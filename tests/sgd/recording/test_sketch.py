"""Distances from sketches against exact ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from landscape import sgd
from landscape.errors import LandscapeError
from landscape.sgd import Options, Recorder, Settings, steps
from landscape.sgd.recording.sketch import WHOLE_METHOD, Sketch, relative_error


def in_blocks(vector: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Follow the words of the dataset's attribute."""
    generator = np.random.Generator(np.random.PCG64(seed))
    order = generator.permutation(min(len(vector), 65536))
    signs = 2 * generator.integers(0, 2, len(vector)) - 1
    blocks = math.ceil(len(vector) / 65536)
    shifts = generator.integers(0, size, blocks)
    shifts[0] = 0
    found = np.zeros(size)
    for b in range(blocks):
        d = vector[65536 * b :][:65536]
        entries = d[order[order < len(d)]] * signs[65536 * b :][: len(d)]
        np.add.at(found, (np.arange(len(d)) + shifts[b]) % size, entries)
    return found


def by_hand(vector: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Follow the words that the attribute had before, which say the same of one block."""
    generator = np.random.Generator(np.random.PCG64(seed))
    order = generator.permutation(len(vector))
    signs = 2 * generator.integers(0, 2, len(vector)) - 1
    found = np.zeros(size)
    for k in range(len(vector)):
        found[k % size] += signs[k] * vector[order[k]]
    return found


@pytest.mark.parametrize(("count", "size"), [(1000, 64), (64, 64), (7, 16), (1, 4)])
def test_as_described(count, size):
    start, end = torch.randn(2, count, generator=torch.Generator().manual_seed(0))
    found = Sketch(start, size, seed=3)(end)
    assert found.shape == (size,)
    np.testing.assert_allclose(found, by_hand((end - start).numpy(), size, 3), atol=1e-5)


@pytest.mark.parametrize("count", [65536, 65537, 200_000])
def test_in_blocks_as_described(count):
    start, end = torch.randn(2, count, generator=torch.Generator().manual_seed(0))
    difference = (end.double() - start.double()).numpy()
    found = Sketch(start, 256, seed=3)(end)
    np.testing.assert_allclose(found, in_blocks(difference, 256, 3), atol=1e-4)
    before = Sketch(start, 256, seed=3, method=WHOLE_METHOD)(end)
    generator = np.random.Generator(np.random.PCG64(3))
    order = generator.permutation(count)
    signed = (2 * generator.integers(0, 2, count) - 1) * difference[order]
    padded = np.pad(signed, (0, -count % 256)).reshape(-1, 256)
    np.testing.assert_allclose(before, padded.sum(0), atol=1e-4)


def test_a_small_step_from_large_weights_is_not_rounded_away():
    start = torch.full((200_000,), 3.0)
    end = start + 1e-6
    exact = in_blocks((end.double() - start.double()).numpy(), 256, 0)
    np.testing.assert_allclose(Sketch(start, 256)(end), exact, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("pattern", ["spread", "column", "low rank"])
def test_the_stated_error_holds_across_blocks(pattern):
    """Over 60 seeds: weights as they come, in one column of a matrix, and of rank one."""
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(600, generator=generator)
    change = {
        "spread": torch.randn(600, 256, generator=generator),
        "column": rows[:, None] * torch.eye(256)[7],
        "low rank": rows[:, None] * torch.randn(256, generator=generator),
    }[pattern].flatten()
    start = torch.zeros_like(change)
    found = np.array(
        [np.linalg.norm(Sketch(start, 64, seed=seed)(change).astype(float)) for seed in range(60)]
    )
    exact = float(change.norm())
    assert np.mean(found**2) == pytest.approx(exact**2, rel=4 * 2 * relative_error(64) / 60**0.5)
    assert np.std(found) / exact <= 1.3 * relative_error(64)


def test_of_the_start_is_zero():
    start = torch.randn(500)
    assert not Sketch(start, 32)(start).any()


def test_unbiased_with_the_stated_error():
    """Over 400 seeds: the squared estimate's mean, and the spread of the distance."""
    start = torch.zeros(3000)
    end = torch.randn(3000, generator=torch.Generator().manual_seed(1)) ** 3
    exact = float(end.norm())
    found = np.array(
        [np.linalg.norm(Sketch(start, 256, seed=seed)(end).astype(float)) for seed in range(400)]
    )
    assert np.mean(found**2) == pytest.approx(exact**2, rel=4 * 2 * relative_error(256) / 20)
    spread = np.std(found) / exact
    assert spread <= 1.1 * relative_error(256)
    assert spread >= 0.5 * relative_error(256)


@pytest.fixture
def recorded(tmp_path, problem):
    made, settings = problem(), Settings(lr=0.3, momentum=0.9, batch_size=8, epochs=20)
    with Recorder(tmp_path / "run", made, settings, record="1") as recorder:
        for step in steps(made, settings):
            recorder.record(step)
    return recorder.run.trajectory


def test_distances_between_any_two_steps_of_a_training(recorded):
    weights = recorded.weights(slice(None)).astype(np.float64)
    pairs = np.random.default_rng(0).integers(0, len(weights), (60, 2))
    ratios = []
    for first, second in pairs.tolist():
        exact = np.linalg.norm(weights[first] - weights[second])
        found = sgd.distance(recorded, first, second)
        assert found.error == pytest.approx(found.value * relative_error(256))
        if first != second:
            ratios.append(found.value / exact)
        else:
            assert found.value == 0
    # Here there are fewer weights than numbers: no two share one, and the sketch is exact.
    np.testing.assert_allclose(ratios, 1, rtol=1e-5)


def test_within_the_stated_error_where_numbers_are_shared(tmp_path, problem):
    made, settings = problem(), Settings(lr=0.3, momentum=0.9, batch_size=8, epochs=20)
    with Recorder(
        tmp_path / "run", made, settings, record="1", options=Options(sketch=16)
    ) as recorder:
        for step in steps(made, settings):
            recorder.record(step)
    trajectory = recorder.run.trajectory
    weights = trajectory.weights(slice(None)).astype(np.float64)
    pairs = np.random.default_rng(0).integers(0, len(weights), (60, 2)).tolist()
    errors = []
    for first, second in pairs:
        if first == second:
            continue
        found = sgd.distance(trajectory, first, second)
        exact = np.linalg.norm(weights[first] - weights[second])
        errors.append((found.value - exact) / (exact * relative_error(16)))
    assert np.max(np.abs(errors)) < 4
    assert np.sqrt(np.mean(np.square(errors))) < 2


def test_stored_as_the_contract_says(recorded):
    import h5py

    with h5py.File(recorded.path) as file:
        data = file["steps/sketch"]
        assert data.shape == (140, 256)
        assert data.dtype == np.float32
        assert data.attrs["seed"] == 0
        assert data.attrs["method"].startswith("count-sketch: generator = ")
        weights = file["weights"][:]
        np.testing.assert_allclose(
            data[57], by_hand(weights[57] - weights[0], 256, 0), rtol=0, atol=1e-6
        )


def test_refusals(tmp_path, problem, recorded):
    made, settings = problem(), Settings(batch_size=16, steps=5)
    with Recorder(tmp_path / "none", made, settings, options=Options(sketch=0)) as recorder:
        for step in steps(made, settings):
            recorder.record(step)
    path = recorder.run.folder / "trajectory.h5"
    with pytest.raises(LandscapeError) as caught:
        sgd.distance(recorder.run.trajectory, 0, 3)
    assert str(caught.value) == (
        f"{path} must hold sketches, found none; "
        "read the distance off recorded rows, or train again without --no-sketch"
    )
    with pytest.raises(LandscapeError) as caught:
        sgd.distance(recorded, 0, 141)
    assert str(caught.value) == ("step 141 must be a recorded one, the recording ends at step 140")
