from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from landscape.draw.elements import uncertain
from landscape.store.scans import sentences
from landscape.store.scans.records import Plane, Scan


def scan(errors: np.ndarray, measured: np.ndarray) -> Scan:
    shape = errors.shape
    return Scan(
        plane=Plane(
            kind="random",
            origin=np.zeros(2, np.float32),
            directions=np.eye(2, dtype=np.float32),
            labels=("a", "b"),
            unit="distance in weight space",
        ),
        x=np.linspace(-1, 1, shape[0]),
        y=np.linspace(-1, 1, shape[1]),
        measures={"train_loss": np.full(shape, 2.0)},
        measured=measured,
        tolerance=0.01,
        errors={"train_loss": errors},
    )


def test_dots_where_the_error_may_exceed_the_tolerance():
    errors, measured = np.zeros((3, 4)), np.zeros((3, 4), bool)
    errors[0, 3], errors[2, 1], errors[1, 1] = 0.021, 0.5, 0.019
    measured[2, 1] = True
    made = scan(errors, measured)
    axes = Figure().subplots()
    uncertain.draw_dots(axes, made)
    [dots] = axes.lines
    np.testing.assert_array_equal(dots.get_xydata(), [[-1, 1]])
    assert sentences.bands(made) == ("dots: interpolated, may be off by more than the 1 % allowed",)


def test_nothing_where_all_is_near_enough():
    made = scan(np.full((3, 4), 0.019), np.zeros((3, 4), bool))
    axes = Figure().subplots()
    uncertain.draw_dots(axes, made)
    assert not axes.lines
    assert sentences.bands(made) == ()
