from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape import draw
from landscape.draw import words


def test_the_caption_of_a_random_plane(planted):
    assert draw.caption(planted.random()) == (
        "Mean loss over 1,437 training and 360 validation samples on a plane of kind random "
        "through the final weights (step 4,500) of run high-lr (1f2e). "
        "Axes: x: random direction 1 (filter-normalized units; 1 = 3.21 in weight space); "
        "y: random direction 2 (filter-normalized units; 1 = 3.18 in weight space); "
        "seed 3, random directions filter-normalized, 1-D tensors left out. "
        "Grid: 51 × 51 points, x −1 to 1, y −1 to 1. "
        "Loss at the origin: training 0.45, validation 0.617. "
        "The best constant output has training loss 2.303. "
        "Path: 0.004 % of its variance lies in this plane (chance 0.0083 %), "
        "up to 44 away from it. "
        "Command: landscape scan runs/high-lr. "
        "Versions: landscape 0.1.0, torch 2.13.0, numpy 2.4.6."
    )


def test_the_caption_of_half_a_line(planted):
    scan = planted.line()
    plane = replace(scan.plane, buffers={"norm.running_mean": np.zeros(3)}, batchnorm="recompute")
    scan = replace(
        scan, plane=plane, measured=np.arange(51) < 20, provenance={}, run_id="", samples={}
    )
    assert draw.caption(scan) == (
        "Mean loss on a line through the final weights (step 4,500) of run high-lr. "
        "Axes: x: best → end (distance in weight space). "
        "Grid: 51 points, x −8 to 45, 20 of 51 of them measured. "
        "The best constant output has training loss 2.303. "
        "BatchNorm statistics were estimated anew at every point."
    )


def test_a_crooked_plane_is_said(planted):
    plane = planted.bowl(3, 3).plane
    directions = plane.directions.copy()
    directions[1, 0] = directions[1, 1]
    crooked = replace(plane, directions=directions)
    assert words.angle(crooked) == "directions at 45°, drawn at right angles"
    assert words.angle(plane) == ""


def test_an_origin_at_a_step_is_named_once(planted):
    plane = planted.bowl(3, 3).plane
    there = replace(plane, origin_name="300", origin_step=300)
    assert words.origin(there) == "weights at step 300"


def test_a_path_that_stays_says_so(planted):
    path = replace(planted.bowl(3, 3).paths[0], share_in_plane=float("nan"), name="other")
    assert words.share(path) == (
        "path other: does not move, so has no share in this plane, up to 9 away from it"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.01993, "0.0199"),
        (-2.5, "−2.5"),
        (4500.0, "4,500"),
        (1234567.0, "1.23e6"),
        (1.2e-7, "1.2e−7"),
        (0.99999, "1"),
        (100.0, "100"),
        (float("nan"), "NaN"),
        (-np.inf, "−∞"),
    ],
)
def test_numbers_are_written_as_by_hand(value, text):
    assert words.number(value) == text


def test_a_constant_loss_keeps_its_zeros():
    assert [words.exact(loss) for loss in (2.302585, 10.0, 5000.0)] == ["2.30", "10.0", "5,000"]
