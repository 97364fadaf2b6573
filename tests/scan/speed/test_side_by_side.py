from __future__ import annotations

import copy
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from landscape.scan.speed import choosing, strategies
from landscape.scan.speed.engine import Engine, TilePlan
from landscape.scan.speed.side_by_side import Lanes

from . import networks


def adopted(model: str, name: str, lanes: int) -> Engine:
    made = networks.problem(model)
    found = Engine(made, networks.plane(made))
    with torch.inference_mode():
        way = strategies.make(name, found)
    found.adopt(TilePlan(name, 4 if way.at_once else 1, 16), way, lanes=lanes)
    return found


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("mlp", "shared+batched"),
        ("mlp", "batched"),
        ("mlp", "shared"),
        ("cnn", "folded+blocked"),
        ("residual", "folded"),
        ("residual", "folded+fused"),
        ("residual", "sequential"),
    ],
)
def test_side_by_side_against_a_plain_loop(model, name):
    made, xy = networks.problem(model), networks.points()
    found = adopted(model, name, 3)
    assert found.strategy.lanes == 3
    first = found.at_many(xy)
    for measure, values in networks.expected(made, networks.plane(made), xy).items():
        np.testing.assert_allclose(first[measure], values, rtol=1e-5, atol=1e-9)
    # Whoever takes which points, to the bit.
    for _ in range(3):
        for measure, values in found.at_many(xy).items():
            np.testing.assert_array_equal(values, first[measure])


@pytest.mark.parametrize(
    ("model", "name"), [("mlp", "batched"), ("cnn", "folded+blocked"), ("residual", "sequential")]
)
def test_points_too_few_for_all_lanes_are_divided_to_the_bit(model, name):
    xy = networks.points()
    for lanes in (2, 3):
        found = adopted(model, name, lanes)
        wanted, points = found.at_many(xy), found.plan.points
        for count in (points, 2 * points, 3 * points + 1):
            for measure, values in found.at_many(xy[:count]).items():
                np.testing.assert_array_equal(values, wanted[measure][:count])


def test_the_tiles_of_a_single_point_are_evaluated_side_by_side(monkeypatch):
    found = adopted("residual", "sequential", 2)
    barrier, threads = threading.Barrier(2, timeout=30), set()
    kind = type(strategies.make("sequential", found))
    real = kind.outputs

    def outputs(self, batch):
        if threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            barrier.wait()  # the other lane has come too, or this breaks
        return real(self, batch)

    monkeypatch.setattr(kind, "outputs", outputs)
    found.at_many(networks.points()[:1])
    assert len(threads) == 2


@pytest.mark.parametrize(
    ("model", "name", "lanes"),
    [
        ("mlp", "shared+batched", 1),
        ("mlp", "batched", 2),
        ("mlp", "shared", 2),
        ("mlp", "sequential", 1),
        ("cnn", "folded+blocked", 2),
        ("residual", "folded", 2),
        ("residual", "folded+fused", 1),
    ],
)
def test_another_plane_against_a_plain_loop(model, name, lanes):
    """Another origin, a single direction, other statistics of BatchNorm."""
    made, xy = networks.problem(model), networks.points(2)
    found = adopted(model, name, lanes)
    found.at_many(xy)
    moved = copy.deepcopy(made.model)
    for buffer in moved.buffers():
        if buffer.is_floating_point():
            buffer.mul_(1.3).add_(0.1)
    there = replace(made, model=moved)
    where = networks.plane(there)
    shift = np.random.default_rng(5).standard_normal(len(where.origin)) / 20
    origin = (where.origin + shift).astype(np.float32)
    where = replace(where, origin=origin, directions=where.directions[1:], labels=("v",))
    found.go_to(where)
    line = np.linspace(-1, 1, 3)[:, None]
    wanted = networks.expected(there, where, line)
    for measure, values in found.at_many(line).items():
        np.testing.assert_allclose(values, wanted[measure], rtol=1e-5, atol=1e-9)
    assert (found.strategy.name, found.strategy.lanes) == (name, lanes)
    # And back, to the bit.
    first, back = adopted(model, name, lanes).at_many(xy), networks.plane(made)
    found.go_to(back)
    for measure, values in found.at_many(xy).items():
        np.testing.assert_array_equal(values, first[measure])


def test_a_stored_number_of_lanes_is_taken_up():
    made, xy = networks.problem("mlp"), networks.points()
    stored = {"name": "batched", "batch_size": 16, "points": 4, "threads": 2, "lanes": 2}
    found = choosing.engine(made, networks.plane(made), xy, stored=stored)
    assert (found.strategy.lanes, found.block) == (2, 16)


def test_each_thread_computes_on_one_core_and_this_one_as_before():
    before = torch.get_num_threads()
    seen: dict[str, list[int]] = {}
    barrier = threading.Barrier(2, timeout=30)

    def work(thing: str, part: int) -> None:
        barrier.wait()  # both are there at a time
        assert torch.is_inference_mode_enabled()
        seen.setdefault(thing, []).append(torch.get_num_threads())

    Lanes(["a", "b"]).each(work, range(4))
    assert sorted(seen) == ["a", "b"]
    assert {count for counts in seen.values() for count in counts} == {1}
    assert torch.get_num_threads() == before


def test_an_error_comes_out():
    def work(thing: str, part: int) -> None:
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        Lanes(["a", "b"]).each(work, range(2))
