"""A valley's scan: a canyon of known width, the run itself at y = 0, kills and going on."""

from __future__ import annotations

import gc
import shutil
import weakref
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.plane import slices
from landscape.plane.choice import PlaneChoice
from landscape.problem import Problem
from landscape.scan import crossings, valley_job
from landscape.scan.crossings import MOST_OF_WALL
from landscape.scan.prepare import prepare
from landscape.scan.refine.until_tolerance import HELD_OUT
from landscape.scan.speed import engine
from landscape.scan.speed.engine import Engine
from landscape.sgd.recording.options import Options
from landscape.store import read
from landscape.store.scans import valley_sentences, valleyfile
from landscape.store.scans.valley_sentences import caption

from ..sealing import sealed
from .planted import SHAPES, surface
from .requests import asked

STEEP = np.array([0.0, 0.0, 4.0, 9.0, 25.0, 1.0, 16.0, 2.0, 3.0, 8.0])
"""A canyon's curvatures: it is flat along the first two axes."""
FLOOR = np.array([0.0, 0.0, 1.0, -2.0, 0.5, 1.5, -1.0, 2.0, 0.7, -0.3])
OFF = 0.05
"""How far from the floor the path runs, along the fifth axis."""


class Canyon(nn.Module):
    """A loss that is half a quadratic of its weights, whatever the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, len(STEEP)))
        self.register_buffer("steep", torch.tensor(STEEP), persistent=False)
        self.register_buffer("floor", torch.tensor(FLOOR), persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        height = 0.5 * (self.steep * (self.weight - self.floor) ** 2).sum()
        return height.to(inputs).expand(len(inputs), 1)


def canyon_loss(weights: np.ndarray) -> np.ndarray:
    return 0.5 * (STEEP * (weights - FLOOR) ** 2).sum(-1)


@pytest.fixture
def canyon() -> Problem:
    inputs = torch.zeros(8, 1)
    return Problem(Canyon(), (inputs, inputs), loss=lambda outputs, _: outputs[:, 0])


def along_the_floor(count: int, *, jump: int | None = None) -> np.ndarray:
    """Weights (count, P) on a walk along the canyon, a step of 0.1 at a time."""
    weights = np.tile(FLOOR, (count, 1))
    weights[:, 0] = 0.1 * np.arange(count)
    weights[:, 4] += OFF
    if jump is not None:
        weights[jump:, 1] += 5.0
    return weights.astype(np.float32)


def finished(job):
    for _ in job.run():
        pass
    return valleyfile.load(job.path)


def test_a_canyon_of_known_width(canyon, planted):
    weights = along_the_floor(6)
    run = planted(canyon, weights)
    [job] = prepare(run, canyon, asked(kinds=("valley",), size="6x9", extent="2.0", seed=3))
    found = finished(job)
    assert found.complete
    np.testing.assert_array_equal(found.slices.step, np.arange(6))
    np.testing.assert_allclose(found.y, np.linspace(-2, 2, 9))
    for i, row in enumerate(weights.astype(np.float64)):
        # The only tensor has one filter, so the draw is scaled to the weights' own norm.
        for draw in range(3):
            flat = np.random.Generator(np.random.PCG64(3 + draw)).standard_normal(len(row))
            across = flat * np.linalg.norm(row) / np.linalg.norm(flat)
            if draw == 0:
                expected = canyon_loss(row + found.y[:, None] * across)
                np.testing.assert_allclose(found.measures["train_loss"][i], expected, rtol=2e-5)
                assert found.slices.length[i] == pytest.approx(np.linalg.norm(row), rel=1e-6)
            # L(w + y d) - L(w) = a y² + b y = 0.1
            a, b = 0.5 * (STEEP * across**2).sum(), (STEEP * (row - FLOOR) * across).sum()
            root = np.sqrt(b * b + 0.4 * a)
            np.testing.assert_allclose(
                found.walls[i, draw], [(root - b) / (2 * a), (root + b) / (2 * a)], rtol=0.05
            )
        # The slope is along the fifth axis alone, where the curvature is 25.
        assert 2 / found.critical_step[i] == pytest.approx(STEEP[4], rel=0.1)
    np.testing.assert_allclose(found.slices.moved, 0.1, rtol=1e-5)
    np.testing.assert_allclose(found.slices.distances[0], 0.1 * np.arange(6), rtol=1e-5)
    assert not found.slices.jumps.any()
    # No step's own length was recorded of planted weights.
    assert found.settings["from_snapshots"] == 5


def test_the_best_is_that_of_all_recorded_weights_those_between_columns_too(canyon, planted):
    weights = along_the_floor(9)
    weights[6, 4] = FLOOR[4]  # where no column stands, and training evaluated nothing
    run = planted(canyon, weights, record="8", options=Options(dense=("0:8",)))
    assert np.isnan(run.trajectory.measures["train_loss"]).sum() == 7
    [job] = prepare(run, canyon, asked(kinds=("valley",), size="2x3"))
    found = finished(job)
    assert 6 not in found.slices.step
    np.testing.assert_array_equal(found.path.step, np.arange(9))
    exact = canyon_loss(weights.astype(np.float64))
    np.testing.assert_allclose(found.path.loss, exact, rtol=2e-5, atol=1e-12)
    assert found.walked().step[found.walked().landmarks()["best"]] == 6


@pytest.mark.parametrize("name", SHAPES)
def test_walls_are_the_closed_form_whatever_the_columns(planted, name):
    height, radius = SHAPES[name]
    made = surface(height)
    # The first row is the bottom itself.
    run = planted(made, np.array([[0.0, 0.0], [1.5, 0.5]]))
    options = {"kinds": ("valley",), "normalize": "none", "include_1d": True, "seed": 1}
    found = [
        finished(prepare(run, made, asked(**options, size=f"2x{count}"), name=f"{count}")[0])
        for count in (3, 41)
    ]
    for draw in range(3):
        length = np.linalg.norm(np.random.Generator(np.random.PCG64(1 + draw)).standard_normal(2))
        for valley in found:
            np.testing.assert_allclose(
                valley.walls[0, draw], radius / length, rtol=valley.precision
            )
    # Those that no column shows aren't looked for by one.
    np.testing.assert_array_equal(found[0].walls[:, 1:], found[1].walls[:, 1:])


@pytest.mark.parametrize(
    ("height", "wall", "said"),
    [
        (lambda r: 0.04 * r, np.inf, "beyond 1 in every column"),
        (lambda r: 1.0 * (r > 0), 0.0, "narrowest below 3.05e−5 at step 0, widest beyond 1"),
    ],
)
def test_walls_that_lie_beyond_or_below(planted, height, wall, said):
    made = surface(height)
    run = planted(made, np.array([[0.0, 0.0], [0.5, 0.5]]))
    options = {"kinds": ("valley",), "normalize": "none", "include_1d": True, "size": "2x3"}
    found = finished(prepare(run, made, asked(**options))[0])
    assert (found.walls[0] == wall).all()
    [remark] = [one for one in valley_sentences.remarks(found) if one.startswith("Width")]
    assert remark.startswith("Width r₀.₁ (loss 0.1 above the run's, absolute, as neither ")
    assert ", to 5 %, median over 6 rays)" in remark
    assert said in remark


def test_side_by_side_walls_are_where_a_plain_loop_has_the_loss_risen(
    problem, trained, oracle, monkeypatch
):
    made = problem()
    run = trained(made)
    counted, losses_at = [], Engine.train_losses_at
    monkeypatch.setattr(
        Engine,
        "train_losses_at",
        lambda engine, xy: counted.append(len(xy)) or losses_at(engine, xy),
    )
    request = asked(kinds=("valley",), size="3x7", extent="4.0", precision="float64")
    found, recorded, exact = finished(prepare(run, made, request)[0]), run.trajectory, oracle()
    for i, step in enumerate(found.slices.step.tolist()):
        weights = recorded.row_weights(recorded.row(step)).astype(np.float64)

        def loss_at(place, weights=weights):
            exact.put(weights + place, {})
            return exact.measure(made.train)[0]

        here = loss_at(0 * weights)
        records, choice = made.layout.to_records(), PlaneChoice(kinds=("valley",))
        for draw in range(3):
            across = slices.random(weights.astype(np.float32), records, choice, draw=draw)
            across = across.astype(np.float64)
            if draw == 0:
                wanted = [loss_at(y * across) for y in found.y]
                there = found.measures["train_loss"][i]
                beside = np.arange(7) != found.centre
                np.testing.assert_allclose(there[beside], np.array(wanted)[beside], rtol=1e-12)
                assert there[found.centre] == recorded.measures["train_loss"][recorded.row(step)]
            for wall, end in zip(found.walls[i, draw], (found.y[-1], found.y[0]), strict=True):
                rises = [loss_at(k * end * across) - here for k in np.geomspace(1e-3, 1, 240)]
                assert np.isinf(wall) == (max(rises) < 0.1)
                if np.isfinite(wall):
                    near = wall * np.sign(end) * across
                    inner, outer = (loss_at(k * near) for k in (1 / 1.05, 1.05))
                    assert inner < here + 0.1 < outer
                    # The first one: nothing nearer has risen.
                    first = np.geomspace(1e-3, 1, 240)[np.argmax(np.array(rises) >= 0.1)] * abs(end)
                    assert wall == pytest.approx(first, rel=0.09)
    # A round for everybody's next loss, not one after the other.
    assert len(counted) <= 3 * (MOST_OF_WALL + 2)
    assert sum(counted) < 3 * (1 + 6 * 6 + 6)
    assert max(counted) == 10  # two on four rays, the first critical step, the row itself


def test_a_loss_of_whole_batches(canyon, planted):
    inputs = torch.zeros(8, 1)
    whole = Problem(
        canyon.model, inputs, objective=lambda model, batch: (model(batch).mean(), len(batch))
    )
    weights = along_the_floor(4)
    request = asked(kinds=("valley",), size="4x5", extent="2.0")
    plain, found = (
        finished(prepare(planted(made, weights), made, request)[0]) for made in (canyon, whole)
    )
    np.testing.assert_allclose(found.walls, plain.walls, rtol=1e-4)
    np.testing.assert_allclose(found.critical_step, plain.critical_step, rtol=1e-4)
    assert found.strategy["name"] == "sequential"


@pytest.mark.parametrize("tolerance", [0.0, 0.002])
def test_nothing_of_a_row_is_left_when_the_next_one_comes(problem, trained, monkeypatch, tolerance):
    weights, begin, visits, filled = [], Engine.__init__, [], valley_job.fill

    def noted(made, *args, **kwargs):
        begin(made, *args, **kwargs)
        weights.append(weakref.ref(next(made.model.parameters())))

    monkeypatch.setattr(engine, "LARGE", 0)  # as if the network were a large one
    monkeypatch.setattr(Engine, "__init__", noted)
    monkeypatch.setattr(
        valley_job, "fill", lambda *args, **kwargs: visits.append(1) or filled(*args, **kwargs)
    )
    made, size = problem(), "4x61" if tolerance else "4x5"
    request = asked(kinds=("valley",), size=size, extent="4.0", tolerance=tolerance)
    job = prepare(trained(made), made, request)[0]
    gc.disable()  # it comes by when there are many objects, however large they are
    try:
        finished(job)
    finally:
        gc.enable()
    assert len(weights) > 4
    assert [made() for made in weights] == [None] * len(weights)
    # A column that is refined for a while has one engine, and its rays another.
    assert len(weights) < len(visits) or not tolerance


def test_one_begun_to_a_finer_precision_goes_on_to_that(problem, trained, monkeypatch):
    made = problem()
    run, request = trained(made), asked(kinds=("valley",), size="5x7", extent="4.0")
    with monkeypatch.context() as earlier:
        earlier.setattr(crossings, "WALL_PRECISION", 0.02)
        whole = finished(prepare(run, made, request, name="whole")[0])
        [job] = prepare(run, made, request)
        going = job.run()
        for current in going:
            if current.finished_rows == 2:
                break
        going.close()
    gone_on = finished(prepare(run, made, request, resume=True)[0])
    assert whole.precision == gone_on.precision == 0.02
    np.testing.assert_array_equal(gone_on.walls, whole.walls)
    anew = finished(prepare(run, made, request, name="anew")[0])
    assert anew.precision == 0.05
    assert not np.array_equal(anew.walls, whole.walls)


def test_a_small_network_has_one_engine_for_all_rows(problem, trained, monkeypatch):
    """With the values that engines made anew for each row have, to the bit."""
    made = problem()
    run, found, begin, count = trained(made), [], Engine.__init__, []
    monkeypatch.setattr(
        Engine, "__init__", lambda *args, **kwargs: count.append(1) or begin(*args, **kwargs)
    )
    for number, kept in enumerate((engine.LARGE, 0)):
        monkeypatch.setattr(engine, "LARGE", kept)
        monkeypatch.setattr(valley_job, "ROWS_BYTES", kept)
        request = asked(kinds=("valley",), size="4x61", extent="4.0", tolerance=0.002)
        [job] = prepare(run, made, request, name=str(number))
        found.append(finished(job))
        assert (len(count) == 1) == (number == 0)
    one, other = found
    for name, values in one.measures.items():
        np.testing.assert_array_equal(values, other.measures[name])
    np.testing.assert_array_equal(one.walls, other.walls)
    np.testing.assert_array_equal(one.critical_step, other.critical_step)


def test_rows_that_jump_are_apart(canyon, planted):
    run = planted(canyon, along_the_floor(8, jump=5))
    [job] = prepare(run, canyon, asked(kinds=("valley",), size="8x3", spacing="rows"))
    found = finished(job)
    assert found.slices.jumps.tolist() == [False] * 4 + [True] + [False] * 2
    assert found.slices.moved[4] == pytest.approx(np.hypot(0.1, 5.0), rel=1e-5)


def test_a_run_that_comes_back(canyon, planted):
    weights = along_the_floor(9)
    weights[:, 0] = [0, 1, 2, 3, 2, 1, 0.1, 2, 3]
    run = planted(canyon, weights)
    [job] = prepare(run, canyon, asked(kinds=("valley",), size="9x3", spacing="rows"))
    assert job.scan.slices.returned.tolist() == [-1, -1, -1, -1, 2, 1, 0, 2, 3]


@pytest.mark.parametrize("model", ["dense", "normalized"])
def test_the_middle_is_the_run_itself(problem, trained, oracle, model):
    made = problem(model)
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("valley",), size="4x5", extent="0.5"))
    found, recorded = finished(job), run.trajectory
    plain = oracle(model)
    assert found.y[found.centre] == 0
    for i, step in enumerate(found.slices.step.tolist()):
        row = recorded.row(step)
        for name, values in found.measures.items():
            assert values[i, found.centre] == recorded.measures[name][row]
        flat = np.random.Generator(np.random.PCG64(0)).standard_normal(recorded.size)
        weights = recorded.row_weights(row).astype(np.float64)
        across = np.zeros_like(weights)
        for one in recorded.parameters:
            shape, start = tuple(one["shape"]), one["offset"]
            part = slice(start, start + int(np.prod(shape)))
            if len(shape) > 1:
                drawn, own = flat[part].reshape(shape), weights[part].reshape(shape)
                ratio = np.linalg.norm(own, axis=1) / np.linalg.norm(drawn, axis=1)
                across[part] = (drawn * ratio[:, None]).ravel()
        for j, y in enumerate(found.y):
            # BatchNorm's statistics are those of the row, all along its slice.
            plain.put(weights + y * across.astype(np.float32), recorded.buffers(row))
            loss, accuracy = plain.measure(made.train)
            assert found.measures["train_loss"][i, j] == pytest.approx(loss, rel=1e-4)
            assert found.measures["train_accuracy"][i, j] == pytest.approx(accuracy, abs=0.021)


def test_statistics_estimated_anew(problem, trained, oracle):
    made = problem("normalized")
    run = trained(made)
    request = asked(kinds=("valley",), size="3x3", batchnorm="recompute")
    [job] = prepare(run, made, request)
    found, recorded = finished(job), run.trajectory
    assert (found.batchnorm, found.normalizes) == ("recompute", True)
    plain = oracle("normalized")
    for i, step in enumerate(found.slices.step.tolist()):
        row = recorded.row(step)
        plain.put(recorded.row_weights(row), recorded.buffers(row))
        plain.recompute(made.train[0])
        loss, _ = plain.measure(made.train)
        assert found.loss[i] == pytest.approx(loss, rel=1e-4)


def test_rows_are_at_equal_ways_gone(problem, trained):
    made = problem()
    run = trained(made, count=60, record="1")
    [job] = prepare(run, made, asked(kinds=("valley",), size="7x3"))
    norms = run.trajectory.scalars()["update_norm"]
    far = np.concatenate([[0], np.cumsum(norms)])
    there = job.scan.slices
    np.testing.assert_allclose(there.travelled, far[there.step])
    assert (there.step[0], there.step[-1]) == (0, 60)
    best = run.trajectory.step[run.trajectory.row("best")]
    assert best in there.step
    inner = there.travelled[~np.isin(there.step, [best])]
    # Never farther from an even place than half of the longest step.
    places = np.linspace(0, far[-1], 7)
    assert all(np.abs(places - place).min() <= norms.max() for place in inner)
    assert job.scan.settings["from_snapshots"] == 0


SMALL = {"kinds": ("valley",), "size": "5x5", "save_seconds": 0}


def arrays(path):
    with h5py.File(path) as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        return {name: file[name][()] for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("across", ["random", "sharpest"])
def test_a_killed_scan_goes_on_to_the_bit(problem, trained, across):
    made = problem("normalized")
    run = trained(made)
    request = asked(**SMALL, across=across, extent="0.5")
    [whole] = prepare(run, made, request, name="whole")
    wanted = finished(whole)
    [first] = prepare(run, made, request, name="cut")
    first = replace(first, scan=replace(first.scan, strategy=wanted.strategy))
    count = sum(1 for _ in whole.run())
    assert count == 0
    for stops in (3, 9, 17, 24):
        steps = first.run()
        for _ in range(stops):
            next(steps)
        steps.close()
        [first] = prepare(run, made, request, name="cut", resume=True)
    finished(first)
    one, other = arrays(whole.path), arrays(first.path)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.slow
def test_more_training_keeps_the_rows(canyon, planted):
    short = planted(canyon, along_the_floor(6))
    [job] = prepare(short, canyon, asked(**SMALL))
    wanted = finished(job)
    longer = planted(canyon, along_the_floor(12))
    longer.scan("x").parent.mkdir(exist_ok=True)
    shutil.copy(job.path, longer.scan(job.path.stem))
    with h5py.File(longer.scan(job.path.stem), "a") as file:
        file.attrs["run_id"] = longer.id
    sealed(longer.scan(job.path.stem))
    [again] = prepare(longer, canyon, asked(**SMALL), resume=True)
    assert again.finished
    np.testing.assert_array_equal(again.scan.slices.step, wanted.slices.step)
    other = planted(canyon, along_the_floor(12) + 1)
    other.scan("x").parent.mkdir(exist_ok=True)
    shutil.copy(job.path, other.scan(job.path.stem))
    with h5py.File(other.scan(job.path.stem), "a") as file:
        file.attrs["run_id"] = other.id
    sealed(other.scan(job.path.stem))
    with pytest.raises(LandscapeError) as caught:
        prepare(other, canyon, asked(**SMALL), resume=True)
    assert str(caught.value) == (
        f"resume needs the weights that {other.scan(job.path.stem)} goes through, those of step 0 "
        "are others now; make it anew with --overwrite"
    )


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"seed": 4}, "seed is 0, got 4; give --seed 0"),
        ({"size": "5x7"}, "size is 5x5, got 5x7; give --size 5x5"),
        ({"spacing": "steps"}, "spacing is movement, got steps; give --spacing movement"),
        ({"extent": "0.5"}, "extent is default, got 0.5; leave --extent out"),
        ({"batchnorm": "recompute"}, "batchnorm is saved, got recompute; give --batchnorm saved"),
        (
            {"measures": ("loss", "sharpness")},
            "measure is none, got sharpness; leave --measure out",
        ),
    ],
)
def test_other_settings_are_refused(canyon, planted, options, difference):
    run = planted(canyon, along_the_floor(6))
    [job] = prepare(run, canyon, asked(**SMALL), name="mine")
    for _, _ in zip(range(5), job.run(), strict=False):
        pass
    with pytest.raises(LandscapeError) as caught:
        prepare(run, canyon, asked(**(SMALL | options)), name="mine", resume=True)
    assert str(caught.value) == (
        f"resume needs the settings that {job.path} was started with, its {difference}, "
        "or drop --resume and give another --name"
    )


def test_the_sharpest_direction_of_a_canyon(canyon, planted):
    run = planted(canyon, along_the_floor(5))
    [job] = prepare(run, canyon, asked(kinds=("valley",), across="sharpest", size="5x7"))
    found = finished(job)
    assert found.unit == "distance in weight space"
    np.testing.assert_allclose(found.slices.curvature, 25.0, rtol=1e-4)
    np.testing.assert_allclose(found.slices.length, 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.slices.overlap[1:], 1.0, rtol=1e-5)
    np.testing.assert_allclose(found.slices.turned, 0.0, atol=1e-3)
    # Half of 25 y², 0.05 off the floor: the walls are at -b ± root.
    root = np.sqrt(1.25**2 + 5.0) / 25
    np.testing.assert_allclose(
        np.sort(found.walls[:, 0]), np.tile([root - OFF, root + OFF], (5, 1)), rtol=0.05
    )
    # Three times the median wall, by which the extent is chosen, to two digits.
    assert found.y[-1] == pytest.approx(3 * root, rel=0.15)


def test_slope_and_curvature_along_the_slices(canyon, planted):
    weights = along_the_floor(3)
    run = planted(canyon, weights)
    request = asked(kinds=("valley",), size="3x5", measures=("gradient-norm", "convexity"))
    [job] = prepare(run, canyon, request)
    assert job.further == ("gradient-norm", "convexity")
    found = finished(job)
    for i, row in enumerate(weights.astype(np.float64)):
        flat = np.random.Generator(np.random.PCG64(0)).standard_normal(len(row))
        across = flat * np.linalg.norm(row) / np.linalg.norm(flat)
        for j, y in enumerate(found.y):
            slope = np.linalg.norm(STEEP * (row + y * across - FLOOR))
            assert found.measures["gradient_norm"][i, j] == pytest.approx(slope, rel=1e-4)
    np.testing.assert_allclose(found.measures["convexity"], 0.0, atol=1e-6)
    assert "sharpness" not in found.measures
    assert "the gradient's norm, |smallest / largest eigenvalue|" in caption(found)
    with pytest.raises(LandscapeError) as caught:
        prepare(run, canyon, asked(kinds=("valley",), size="3x5"), resume=True)
    assert (
        "its measure is gradient_norm,convexity, got none; give --measure gradient-norm,convexity,"
        in str(caught.value)
    )


def test_the_critical_step_is_the_smallest_that_raises_the_loss(problem, trained, oracle):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("valley",), size="4x3", precision="float64"))
    found, recorded, plain = finished(job), run.trajectory, oracle()
    for step, critical in zip(found.slices.step, found.critical_step, strict=True):
        weights = recorded.row_weights(recorded.row(int(step))).astype(np.float64)
        plain.put(weights, {})
        inputs, targets = made.train
        plain.model.zero_grad()
        torch.nn.functional.cross_entropy(plain.model(inputs.double()), targets).backward()
        slope = torch.cat([p.grad.flatten() for p in plain.model.parameters()]).numpy()

        def loss_at(size, weights=weights, slope=slope):
            plain.put(weights - size * slope, {})
            return plain.measure(made.train)[0]

        here, sizes = loss_at(0.0), critical * np.geomspace(0.02, 1.1, 200)
        first = sizes[np.argmax([loss_at(size) > here for size in sizes])]
        assert critical == pytest.approx(first, rel=0.1)


def test_fewer_samples(problem, trained):
    made = problem(samples=200)
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("valley",), size="3x5", samples=40, tolerance=0.0))
    found = finished(job)
    assert found.samples == {"train": 40, "validation": 20}
    assert (found.errors["train_loss"] > 0).all()


NEAR = {"kinds": ("valley",), "size": "6x41", "tolerance": 0.05}
"""Six columns; 41 points before the first test, 246 in all."""


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("dense", {}),
        pytest.param("normalized", {"batchnorm": "recompute"}, marks=pytest.mark.slow),
        pytest.param("dense", {"samples": 20}, marks=pytest.mark.slow),
        pytest.param("dense", {"measures": ("loss", "gradient-norm")}, marks=pytest.mark.slow),
    ],
)
def test_to_a_tolerance_it_is_the_exact_one_and_goes_on_to_the_bit(
    problem, trained, model, options
):
    made = problem(model, samples=60)
    run = trained(made)
    request = asked(**(NEAR | options))
    [whole] = prepare(run, made, request, name="whole")
    found = finished(whole)
    exact = NEAR | options | {"tolerance": 0.0, "samples": None}
    [job] = prepare(run, made, asked(**exact), name="exact")
    wanted = finished(replace(job, scan=replace(job.scan, strategy=found.strategy)))
    assert found.complete
    assert found.certificate.passed
    assert found.held_out == len(found.certificate.xy) > 0
    assert found.measured[:, found.centre].all()
    assert found.measured.mean() < 0.8
    there = found.measured
    for name, values in wanted.measures.items():
        np.testing.assert_allclose(found.measures[name][there], values[there], rtol=2e-6)
        assert (found.errors[name][there] == 0).all()
        assert not np.isnan(found.measures[name]).any()
    off = np.abs(found.measures["train_loss"] / wanted.measures["train_loss"] - 1)
    assert np.quantile(off[~there], 0.95) <= 0.06
    np.testing.assert_array_equal(found.loss, wanted.loss)
    # Both are right to 5 %.
    np.testing.assert_allclose(found.walls, wanted.walls, rtol=1.05**2 - 1)
    numbers = found.certificate.xy[:, 0].astype(int)
    places = np.abs(found.y - found.certificate.xy[:, 1:]).argmin(1)
    np.testing.assert_array_equal(
        found.certificate.measured["train_loss"], found.measures["train_loss"][numbers, places]
    )
    goes_on_to_the_bit(run, made, request, whole, found)


def goes_on_to_the_bit(run, made, request, whole, wanted):
    """Stop it on the first grid, on the held-out points, while refining and on the rays."""
    [first] = prepare(run, made, request, name="cut")
    first = replace(first, scan=replace(first.scan, strategy=wanted.strategy))
    for stops in (5, 31, 40, 60, 25):
        steps = first.run()
        for _ in range(stops):
            next(steps)
        steps.close()
        [first] = prepare(run, made, request, name="cut", resume=True)
    assert not first.finished
    finished(first)
    one, other = arrays(whole.path), arrays(first.path)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.slow
def test_a_tolerance_with_workers(problem, trained):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(**NEAR))
    wanted = finished(job)
    [other] = prepare(run, made, asked(**NEAR), name="other")
    other = replace(other, scan=replace(other.scan, strategy=wanted.strategy))
    with cluster.workers(2) as pool:
        for _ in other.run(pool):
            pass
    found = valleyfile.load(other.path)
    np.testing.assert_array_equal(found.measured, wanted.measured)
    for name, values in wanted.measures.items():
        np.testing.assert_array_equal(found.measures[name], values)


def test_each_sharpest_column_is_a_line_of_its_own(canyon, planted):
    run = planted(canyon, along_the_floor(3))
    options = {"kinds": ("valley",), "across": "sharpest", "tolerance": 0.05}
    [job] = prepare(run, canyon, asked(**options, size="3x41"))
    found = finished(job)
    assert found.measured.all()
    assert found.certificate is None
    [job] = prepare(run, canyon, asked(**options, size="3x301"), name="long")
    found = finished(job)
    assert found.measured.mean() < 0.5
    assert found.held_out == 3 * HELD_OUT
    half = 12.5 * (found.y[None] + OFF) ** 2, 12.5 * (found.y[None] - OFF) ** 2
    off = np.minimum(*(np.abs(found.measures["train_loss"] - one) for one in half))
    assert (off <= 0.05 * np.maximum(*half)).mean() > 0.95


def test_of_fewer_samples_too_each_sharpest_column_is_a_line_of_its_own(problem, trained):
    made = problem(samples=60)
    run = trained(made)
    options = {"kinds": ("valley",), "across": "sharpest", "size": "2x5"}
    [job] = prepare(run, made, asked(**options, tolerance=0.05, samples=20))
    found = finished(job)
    [job] = prepare(run, made, asked(**options, tolerance=0.0), name="exact")
    assert found.complete
    wanted = finished(job).measures["train_loss"]
    there = found.measured
    np.testing.assert_allclose(found.measures["train_loss"][there], wanted[there], rtol=2e-6)
    np.testing.assert_allclose(found.measures["train_loss"], wanted, rtol=0.05)


@pytest.mark.slow
def test_workers_find_the_same(problem, trained):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("valley",), size="3x5"))
    wanted = finished(job)
    [other] = prepare(run, made, asked(kinds=("valley",), size="3x5"), name="other")
    other = replace(other, scan=replace(other.scan, strategy=wanted.strategy))
    with cluster.workers(2) as pool:
        for _ in other.run(pool):
            pass
    found = valleyfile.load(other.path)
    for name, values in wanted.measures.items():
        np.testing.assert_array_equal(found.measures[name], values)
    np.testing.assert_array_equal(found.walls, wanted.walls)


def test_another_runs_valley_beside_it(canyon, planted):
    first, second = planted(canyon, along_the_floor(4)), planted(canyon, along_the_floor(5))
    jobs = prepare(first, canyon, asked(kinds=("valley",), size="4x3"), also=[second])
    assert [job.path for job in jobs] == [
        run.folder / "scans" / "valley-random-0.h5" for run in (first, second)
    ]
    assert [finished(job).run_name for job in jobs] == [first.name, second.name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"across": "steep"}, "across must be one of random, sharpest, got steep"),
        ({"spacing": "even"}, "spacing must be one of movement, steps, rows, got even"),
        (
            {"batchnorm": "interpolate"},
            "a valley's rows have their own BatchNorm statistics (saved) or new ones (recompute), "
            "got interpolate; take one of these",
        ),
        (
            {"unit": "equal"},
            "a valley's unit must be own or distance, got equal: it has a single axis",
        ),
        (
            {"extent": "1:2"},
            "a valley must reach to both sides of y = 0, the run itself, got extent 1:2; give a "
            "number, or ends of both signs",
        ),
    ],
)
def test_what_cannot_be(canyon, planted, options, message):
    run = planted(canyon, along_the_floor(4))
    with pytest.raises(LandscapeError) as caught:
        prepare(run, canyon, asked(kinds=("valley",), **options))
    assert str(caught.value) == message


def test_weights_that_never_moved(canyon, planted):
    run = planted(canyon, np.tile(along_the_floor(1), (3, 1)))
    with pytest.raises(LandscapeError) as caught:
        prepare(run, canyon, asked(kinds=("valley",)))
    assert str(caught.value) == (
        "a valley needs recorded weights that moved, this run's never did; take plane random"
    )
    assert read(run.folder).scans == []
