"""What a valley's rows say of where the run has been."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.quantities import number
from landscape.store.scans import valley_sentences
from landscape.store.scans.certificates import Certificate
from landscape.store.scans.valleys import NEAR, Slices, WalkedPath


def slices_of(weights: np.ndarray) -> Slices:
    count = len(weights)
    distances = np.linalg.norm(weights[:, None] - weights, axis=-1)
    nothing = np.full(count, np.nan)
    return Slices(
        step=np.arange(count),
        hashes=("",) * count,
        travelled=np.arange(count, dtype=float),
        moved=np.diagonal(distances, 1).copy(),
        distances=distances,
        turned=np.full(count - 1, np.nan),
        **dict.fromkeys(("length", "cosine", "overlap", "curvature"), nothing),
    )


def came_back_to(weights: np.ndarray, now: int) -> int:
    """By its words: the nearest earlier place that was left for farther away since."""
    best, nearest = -1, np.inf
    for then in range(now):
        away = np.linalg.norm(weights[now] - weights[then])
        farthest = 0.0
        for between in range(then, now + 1):
            farthest = max(farthest, np.linalg.norm(weights[between] - weights[then]))
        if away < NEAR * farthest and away < nearest:
            best, nearest = then, away
    return best


@pytest.mark.parametrize("seed", range(4))
def test_where_a_walk_came_back_to(seed):
    random = np.random.default_rng(seed)
    weights = np.cumsum(random.standard_normal((40, 2)), 0)
    found = slices_of(weights).returned
    assert found.tolist() == [came_back_to(weights, now) for now in range(40)]
    assert (found >= 0).any()


def test_a_drift_never_comes_back():
    weights = np.outer(np.arange(20.0), [1.0, 2.0, 0.5])
    assert (slices_of(weights).returned == -1).all()


def test_landmarks_are_among_finite_losses():
    steps, loss = np.arange(6), np.array([np.nan, 3.0, np.inf, 1.0, 2.0, np.nan])
    assert WalkedPath(steps, steps * 1.0, loss).landmarks() == {"start": 1, "best": 3, "end": 4}
    assert WalkedPath(steps, steps * 1.0, np.full(6, np.nan)).landmarks() == {}


def test_what_a_tolerance_leaves_open_is_said_as_of_planes(planted):
    measured = np.zeros((24, 21), bool)
    measured[::2] = True
    tested = Certificate(
        0.01,
        2,
        np.array([[3.0, -0.5], [7.0, 0.5]]),
        {"train_loss": np.array([0.5, 3.1])},
        {"train_loss": np.array([0.501, 3.0])},
        {"train_loss": 2.0},
        {"train_loss": 0.002},
        np.array([True, False]),
    )
    one = replace(planted.valley(), tolerance=0.01, measured=measured, certificate=tested)
    said = " ".join(valley_sentences.remarks(one))
    assert (
        "50 % of the points are measured, the others interpolated along their column alone to "
        "within 1 % of the loss (above the cap, 2, to within a factor 1.5). Tested at 2 held-out "
        "random points (after 1 test that failed more points were measured): none of those below "
        "the cap was taken to lie above it; the "
        "training loss was off by 0.2 % on average, and by at most 0.2 % at 95 % of the 1 below "
        "the cap; all of them were "
        "as near as promised; with 95 % confidence at least 5 % of all points expected below the "
        "cap are."
    ) in said


def test_critical_sharpness_has_its_name_in_the_table_too(planted):
    one = replace(planted.valley(), strategy={})
    said = valley_sentences.describe(one)
    [head] = [k for k, line in enumerate(said) if line.lstrip().startswith("step ")]
    assert said[head].endswith("  critical sharpness")
    assert said[head - 1].startswith(
        "Width of the valley and critical sharpness along the run, 12 of 24 columns (as"
    )
    row = said[head + 1]
    assert len(row) == len(said[head])
    step = int(row.split()[0].replace(",", ""))
    [k] = np.flatnonzero(one.slices.step == step)
    assert row.split()[-1] == number(one.critical_sharpness[k])


def test_the_table_has_the_narrowest_column_and_that_of_the_lowest_loss(planted):
    one = replace(planted.valley(51, jump=None), strategy={})
    walls = one.walls.copy()
    walls[17] /= 10
    middle = len(one.y) // 2
    losses = one.measures["train_loss"].copy()
    losses[29, middle] = losses.min() / 2
    one = replace(one, walls=walls, measures={**one.measures, "train_loss": losses})
    said = valley_sentences.describe(one)
    [head] = [k for k, line in enumerate(said) if line.lstrip().startswith("step ")]
    steps = [int(line.split()[0].replace(",", "")) for line in said[head + 1 :]]
    assert steps == sorted(set(steps))
    assert {int(one.slices.step[k]) for k in (0, 17, 29, len(one.slices.step) - 1)} <= set(steps)
    assert f"along the run, {len(steps)} of 51 columns (as" in said[head - 1]


def test_a_width_that_is_beyond_in_every_column_is_said_once(planted):
    valley = planted.valley()
    flat = replace(valley, walls=np.full_like(valley.walls, np.inf))
    [said] = [one for one in valley_sentences.brief(flat) if one.startswith("Width r₀.₁")]
    assert ": beyond 1 in every column, in " in said
    assert "narrowest" not in said


def test_columns_without_their_walls_lack_rays(planted):
    valley = planted.valley()
    walls = valley.walls.copy()
    walls[3] = np.nan
    assert valley_sentences.missing(valley) == ""
    assert valley_sentences.missing(replace(valley, walls=walls)) == "rays"
