from __future__ import annotations

import numpy as np
import pytest
import torch

from landscape.sgd.training import moments
from landscape.sgd.training.moments import flat_moments, live, live_array
from landscape.sgd.training.state import to_array

PLACES = [slice(0, 4), slice(6, 7), slice(7, 9)]
"""Of a vector of 10: what lies between isn't trained."""


@pytest.fixture
def kept():
    """The second tensor has not been moved yet; the third is complex."""
    return [{"m": torch.arange(1.0, 5).view(2, 2)}, {}, {"m": torch.tensor([8.0 + 9.0j])}]


EXPECTED = [1, 2, 3, 4, 0, 0, 0, 8, 9, 0]


def test_states_of_other_shapes_are_left_out():
    states = [
        {"row": torch.ones(2), "full": torch.full((2, 2), 2.0), "step": torch.tensor(3.0)},
        {"row": torch.ones(1), "full": torch.full((1,), 4.0), "step": torch.tensor(3.0)},
    ]
    found = flat_moments(states, [slice(0, 4), slice(4, 5)], 5, torch.zeros(0))
    assert found["optimizer/full"].tolist() == [2, 2, 2, 2, 4]
    assert found["optimizer/step"].item() == 3
    assert set(found) == {"optimizer/full", "optimizer/step"}


def test_any_entries_are_those_of_the_whole(kept):
    found = flat_moments(kept, PLACES, 10, torch.zeros(0))
    assert found["optimizer/m"].tolist() == EXPECTED
    vector = live(found, "optimizer/m")
    for start in range(11):
        for stop in range(start, 12):
            assert vector[start:stop].tolist() == EXPECTED[start:stop]


def test_they_are_read_when_they_are_asked_for(kept):
    found = flat_moments(kept, PLACES, 10, torch.zeros(0))
    before = found["optimizer/m"]
    kept[0]["m"][0, 1] = 7
    assert before[1] == 2
    assert found["optimizer/m"][1] == live(found, "optimizer/m")[1:2] == 7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_as_an_array_they_are_what_the_whole_would_be(kept, monkeypatch, dtype):
    monkeypatch.setattr(moments, "PIECE", 3)
    found = flat_moments(kept, PLACES, 10, torch.zeros(0, dtype=dtype))
    array, expected = live_array(found, "optimizer/m"), to_array(found["optimizer/m"])
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert len(list(array.pieces())) == 4
    np.testing.assert_array_equal(np.asarray(array), expected)


def test_momentum_alone_is_the_velocity():
    found = flat_moments([{"momentum_buffer": torch.ones(3)}], [slice(0, 3)], 3, torch.zeros(0))
    assert {name: value.tolist() for name, value in found.as_velocity().items()} == {
        "velocity": [1, 1, 1]
    }
    assert not flat_moments([{}], [slice(0, 3)], 3, torch.zeros(0)).as_velocity()
