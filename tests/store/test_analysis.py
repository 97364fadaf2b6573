from __future__ import annotations

from dataclasses import dataclass, field, replace

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import analysis
from landscape.store.analysis import StoredPart
from landscape.store.typed import rebuilt


@dataclass(frozen=True)
class Inner:
    value: float
    name: str | None = None


@dataclass(frozen=True)
class Outer:
    curve: np.ndarray
    count: int
    ready: bool
    inner: Inner
    maybe: Inner | None
    several: tuple[Inner, ...]
    by_name: dict[str, Inner]
    steps: tuple[int, ...]
    words: tuple[str, ...]
    none: tuple[float, ...] = ()
    text: str = "späte"
    added: list[float] = field(default_factory=lambda: [0.5])


FULL = Outer(
    curve=np.array([1.0, np.nan, -np.inf]),
    count=3,
    ready=True,
    inner=Inner(1.5),
    maybe=None,
    several=(Inner(2.5, "a"), Inner(float("inf"), "b")),
    by_name={"conv1.weight": Inner(0.0), "a/b%2F": Inner(1.0)},
    steps=(1, 20, 300),
    words=("one", "two"),
)


def part(values=FULL, name="distances", mark="abc"):
    return StoredPart(name, mark, 1.25, vars(values))


def test_a_dataclass_comes_back_as_it_was(tmp_path):
    analysis.save(tmp_path, part())
    found = analysis.load(tmp_path, "distances")
    assert (found.name, found.fingerprint, found.seconds) == ("distances", "abc", 1.25)
    again = rebuilt(Outer, found.values)
    assert np.array_equal(again.curve, FULL.curve, equal_nan=True)
    same = np.zeros(0)
    assert replace(again, curve=same) == replace(FULL, curve=same)
    assert type(again.count) is int
    assert type(again.ready) is bool


def test_a_part_replaces_its_own_and_keeps_the_others(tmp_path):
    analysis.save(tmp_path, part())
    analysis.save(tmp_path, part(name="units"))
    analysis.save(tmp_path, part(replace(FULL, count=4), mark="def"))
    assert analysis.names(tmp_path) == ("distances", "units")
    assert analysis.load(tmp_path, "distances").values["count"] == 4
    assert analysis.load(tmp_path, "units").values["count"] == 3


def test_nothing_is_there_before_anything_was_measured(tmp_path):
    assert analysis.names(tmp_path) == ()
    assert analysis.load(tmp_path, "distances") is None


def test_plain_h5py_reads_it(tmp_path):
    analysis.save(tmp_path, part())
    with h5py.File(tmp_path / "analysis.h5") as file:
        assert file.attrs["format"] == "landscape-analysis"
        assert file["distances"].attrs["seconds"] == 1.25
        assert file["distances/inner/value"][()] == 1.5
        assert file["distances/curve"].shape == (3,)


def test_fingerprints_tell_values_and_arrays_apart():
    row = np.arange(3)
    marks = [
        analysis.fingerprint("a", 1),
        analysis.fingerprint("a", 2),
        analysis.fingerprint("a", [1, None]),
        analysis.fingerprint("a", row),
        analysis.fingerprint("a", row.astype(float)),
        analysis.fingerprint("a", row[:, None]),
    ]
    assert len(set(marks)) == len(marks)
    assert analysis.fingerprint("a", row) == analysis.fingerprint("a", row.copy())


def test_what_cannot_be_stored_is_named(tmp_path):
    with pytest.raises(LandscapeError) as caught:
        analysis.save(tmp_path, StoredPart("units", "a", 0.0, {"inner": {"model": object()}}))
    assert str(caught.value) == (
        "a part's values must be numbers, text, arrays, lists or mappings of them, "
        "got object at units.inner.model"
    )
    assert not (tmp_path / "analysis.h5").exists()


def test_a_full_disk_keeps_what_was_there(tmp_path, full_disk):
    analysis.save(tmp_path, part())
    before = (tmp_path / "analysis.h5").read_bytes()
    with full_disk(), pytest.raises(LandscapeError, match="it is as it was before"):
        analysis.save(tmp_path, part(name="units"))
    assert (tmp_path / "analysis.h5").read_bytes() == before


def test_a_missing_field_without_a_default_is_an_error():
    with pytest.raises(KeyError, match="value"):
        rebuilt(Inner, {"name": "a"})


def test_another_format_is_refused(tmp_path):
    with h5py.File(tmp_path / "analysis.h5", "w") as file:
        file.attrs.update({"format": "something", "version": 1})
    with pytest.raises(LandscapeError, match="must be of format landscape-analysis, got something"):
        analysis.load(tmp_path, "units")
