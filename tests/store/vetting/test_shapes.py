"""JSON values are what they must be, or it is said what isn't."""

from __future__ import annotations

import pytest

from landscape.errors import LandscapeError
from landscape.store.vetting import shapes
from landscape.store.vetting.shapes import COUNT, OneOf, misfit


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("x", str),
        (True, bool),
        (3, int),
        (-(2**63), int),
        (3, float),
        (float("nan"), float),
        (None, None),
        (None, (str, None)),
        ([1, 2], [int]),
        ([], [int]),
        ({"a": 1, "b": 2}, {str: int}),
        ({"a": 1, "other": object}, {"a": int, "b?": str}),
        ("inf", OneOf("nan", "inf")),
        (0, COUNT),
        ({"x": [object]}, object),
    ],
)
def test_what_fits(value, shape):
    assert misfit(value, shape) == ""


@pytest.mark.parametrize(
    ("value", "shape", "said"),
    [
        (1, str, "it must be text, got 1"),
        (1, bool, "it must be true or false, got 1"),
        (True, int, "it must be a whole number, got True"),
        (True, float, "it must be a number, got True"),
        (2**63, int, "it must be a whole number, got 9223372036854775808"),
        (10**400, float, f"it must be a number, got 1{'0' * 39}..."),
        (1.5, int, "it must be a whole number, got 1.5"),
        (-1, range(3), "it must be a whole number between 0 and 2, got -1"),
        ("x", (float, None), "it must be a number, got 'x'"),
        ("x", [str], "it must be a list, got 'x'"),
        ([1, "a"], [int], "it[1] must be a whole number, got 'a'"),
        ([], {"a": int}, "it must be a mapping, got []"),
        ({}, {"a": int}, "it must have a, which is missing"),
        ({"b": 1}, {"b?": str}, "b must be text, got 1"),
        ({"a": {"c": 1}}, {"a": {str: str}}, "a.c must be text, got 1"),
        ("x", OneOf("nan", "inf"), "it must be one of nan, inf, got 'x'"),
    ],
)
def test_what_does_not(value, shape, said):
    assert misfit(value, shape) == said


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000])
def test_what_is_nested_too_deeply(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(LandscapeError) as caught:
        shapes.read(path, object, what="a list", remedy="put it back from a copy")
    assert str(caught.value) == (
        f"{path} must be a list, got: it is nested too deeply; put it back from a copy"
    )


@pytest.mark.parametrize("version", [2, None, "1", [], 1.5, float("inf")])
def test_what_is_no_version_of_ours(version, tmp_path):
    with pytest.raises(LandscapeError) as caught:
        shapes.check_version(tmp_path, version, 1)
    assert str(caught.value) == (
        f"{tmp_path} must be of version 1 or older, got {version!r}; install a newer landscape"
    )
