"""Buffers that no step changes are left out of rows until one does."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from landscape.sgd.recording.still import MovingBuffers, still_buffers


class Net(nn.Module):
    """A mask, a counter, BatchNorm, a sparse graph and a table outside the state."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("mask", torch.ones(2, 2).tril())
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("graph", torch.eye(2).to_sparse())
        self.register_buffer("table", torch.ones(1), persistent=False)


STATISTICS = ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]


def test_all_but_running_statistics_may_never_change():
    assert list(still_buffers(Net())) == ["mask", "count"]


def test_a_buffer_comes_with_its_first_change_and_stays():
    model = Net()
    seen = MovingBuffers(still_buffers(model))
    assert list(seen.of(model)) == STATISTICS
    model.count += 1
    found = seen.of(model)
    assert sorted(found) == sorted([*STATISTICS, "count"])
    assert found["count"] == 1
    model.count -= 1
    assert seen.of(model)["count"] == 0
    model.mask = torch.ones(2, 2).tril()  # another tensor, the same numbers
    assert "mask" not in seen.of(model)
    model.mask = torch.zeros(2, 2)
    np.testing.assert_array_equal(seen.of(model)["mask"], np.zeros((2, 2)))


def test_without_any_all_are_copied():
    model = Net()
    found = MovingBuffers({}).of(model)
    assert sorted(found) == sorted([*STATISTICS, "mask", "count"])
    found["mask"][:] = 7
    assert model.mask.max() == 1
