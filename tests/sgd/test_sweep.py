from __future__ import annotations

import pytest

from landscape.errors import LandscapeError
from landscape.sgd.sweep import combinations, split


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1", ["0.1"]),
        ("0.1, 0.2", ["0.1", "0.2"]),
        ("[1,2],[3]", ["[1,2]", "[3]"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ('{"a": 1, "b": [2, 3]},null', ['{"a": 1, "b": [2, 3]}', "null"]),
    ],
)
def test_split(text, values):
    assert split(text, "lr") == values


@pytest.mark.parametrize("text", ["0.1,", ",", "", "1,,2"])
def test_an_empty_value_is_refused(text):
    with pytest.raises(LandscapeError) as caught:
        split(text, "lr")
    assert str(caught.value) == f"lr must be values with commas between them, got {text!r}"


def test_every_combination_the_last_varying_fastest():
    found = combinations({"model": ["mlp", "cnn"], "lr": [0.0001, 0.1], "seed": [0, 1]})
    assert list(found) == [
        f"{model}-lr{lr}-seed{seed}"
        for model in ("mlp", "cnn")
        for lr in ("0.0001", "0.1")
        for seed in (0, 1)
    ]
    assert found["mlp-lr0.1-seed1"] == {"model": "mlp", "lr": 0.1, "seed": 1}


def test_names_are_fit_for_folders_and_differ():
    data = ["npz:/some/where/a b.npz", "npz:/else/where/a b.npz", "../x", "é"]
    names = list(combinations({"data": data, "weight-decay": [1e-05]}))
    assert names == [
        "a-b.npz-weight-decay1e-05",
        "a-b.npz-weight-decay1e-05-1",
        "x-weight-decay1e-05",
        "x-weight-decay1e-05-3",
    ]
    [long] = combinations({"data": ["x" * 500]})
    assert len(long) < 120


def test_the_same_value_twice_is_refused():
    with pytest.raises(LandscapeError) as caught:
        combinations({"lr": [0.1, 0.2, 0.10]})
    assert str(caught.value) == "lr must name each value once, got 0.1 twice"
