"""What a file declares is looked at, and what it can't hold is refused, before anything is read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store.vetting.rules import FileRules, Holds, InJson, check
from landscape.store.vetting.survey import Declared, survey

AGAIN = "ask for another copy of it"


def surveyed(path):
    with h5py.File(path) as file:
        return survey(path, file)


def refused(path) -> str:
    with pytest.raises(LandscapeError) as caught:
        surveyed(path)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.h5"


def test_what_is_there(path):
    with h5py.File(path, "w") as file:
        file["a/b"] = np.zeros((2, 3))
        file["text"] = "words"
        file["none"] = h5py.Empty("f8")
        file.attrs["x"] = 1
    assert dict(surveyed(path).objects) == {
        "a": Declared("group", None),
        "a/b": Declared("f", (2, 3)),
        "text": Declared("O", ()),
        "none": Declared("f", None),
    }


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_ten_gigabytes_in_a_small_file(path, compression):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (2**31,), "f8", chunks=(64,), compression=compression)
    size = path.stat().st_size * (1 if compression is None else 16)
    assert refused(path) == (
        f"{path} must have in a no more than its {size} bytes can hold, got shape (2147483648,) of "
        f"float64; {AGAIN}"
    )


def test_a_chunk_that_fills_the_memory(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (1,), "u1", chunks=(2**30,), maxshape=(None,))
    assert refused(path) == (
        f"{path} must have chunks of at most 134217728 bytes in a, got 1073741824; {AGAIN}"
    )


def test_types_that_nothing_of_ours_has(path):
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(2, [("x", "f4"), ("y", "i4")])
    assert refused(path) == (
        f"{path} must have numbers or text in a, got [('x', '<f4'), ('y', '<i4')]; {AGAIN}"
    )


RULES = FileRules(
    datasets={
        "x": Holds("f", ("X",)),
        "g/*": Holds("fi", ("X", "n")),
        "h/*": Holds("f", ("X", "n")),
        "text": Holds("t"),
        "any": Holds("f", (2, "...")),
    },
    attributes={"": {"about": InJson({"a": int})}, "g": {"kind": str}},
    further=lambda file, found: "" if "x" in found.objects else "x must be there, it isn't",
)


@pytest.mark.parametrize(
    ("content", "attributes", "said"),
    [
        ({"x": np.zeros(2), "g/a": np.zeros((2, 3)), "h/a": np.zeros((2, 4))}, {}, ""),
        ({"x": np.zeros(2), "any": np.zeros((2, 5, 6)), "other": 3}, {}, ""),
        ({"x": np.zeros(2, int)}, {}, "x must hold numbers, got whole numbers"),
        ({"x/y": 1.0}, {}, "x must hold numbers, got a group"),
        ({"x": 1.0}, {}, "x must have shape (X), got ()"),
        ({"x": h5py.Empty("f8")}, {}, "x must have shape (X), got nothing"),
        ({"x": np.zeros(1), "text": 3}, {}, "text must hold text, got whole numbers"),
        ({"x": np.zeros(1), "any": np.zeros(1)}, {}, "any must have shape (2), got (1,)"),
        (
            {"g/a": np.zeros((2, 3)), "g/b": np.zeros((2, 4))},
            {},
            "g/b must have shape (2, 3), got (2, 4)",
        ),
        ({}, {}, "x must be there, it isn't"),
        ({"x": np.zeros(1)}, {"about": 3}, "about must be JSON, got int"),
        ({"x": np.zeros(1)}, {"about": '{"a": "b"}'}, "about.a must be a whole number, got 'b'"),
        (
            {"x": np.zeros(1)},
            {"about": "[" * 20_000},
            "about must be JSON, got: it is nested too deeply",
        ),
    ],
)
def test_a_file_is_held_to_its_table(path, content, attributes, said):
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            file[name] = value
        file.attrs.update(attributes)
    with h5py.File(path) as file:
        found = survey(path, file)
        if not said:
            check(path, file, found, RULES)
            return
        with pytest.raises(LandscapeError) as caught:
            check(path, file, found, RULES)
    assert str(caught.value) == f"{path} must be whole, {said}; put it back from a copy"
