from __future__ import annotations

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.plane import imported

SHAPES = {"conv.weight": (3, 1, 2, 2), "bn.weight": (3,), "bn.bias": (3,), "out.weight": (2, 3)}
# In a network's order, which isn't the alphabet's.
STATE = {
    "conv.weight": (3, 1, 2, 2),
    "bn.weight": (3,),
    "bn.bias": (3,),
    "bn.running_mean": (3,),
    "bn.running_var": (3,),
    "bn.num_batches_tracked": (),
    "out.weight": (2, 3),
}
SIZE = 24


@pytest.fixture
def trajectory(plant, walk):
    buffers = [{"bn.running_mean": np.full(3, row, np.float32)} for row in range(3)]
    return plant(walk(3, SIZE), shapes=SHAPES, buffers=buffers)


def tensors(shapes=SHAPES, *, seed=0):
    """One direction: a list of random tensors, as their files hold it."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes.values()]


def flat(listed):
    return np.concatenate([tensor.ravel() for tensor in listed])


def test_directions_of_weights(trajectory):
    x, y = tensors(), tensors(seed=1)
    plane = imported(trajectory, [x, y], state=STATE, source="d.h5", at="10")
    np.testing.assert_array_equal(plane.directions, [flat(x), flat(y)])
    np.testing.assert_array_equal(plane.origin, trajectory.row_weights(1))
    assert plane.buffers["bn.running_mean"].tolist() == [1, 1, 1]
    assert plane.kind == "imported"
    assert plane.labels == ("x direction of d.h5", "y direction of d.h5")
    assert (plane.origin_step, plane.origin_name) == (10, "10")
    assert (plane.ignored, plane.batchnorm) == ("none", "saved")
    assert plane.directions.dtype == plane.origin.dtype == np.float32


def test_a_single_direction_makes_a_line(trajectory):
    plane = imported(trajectory, [tensors()], state=STATE, source="d.h5")
    np.testing.assert_array_equal(plane.directions, [flat(tensors())])
    assert plane.labels == ("x direction of d.h5",)


@pytest.mark.parametrize("counters", [True, False], ids=["with counters", "without counters"])
def test_directions_of_states_lose_their_buffers(trajectory, counters):
    shapes = {key: shape for key, shape in STATE.items() if counters or shape}
    x = tensors(shapes)
    by_name = dict(zip(shapes, x, strict=True))
    plane = imported(trajectory, [x], state=STATE, source="d.h5")
    np.testing.assert_array_equal(plane.directions[0], flat([by_name[key] for key in SHAPES]))
    assert plane.ignored == ("3 buffers" if counters else "2 buffers")


def test_buffers_that_do_not_move_are_no_loss(trajectory):
    x = tensors(STATE)
    for tensor in x[3:6]:
        tensor[...] = 0
    assert imported(trajectory, [x], state=STATE, source="d.h5").ignored == "none"


def zero(shapes=SHAPES):
    return [np.zeros(shape) for shape in shapes.values()]


def not_finite():
    found = tensors()
    found[1][2] = np.inf
    return found


SWAPPED = {"conv.weight": (3, 1, 2, 2), "bn.weight": (3,), "bn.bias": (4,), "out.weight": (3, 2)}
SHORT = {"conv.weight": (3, 1, 2, 2), "bn.weight": (3,)}


@pytest.mark.parametrize(
    ("directions", "message"),
    [
        (
            [tensors(), tensors(SWAPPED)],
            "ydirection of d.h5 must have the tensors of the run: "
            "number 2 is bn.bias (3,), got (4,)",
        ),
        (
            [tensors(SHORT)],
            "xdirection of d.h5 must have the tensors of the run: there are 4, got 2",
        ),
        (
            [tensors({**STATE, "out.weight": (3, 3)})],
            "xdirection of d.h5 must have the tensors of the run: "
            "number 6 is out.weight (2, 3), got (3, 3)",
        ),
        ([not_finite()], "xdirection of d.h5 must be finite, it has NaN or infinite values"),
        ([zero()], "xdirection of d.h5 must not be zero, it is; another file is needed"),
        (
            [tensors(), [-2 * tensor for tensor in tensors()]],
            "xdirection and ydirection of d.h5 must not be parallel, their cosine is -1.000000; "
            "a file with xdirection alone makes a line",
        ),
    ],
)
def test_directions_that_can_not_be(trajectory, directions, message):
    with pytest.raises(LandscapeError) as caught:
        imported(trajectory, directions, state=STATE, source="d.h5")
    assert str(caught.value) == message
