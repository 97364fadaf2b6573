"""The tables of planes and normalizations: what a row says, and that a row is all it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.choice import PlaneChoice
from landscape.plane.kinds import KINDS, Given, PlaneKind
from landscape.plane.normalization import NORMALIZATIONS, Normalization
from landscape.plane.random import line
from landscape.problem import Problem

SHAPES = {"a.weight": (5, 4), "a.bias": (5,), "b.weight": (3, 2, 2, 2), "b.bias": (3,)}
PROBLEM = Problem(
    nn.ModuleDict({"a": nn.Linear(4, 5), "b": nn.Conv2d(2, 3, 2)}),
    (torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64)),
)
"""Of these tensors; it is never evaluated."""
ESCAPE = [2.3, 2, 1, 0.2, 0.9, 2.2, 9, 2.31, 2.3, 2.3, 2.3, 2.3]
WITHOUT_A_PROBLEM = (
    "random",
    "along",
    "pca",
    "through:0,50,final",
    "line",
    "line:0,final",
    "event",
)


def given(trajectory, spec="random", **options) -> tuple[str, Given]:
    key, places = kinds.parse(spec)
    return key, Given(trajectory, PROBLEM, 2.3, PlaneChoice(**options), places)


@pytest.fixture
def trajectory(plant, walk):
    return plant(walk(12, 52), ESCAPE, shapes=SHAPES)


@pytest.mark.parametrize("spec", WITHOUT_A_PROBLEM)
def test_a_row_says_what_its_planes_are(trajectory, spec):
    key, wanted = given(trajectory, spec, normalize="layer", seed=3)
    row, found = KINDS[key], kinds.make(key, given(trajectory, spec, normalize="layer", seed=3)[1])
    assert kinds.row_of(found) is row
    assert found.unit == (row.unit or "layer-normalized units")
    assert kinds.origin_step(key, wanted) == found.origin_step
    # What it takes changes it, what it doesn't take doesn't.
    for option, value in {
        "seed": 4,
        "normalize": "filter",
        "at": "best",
        "include_1d": True,
    }.items():
        options = {"normalize": "layer", "seed": 3, option: value}
        other = kinds.make(key, given(trajectory, spec, **options)[1])
        same = np.array_equal(other.directions, found.directions) and np.array_equal(
            other.origin, found.origin
        )
        assert same == (option not in row.takes), option


def test_only_lines_between_two_weights_have_ends(trajectory):
    found = {spec: kinds.ends(kinds.make(*given(trajectory, spec))) for spec in WITHOUT_A_PROBLEM}
    first, last = found.pop("line:0,final")
    distance = np.linalg.norm(
        trajectory.row_weights(11).astype(np.float64) - trajectory.row_weights(0)
    )
    assert (first, last) == (0, pytest.approx(distance, rel=1e-6))
    assert set(found.values()) == {None}


def test_another_kind_of_plane_is_one_row(trajectory, monkeypatch):
    row = PlaneKind(
        lambda given: line(given.trajectory, at=given.at, seed=given.choice.seed),
        takes=frozenset({"at", "seed", "planes"}),
        help="a line of ours",
        unit=None,
    )
    monkeypatch.setitem(KINDS, "ours", row)
    assert kinds.parse("ours") == ("ours", ())
    assert kinds.help_text() == (
        "random (two random directions), along (the run's own movement and a random one), pca, "
        "through:A,B,C, hessian, gradient, line (a random one), line:A,B, event (best, peak and "
        "end of an escape), drift (where the run slowly went, and the sharpest direction), "
        "sharpest (a random direction and the sharpest one), valley (slices across the path, "
        "column by column) or ours (a line of ours). A, B, C: [RUN@]STEP, best or final."
    )
    kinds.check(PlaneChoice(("ours",), at="best", planes=3))
    key, wanted = given(trajectory, "ours", at="best", seed=5)
    assert kinds.file_name(key, wanted) == "ours-best-5"
    assert kinds.make(key, wanted).origin_step == 30
    with pytest.raises(LandscapeError) as caught:
        kinds.check(PlaneChoice(("ours",), first="3"))
    assert str(caught.value) == "--from and --to are for plane pca, got ours; add --plane pca"
    with pytest.raises(LandscapeError) as caught:
        kinds.parse("pcb")
    assert str(caught.value) == (
        "plane must be one of random, along, pca, through:A,B,C, hessian, gradient, line, "
        "line:A,B, event, drift, sharpest, valley, ours, got pcb; did you mean pca?"
    )


def test_a_kind_that_is_given_weights_is_one_row(trajectory, monkeypatch):
    row = PlaneKind(KINDS["line:A,B"].make, places="AB", origin=lambda given: given.places[0])
    monkeypatch.setitem(KINDS, "ours", row)
    key, wanted = given(trajectory, "ours:best,final")
    assert kinds.make(key, wanted).origin_step == 30
    assert kinds.file_name(key, wanted) == "ours-best-final-0"
    assert "ours:A,B" in kinds.forms()
    with pytest.raises(LandscapeError) as caught:
        kinds.parse("ours:best")
    assert str(caught.value) == (
        "plane ours needs 2 weights, ours:A,B, each [RUN@]STEP, best or final; got ours:best"
    )


def test_another_normalization_is_one_row(trajectory, monkeypatch):
    doubled = Normalization(
        lambda direction, weights: 2 * direction, "half standard deviations", "doubled"
    )
    monkeypatch.setitem(NORMALIZATIONS, "double", doubled)
    found = kinds.make(*given(trajectory, "line", normalize="double"))
    plain = kinds.make(*given(trajectory, "line", normalize="none"))
    np.testing.assert_array_equal(found.directions, 2 * plain.directions)
    assert found.unit == "half standard deviations"
    assert kinds.normalize_help().endswith(", none (as drawn) or double (doubled).")
    with pytest.raises(LandscapeError) as caught:
        kinds.make(*given(trajectory, "line", normalize="model"))
    assert str(caught.value) == (
        "normalize must be one of filter, layer, weight, none, double, got model"
    )


@pytest.mark.parametrize(
    ("texts", "planes"),
    [
        ([], ()),
        (["pca"], ("pca",)),
        (["valley, random", "hessian"], ("valley", "random", "hessian")),
        (["valley,through:45,best,final,line"], ("valley", "through:45,best,final", "line")),
        (["line:0,runs/b@final,line:best,final"], ("line:0,runs/b@final", "line:best,final")),
        (["through:0,random"], ("through:0", "random")),
    ],
)
def test_planes_in_a_list(texts, planes):
    assert kinds.listed(texts) == planes


def test_a_plane_that_is_named_twice():
    with pytest.raises(LandscapeError) as caught:
        kinds.listed(["random,line", "random"])
    assert str(caught.value) == "planes must differ, got random twice; name it once"


@pytest.mark.parametrize("text", ["", ",", "random,", "through:0,,best"])
def test_a_comma_without_a_plane(text):
    with pytest.raises(LandscapeError) as caught:
        kinds.listed([text])
    assert str(caught.value) == (
        f"planes must be names with a comma between two, as in random,valley, got {text!r}"
    )
