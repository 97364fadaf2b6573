from __future__ import annotations

from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem import Problem, nests
from landscape.problem.samples import Samples, fingerprint, subset

Pair = namedtuple("Pair", ("ids", "mask"))


@dataclass
class Graph:
    nodes: Tensor
    label: Tensor


class Encoding(UserDict):
    """Asked for attributes too, as transformers' BatchEncoding."""

    def __getattr__(self, name: str) -> Tensor:
        return self.data[name]


X, M = torch.arange(12.0).reshape(6, 2), torch.arange(6)
NESTS = {
    "dict": {"ids": X, "mask": M},
    "ordered": OrderedDict(ids=X, mask=M),
    "encoding": Encoding({"ids": X, "mask": M}),
    "namedtuple": Pair(X, M),
    "tuple of three": (X, M, {"more": X}),
    "dataclass": Graph(X, M),
    "tensor": X,
}


@pytest.fixture(params=NESTS)
def nest(request):
    return NESTS[request.param]


def problem(data) -> Problem:
    return Problem(nn.Linear(1, 1), data, objective=lambda model, batch: batch)


def test_rows_of_every_nest(nest):
    chosen = torch.tensor([4, 0])
    expected = nests.mapped(nest, lambda leaf: leaf[chosen])
    for data in (Samples(problem(nest).train), Samples(subset(nest, torch.arange(6)))):
        found = data.take(chosen)
        assert type(found) is type(nest)
        assert nests.equal(found, expected)
        parts = list(data.numbered(4))
        assert [(part.size, part.number) for part in parts] == [(4, 0), (2, 1)]
        assert nests.equal(parts[1].content, nests.mapped(nest, lambda leaf: leaf[4:]))


def test_a_change_leaves_the_nest(nest):
    made = nests.mapped(nest, lambda leaf: leaf + 1)
    assert not nests.equal(made, nest)
    assert nests.equal(nests.mapped(made, lambda leaf: leaf - 1), nest)


def test_attributes_stay():
    assert torch.equal(nests.mapped(NESTS["encoding"], lambda leaf: leaf[:2]).ids, X[:2])


def test_paths_and_shapes():
    nest = {"a": (X, [M, "text"]), "b": Graph(X, M)}
    paths = [path for path, _ in nests.leaves(nest)]
    assert paths == ["a.0", "a.1.0", "a.1.1", "b.nodes", "b.label"]
    assert nests.shapes(nest) == (
        "a.0 float32 (6, 2), a.1.0 int64 (6,), a.1.1 str, b.nodes float32 (6, 2), "
        "b.label int64 (6,)"
    )
    assert nests.shapes(dict.fromkeys("abcdefgh", M)).endswith("f int64 (6,) and 2 more")


def test_only_floating_tensors_are_cast():
    found = nests.cast({"x": X, "m": M, "s": "text"}, torch.float64)
    assert (found["x"].dtype, found["m"].dtype, found["s"]) == (torch.float64, torch.int64, "text")


def test_fingerprint_depends_on_paths_and_bytes_not_on_order():
    one = fingerprint({"ids": X, "mask": M})
    assert fingerprint(OrderedDict(mask=M, ids=X)) == one
    assert fingerprint({"ids": X, "masks": M}) != one
    assert fingerprint({"ids": X + torch.eye(6)[:, :2] * 1e-6, "mask": M}) != one
    assert fingerprint({"ids": X.double(), "mask": M}) != one


def test_fingerprint_of_items_that_are_no_tensors():
    items = [{"text": "a b", "label": 1, "picture": Picture(3)}, {"text": "c", "label": 0}]
    one = fingerprint(items)
    assert fingerprint([{**items[0], "picture": Picture(3)}, items[1]]) == one
    assert fingerprint([{**items[0], "picture": Picture(4)}, items[1]]) != one
    assert fingerprint([{**items[0], "text": "a c"}, items[1]]) != one
    with pytest.raises(LandscapeError) as caught:
        fingerprint([{"x": object()}])
    assert str(caught.value) == (
        "data must be told apart by tensors, arrays, numbers or text, got object; give items that "
        "hold these, and make the rest in collate="
    )


class Picture:
    """Its text is its place in memory, as of PIL's images; its numbers tell it apart."""

    def __init__(self, value: int) -> None:
        self._array = torch.full((2, 2), value).numpy()
        self.__array_interface__ = self._array.__array_interface__


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"ids": X, "mask": M[:4]},
            "training data must be tensors of equal length, got 6 in ids, 4 in mask",
        ),
        (
            {"ids": X, "text": "abcdef"},
            "training data must be tensors or a Dataset (a list of items is one), got str at text",
        ),
        ({"ids": X[0, 0]}, "training data must have a first dimension of samples"),
        ({}, "training data must be tensors or a Dataset (a list of items is one), got none"),
    ],
)
def test_unfit_nests(data, message):
    with pytest.raises(LandscapeError) as caught:
        problem(data)
    assert str(caught.value) == message


def test_a_loss_needs_pairs():
    with pytest.raises(LandscapeError) as caught:
        Problem(nn.Linear(1, 1), {"ids": X, "mask": M})
    assert str(caught.value) == (
        "training data must be a pair (inputs, targets), got a dict; make it one, or give "
        "Problem objective= instead of a loss"
    )
