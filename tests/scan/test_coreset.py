"""A few weighted samples say what all say: planted sums, a model by hand, a scan from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.plane import random
from landscape.plane.still import StillWeights
from landscape.problem import Problem
from landscape.scan import coreset
from landscape.scan.coreset import calibrated, weights
from landscape.scan.job import Job
from landscape.scan.prepare import grid
from landscape.scan.speed import strategies
from landscape.scan.speed.engine import Engine, TilePlan
from landscape.scan.speed.options import Evaluation
from landscape.store.scans.attributes import CORESET
from landscape.store.scans.certificates import Promise
from landscape.store.scans.records import Scan

KINDS = 6


def problem(count: int = 1200, *, kinds: int = KINDS, seed: int = 0) -> Problem:
    """A network at random weights on samples of which only so many are different."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.arange(count) % kinds
    inputs = torch.randn(kinds, 8, generator=generator)[which]
    labels = torch.randint(0, 3, (kinds,), generator=generator)[which]
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3)
    )
    return Problem(model, (inputs, labels), (inputs[::3], labels[::3]))


def scanned(of: Problem, tolerance: float) -> Scan:
    plane = random(StillWeights.of(of))
    return grid(of, plane, size=31, extent=4.0, tolerance=tolerance, cap="none")


@pytest.fixture(scope="module")
def exact() -> Scan:
    return scanned(problem(), 0.0)


def test_weights_of_planted_sums():
    random_numbers = np.random.default_rng(0)
    values = random_numbers.exponential(size=(60, 20))
    planted = random_numbers.dirichlet(np.ones(20))
    found = weights(values, values @ planted, np.ones(60))
    assert (found >= 0).all()
    fresh = random_numbers.exponential(size=(500, 20))
    np.testing.assert_allclose(fresh @ found, fresh @ planted, rtol=0.01)


def test_without_knowledge_all_count_the_same():
    # Three sums over positions: a sample holds ten, so that each counts a tenth of its share.
    found = weights(np.full((5, 4), 10.0), np.full(5, 1.0), np.ones(5))
    np.testing.assert_allclose(found, 1 / 40, rtol=1e-3)


def test_noise_is_no_coreset():
    random_numbers = np.random.default_rng(0)
    values, wanted = random_numbers.exponential(size=(60, 40)), random_numbers.exponential(size=60)
    promises = {"train_loss": Promise(0.01)}
    places = np.arange(40)
    assert calibrated(places, {"loss": values}, {"train_loss": wanted}, promises) is None
    made = calibrated(places, {"loss": values}, {"train_loss": values.mean(1)}, promises)
    assert made is not None
    np.testing.assert_allclose(made.weights["train_loss"].sum(), 1.0, rtol=0.02)


def test_where_samples_say_nothing_of_low_losses_there_is_no_coreset():
    values = np.random.default_rng(0).exponential(size=(60, 40))
    wanted = np.repeat([1.0, 3.0], 30) * values.mean(1)
    values[wanted <= 2.0] = np.inf
    promises = {"train_loss": Promise(0.01, 2.0)}
    assert calibrated(np.arange(40), {"loss": values}, {"train_loss": wanted}, promises) is None


@pytest.mark.parametrize("name", ["sequential", "batched", "shared", "shared+batched"])
def test_what_each_sample_adds_adds_up_to_the_loss(name: str):
    of = problem(96, kinds=96)
    plane = random(StillWeights.of(of))
    engine = Engine(of, plane)
    with torch.inference_mode():
        way = strategies.make(name, engine)
        engine.adopt(TilePlan(name, 4 if way.at_once else 1, 96), way)
    xy = np.random.default_rng(1).normal(size=(10, 2))
    found, measured = engine.of_samples(xy), engine.at_many(xy)
    assert found["loss"].shape == (10, 96)
    np.testing.assert_allclose(found["loss"].mean(1), measured["train_loss"], rtol=1e-6)
    np.testing.assert_allclose(found["accuracy"].mean(1), measured["train_accuracy"])
    # A sample's own, by a model set by hand.
    weights_there = plane.origin + xy[3] @ plane.directions
    torch.nn.utils.vector_to_parameters(
        torch.tensor(weights_there, dtype=torch.float32), of.model.parameters()
    )
    inputs, labels = of.train
    with torch.no_grad():
        own = nn.functional.cross_entropy(of.model(inputs), labels, reduction="none")
    np.testing.assert_allclose(found["loss"][3], own, rtol=1e-3, atol=1e-5)


def test_a_rough_plane_of_few_kinds_of_samples_takes_few_points(exact: Scan):
    found = scanned(problem(), 0.01)
    assert found.settings[CORESET] == (1200 + 400) // coreset.SHARE
    assert found.certificate is not None
    assert found.certificate.passed
    # The first grid, the held-out points and hardly more: a coreset of all kinds misses nothing.
    assert found.measured.sum() < 49 + 32 + 20
    for name in ("train_loss", "validation_loss"):
        off = np.abs(found.measures[name] / exact.measures[name] - 1)
        assert np.quantile(off, 0.95) < 0.01
        assert off[found.measured].max() < 1e-5
    # Points on a coreset are counted by the samples they take.
    most = found.measured.sum() * 1600 + 31 * 31 * found.settings[CORESET]
    assert found.samples_evaluated == most


def test_what_a_coreset_takes_is_in_the_total():
    whole = problem()
    plane = random(StillWeights.of(whole))
    started = grid(whole, plane, size="31", extent="4.0", tolerance=0.01, cap="none")
    there = np.zeros_like(started.measured)
    job = Job(
        whole,
        replace(started, measured=there, certificate=None, settings={}),
        Evaluation(tolerance=0.01),
    )
    assert f"{-(-31 * 31 // coreset.SHARE)} on few samples" in job.counted
    assert Job(whole, job.scan, Evaluation(tolerance=0.01, samples=200)).total < job.total


def objective(
    model: nn.Module, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses of samples that count differently."""
    losses = nn.functional.cross_entropy(model(batch["x"]), batch["y"], reduction="none")
    counts = 1.0 + batch["y"]
    return losses * counts, counts


def listed(of: Problem) -> Problem:
    inputs, labels = of.train
    return Problem(of.model, list(zip(inputs, labels, strict=True)))


def with_objective(of: Problem) -> Problem:
    inputs, labels = of.train
    return Problem(of.model, {"x": inputs, "y": labels}, objective=objective)


def with_penalty(of: Problem) -> Problem:
    return replace(
        of, penalty=lambda model: 1e-3 * sum(p.square().sum() for p in model.parameters())
    )


@pytest.mark.slow
@pytest.mark.parametrize("given", [listed, with_objective, with_penalty])
def test_however_data_and_loss_are_given(given: Callable[[Problem], Problem]):
    of = given(problem())
    found, exact = scanned(of, 0.01), scanned(of, 0.0)
    assert found.settings[CORESET] > coreset.LEAST
    assert found.measured.sum() < 49 + 32 + 20
    off = np.abs(found.measures["train_loss"] / exact.measures["train_loss"] - 1)
    assert np.quantile(off, 0.95) < 0.01


@pytest.mark.slow
def test_where_samples_are_too_few_points_are_measured_instead(exact: Scan):
    few = scanned(problem(90), 0.01)
    assert CORESET not in few.settings
    assert few.measured.sum() > 3 * scanned(problem(), 0.01).measured.sum()
