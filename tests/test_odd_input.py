"""Input that is odd but legal, drawn by hypothesis: it works or is refused in one line.

`LANDSCAPE_EXAMPLES` says how many examples each property is tried with; by default a few, the same
ones every time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from landscape.errors import LandscapeError, printable
from landscape.plane import kinds
from landscape.plane.choice import PlaneChoice
from landscape.plane.projection import Projection, project
from landscape.problem import Problem
from landscape.scan import grid
from landscape.scan.prepare import prepare
from landscape.scan.request import Request
from landscape.sgd import Recorder, Settings, steps
from landscape.store import Run
from landscape.store.exchange import li, tables
from landscape.store.run import read
from landscape.store.scans import scanfile
from landscape.store.scans.records import Plane, Scan
from landscape.store.trajectories.trajectory import Trajectory

from .draw import planted
from .scan.requests import asked

T = TypeVar("T")
EXAMPLES = int(os.environ.get("LANDSCAPE_EXAMPLES", "0"))
few = settings(
    max_examples=EXAMPLES or 8,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def unless_refused(work: Callable[[], T]) -> T | None:
    """What comes of it; None where it is refused, in one line."""
    try:
        return work()
    except LandscapeError as error:
        said = str(error)
    assert said == printable(said)
    assert "\n" not in said
    return None


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x).tanh())


class With(nn.Module):
    """A linear map with a further parameter."""

    def __init__(self, extra: torch.Tensor) -> None:
        super().__init__()
        self.layer, self.extra = nn.Linear(4, 4), nn.Parameter(extra)

    def forward(self, x):
        return self.layer(x) * (1 + self.extra.abs().sum())


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(2, 4, batch_first=True)

    def forward(self, x):
        return self.cell(x.reshape(len(x), 2, 2))[0][:, -1]


def frozen() -> nn.Module:
    layer = nn.Linear(4, 4)
    layer.bias.requires_grad_(False)
    return layer


MODELS: dict[str, Callable[[], nn.Module]] = {
    "tied": Tied,
    "frozen": frozen,
    "scalar": lambda: With(torch.tensor(0.5)),
    "empty": lambda: With(torch.zeros(0, 3)),
    "complex": lambda: With(torch.full((3,), 0.5 + 0.5j)),
    "16-bit": lambda: With(torch.full((3,), 0.5, dtype=torch.bfloat16)),
    "lazy": lambda: nn.LazyLinear(4),
    "recurrent": Recurrent,
    "normalized": lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)),
}


@st.composite
def problems(draw: st.DrawFn) -> tuple[Problem, bool]:
    """A problem, and whether there is nothing about it that may be refused."""
    samples, classes = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    validation = draw(st.sampled_from([None, 1, 3]))
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples + (validation or 0), 4, generator=generator)
    odd = draw(st.sampled_from([None, None, None, float("inf"), float("nan"), 1e30]))
    if odd is not None:
        inputs[draw(st.integers(0, samples - 1)), 0] = odd
    targets = torch.arange(len(inputs)) % classes
    held = None if validation is None else (inputs[samples:], targets[samples:])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        name = draw(st.sampled_from(sorted(MODELS)))
        model = MODELS[name]()
        # The first batch gives a lazy layer its size, as whoever has one does.
        model(torch.zeros(2, 4))
        # BatchNorm trains on no batch of one sample.
        plain = odd is None and name != "normalized"
        return Problem(model, (inputs[:samples], targets[:samples]), held), plain


def run_of(problem: Problem, folder: Path, count: int) -> Run:
    options = Settings(lr=0.1, batch_size=2, steps=count)
    with Recorder(folder, problem, options, record="1") as recorder:
        for step in steps(problem, options):
            recorder.record(step)
    return recorder.run


def finished(run: Run, problem: Problem, request: Request, name: str, *, points: int = -1) -> Scan:
    """A scan that was stopped after some points and gone on with; −1: never stopped."""
    [job] = prepare(run, problem, request, name=name)
    going = job.run()
    for number, _ in enumerate(going):
        if number == points:
            break
    if points >= 0:
        going.close()
        [job] = prepare(run, problem, request, name=name, resume=True)
        for _ in job.run():
            pass
    return scanfile.load(run.scan(name))


@pytest.mark.slow
@few
@given(made=problems(), count=st.integers(1, 3), points=st.integers(0, 8))
def test_from_any_model_and_data_to_a_scan(made, count, points):
    problem, plain = made
    request = asked(kinds=("random",), size="3x3", tolerance=0.0, save_seconds=0.0)
    with tempfile.TemporaryDirectory() as place:
        run = unless_refused(lambda: run_of(problem, Path(place) / "run", count))
        if run is None:
            assert not plain
            return
        scan = unless_refused(lambda: finished(run, problem, request, "whole"))
        if scan is None:
            assert not plain
            return
        again = finished(run, problem, request, "stopped", points=points)
        trajectory = read(run.folder).trajectory
    assert scan.complete
    # The centre is the run's own last loss.
    at_end = trajectory.measures["train_loss"][-1]
    np.testing.assert_allclose(scan.measures["train_loss"][1, 1], at_end, rtol=1e-4)
    for name, values in scan.measures.items():
        np.testing.assert_array_equal(again.measures[name], values)
    assert ("validation_loss" in scan.measures) == (problem.validation is not None)


@few
@given(
    size=st.sampled_from(["2", "3", "2x7", "7x2", "5x5", "501"]),
    extent=st.sampled_from([1e-6, 1.0, 1e6]),
    low=st.booleans(),
)
def test_a_symmetric_loss_on_any_grid_is_symmetric(size, extent, low):
    """Of ½‖w‖² at its minimum, which no data has a part in."""

    def loss(model: nn.Module, batch: object) -> torch.Tensor:
        return 0.5 * model.weight.square().sum().expand(2)

    model = nn.Linear(3, 2, bias=False)
    nn.init.zeros_(model.weight)
    problem = Problem(model, torch.zeros(2, 3), objective=loss)
    directions = torch.linalg.qr(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))[0]
    axes = directions.numpy().astype(np.float32 if low else np.float64).T[: 1 + (size != "501")]
    where = replace(
        planted.plane("random", ("a", "b")[: len(axes)], "distance", (1.0,) * len(axes)),
        origin=np.zeros(6, np.float32),
        directions=axes,
    )
    scan = grid(problem, where, size=size, extent=extent, tolerance=0.0)
    found = scan.measures["train_loss"]
    np.testing.assert_allclose(found, found[(slice(None, None, -1),) * found.ndim], rtol=1e-5)
    squares = scan.x[:, None] ** 2 + scan.y[None] ** 2 if found.ndim == 2 else scan.x**2
    np.testing.assert_allclose(found, 0.5 * squares, rtol=1e-4)


LOSSES = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300, 2.5])


@few
@given(
    columns=st.integers(2, 9),
    rows=st.integers(2, 9),
    is_line=st.booleans(),
    values=st.lists(LOSSES, min_size=1, max_size=5),
)
def test_any_losses_come_back_from_files_and_exports(columns, rows, is_line, values):
    scan = planted.line(columns) if is_line else planted.random(columns, rows)
    loss = np.resize(np.array(values), scan.measures["train_loss"].shape)
    scan = replace(scan, measures={**scan.measures, "train_loss": loss}, certificate=None)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "scan.h5"
        scanfile.save(file, scan)
        back = scanfile.load(file)
        (Path(place) / "surface.h5").write_bytes(li.surface(scan, directions="d.h5"))
        theirs = li.read_surface(Path(place) / "surface.h5")
        (Path(place) / "scan.npz").write_bytes(tables.scan_arrays(scan))
        with np.load(Path(place) / "scan.npz") as arrays:
            packed = arrays["train_loss"]
    for found in (back.measures["train_loss"], packed):
        np.testing.assert_array_equal(found, loss)
    # Their files mark what wasn't measured by −1, and so have no negative losses.
    positive = np.isfinite(loss) & (loss > 0)
    np.testing.assert_array_equal(theirs.measures["train_loss"][positive], loss[positive])


@st.composite
def paths(draw: st.DrawFn) -> np.ndarray:
    count = draw(st.sampled_from([1, 2, 3, 12]))
    weights = np.random.default_rng(draw(st.integers(0, 3))).normal(size=(count, 15))
    kind = draw(st.sampled_from(["any", "identical", "on a line", "infinite", "nan", "huge"]))
    if kind == "identical":
        weights[:] = weights[0]
    elif kind == "on a line":
        weights = weights[0] + np.arange(count)[:, None] * weights[-1]
    elif kind != "any":
        weights[draw(st.integers(0, count - 1)), 3] = {"infinite": np.inf, "nan": np.nan}.get(
            kind, 1e38
        )
    return weights


@pytest.mark.parametrize("kind", ["random", "along", "pca", "drift", "line", "line:best,final"])
@few
@given(weights=paths())
def test_planes_through_any_trajectory(recorded, kind, weights):
    problem = Problem(nn.Linear(4, 3), (torch.randn(8, 4), torch.arange(8) % 3))
    trajectory: Trajectory = recorded(problem, weights)
    key, places = kinds.parse_spec(kind)
    made_from = kinds.Given(trajectory, problem, 1.1, PlaneChoice((kind,)), places)

    def make() -> tuple[Plane, Projection]:
        plane = kinds.make(key, made_from)
        return plane, project(trajectory, plane)

    made = unless_refused(make)
    if made is None:
        # Whatever happened on the way, finite last weights have surroundings.
        assert kind not in ("random", "line") or not np.isfinite(weights[-1]).all()
        return
    plane, found = made
    assert np.isfinite(plane.directions).all()
    assert np.isnan(found.share_in_plane) or 0 <= found.share_in_plane <= 1 + 1e-6
