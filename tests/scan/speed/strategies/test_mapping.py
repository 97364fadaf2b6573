"""PyTorch's remark on an operation that vmap does one by one: shown elsewhere, not in a scan."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from landscape.problem import Problem
from landscape.scan.speed.strategies.mapping import mapped

from .. import networks
from ..test_strategies import adopted

REMARK = "There is a performance drop"


@pytest.fixture
def layer():
    """One of torch's own, whose forward is a single operation in eval mode."""
    return nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True).eval()


@pytest.fixture
def run(layer):
    """The layer at weights, on inputs: a function to be mapped over both."""
    inputs = torch.randn(2, 5, 4)
    names = dict(layer.named_parameters())

    def run(*weights):
        return functional_call(layer, dict(zip(names, weights, strict=True)), (inputs,))

    stacked = [torch.stack([part, part + 0.1]).detach() for part in names.values()]
    return run, stacked


def remarks(call):
    with warnings.catch_warnings(record=True) as caught, torch.inference_mode():
        warnings.simplefilter("always")
        call()
    return [str(one.message) for one in caught if str(one.message).startswith(REMARK)]


def test_the_remark_is_left_out_where_we_map_and_nowhere_else(run):
    function, stacked = run
    ours, theirs = mapped(function, (0,) * len(stacked)), vmap(function)
    assert remarks(lambda: ours(*stacked)) == []
    wanted = []
    assert len(remarks(lambda: wanted.append(theirs(*stacked)))) == 1
    with torch.inference_mode():
        assert torch.equal(ours(*stacked), wanted[0])


def test_it_comes_back_after_an_error_and_when_the_last_thread_is_through(run):
    function, stacked = run
    broken, ours = mapped(lambda one: one.nonsense, (0,)), mapped(function, (0,) * len(stacked))
    with pytest.raises(AttributeError):
        broken(stacked[0])
    with ThreadPoolExecutor(4) as pool:
        assert remarks(lambda: list(pool.map(lambda _: ours(*stacked), range(40)))) == []
    assert len(remarks(lambda: vmap(function)(*stacked))) == 1


def test_who_has_switched_it_off_has_it_off_afterwards(run):
    function, stacked = run
    switch = torch._C._functorch._set_vmap_fallback_warning_enabled
    switch(False)
    try:
        ours = mapped(function, (0,) * len(stacked))
        assert remarks(lambda: ours(*stacked)) == []
        assert remarks(lambda: vmap(function)(*stacked)) == []
    finally:
        switch(True)
    mapped(function, (0,) * len(stacked))(*stacked)
    assert len(remarks(lambda: vmap(function)(*stacked))) == 1


def test_looking_whether_it_is_on_leaves_what_was_shown_once_shown():
    registry = {}

    def warn():
        warnings.warn_explicit("told", UserWarning, "here", 1, registry=registry)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        before = list(warnings.filters)
        warn()
        mapped(torch.sin, (0,))
        warn()
        assert warnings.filters == before
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["batched", "shared+batched"])
def test_a_scan_of_an_encoder_says_nothing_of_it(layer, name):
    model = nn.Sequential(nn.Linear(4, 4), layer, nn.Flatten(), nn.Linear(20, 3))
    made = Problem(model, (torch.randn(12, 5, 4), torch.arange(12) % 3))
    xy = networks.points(4)
    assert remarks(lambda: adopted(made, name).at_many(xy)) == []
