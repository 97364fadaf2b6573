from __future__ import annotations

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store.exchange import li

X, Y = np.linspace(-1, 1, 5), np.linspace(-0.5, 0.75, 3)
SURFACE = "must be a scan or, with xcoordinates, a surface file of Li et al., got"
DIRECTION = "must be a direction file of Li et al., with xdirection, got"
POINTS = "at each of 5 x 3 points, got"


@pytest.mark.parametrize(
    ("content", "read", "message"),
    [
        ({}, li.read_surface, f"{SURFACE} an empty file"),
        ({"a": 1.0, "b": 2.0}, li.read_surface, f"{SURFACE} a, b"),
        (
            {"xdirection/0": 1.0},
            li.read_surface,
            f"{SURFACE} a direction file: use it with `landscape scan RUN --directions`",
        ),
        (
            {"xcoordinates": X},
            li.read_directions,
            f"{DIRECTION} a surface file: draw it with `landscape render`",
        ),
        (
            {"xcoordinates": X[None]},
            li.read_surface,
            "must have xcoordinates as a list of numbers, got shape (1, 5)",
        ),
        (
            {"xcoordinates": X, "ycoordinates": [0.0, np.nan]},
            li.read_surface,
            "must have finite ycoordinates, got [0.0, nan]",
        ),
        (
            {"xcoordinates": X, "ycoordinates": Y, "train_acc": X},
            li.read_surface,
            f"must have train_acc {POINTS} shape (5,)",
        ),
        (
            {"xcoordinates": X, "ycoordinates": Y, "train_loss/0": X},
            li.read_surface,
            f"must have train_loss {POINTS} a group",
        ),
        (
            {"xdirection/0": X, "xdirection/2": X},
            li.read_directions,
            "must list the tensors of xdirection as 0, 1, 2, ..., got 0, 2",
        ),
        (
            {"xdirection": X},
            li.read_directions,
            "must list the tensors of xdirection as 0, 1, 2, ..., got none",
        ),
    ],
)
def test_another_file(content, read, message, tmp_path):
    theirs = tmp_path / "theirs.h5"
    with h5py.File(theirs, "w") as file:
        for name, value in content.items():
            file[name] = value
    with pytest.raises(LandscapeError) as caught:
        read(theirs)
    assert str(caught.value) == f"{theirs} {message}"
