from __future__ import annotations

import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import hdf5
from landscape.store.files import write_bytes
from landscape.store.hdf5 import reading, write
from landscape.store.vetting import gate
from landscape.store.vetting.rules import FileRules


def fill(value: float):
    def into(file: h5py.File) -> None:
        file["a"] = np.full(1000, value)
        file.attrs.update({"format": "landscape-test", "version": 2})

    return into


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(path: Path, version: int = 2) -> str:
    with pytest.raises(LandscapeError) as caught, reading(path, "landscape-test", version):
        pass
    return str(caught.value)


def test_round_trip(tmp_path):
    path = tmp_path / "a.h5"
    write(path, fill(1.5))
    with reading(path, "landscape-test", 2) as file:
        np.testing.assert_array_equal(file["a"][:], np.full(1000, 1.5))
    with reading(path, "landscape-test", 3):
        pass  # A newer landscape reads it.
    assert names(tmp_path) == ["a.h5"]


def test_a_file_is_held_to_rules_once_for_as_long_as_it_stays(tmp_path, monkeypatch):
    path, rules, looks = tmp_path / "a.h5", FileRules(needed=("a",)), []
    whole = hdf5.check
    monkeypatch.setattr(hdf5, "check", lambda *given: (looks.append(1), whole(*given)))

    def read(rules):
        with reading(path, "landscape-test", 2, rules=rules) as file:
            return float(file["a"][0])

    write(path, fill(1.5))
    assert [read(rules), read(rules), len(looks)] == [1.5, 1.5, 1]
    write(path, fill(2.5))
    assert [read(rules), read(rules), len(looks)] == [2.5, 2.5, 2]
    others = FileRules(needed=("b",))
    for _ in range(2):  # what doesn't fit is looked at again
        with pytest.raises(LandscapeError) as caught:
            read(others)
        assert "must be whole, b must be in it, it isn't" in str(caught.value)
    assert [read(rules), len(looks)] == [2.5, 4]


@pytest.mark.parametrize("old", [None, 1.5])
def test_full_disk_leaves_what_was_there(tmp_path, full_disk, old):
    path = tmp_path / "a.h5"
    if old is not None:
        write(path, fill(old))
    before = path.read_bytes() if path.exists() else None
    with full_disk(), pytest.raises(LandscapeError) as caught:
        write(path, fill(2.5))
    told = "nothing was written" if old is None else "it is as it was before"
    assert str(caught.value) == f"{path} must be writable, got: No space left on device; {told}"
    assert (path.read_bytes() if path.exists() else None) == before
    assert names(tmp_path) == ([] if old is None else ["a.h5"])


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_interrupt_leaves_what_was_there(tmp_path, monkeypatch, moment):
    path = tmp_path / "a.h5"
    write_bytes(path, b"old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(*((os, "fsync") if moment == "fsync" else (Path, "replace")), interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.h5"]


def test_error_while_filling_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.h5"
    write(path, fill(1.5))
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        write(path, lambda file: 1 / 0)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.h5"]


def test_folder_that_is_not_there(tmp_path):
    path = tmp_path / "none" / "a.h5"
    with pytest.raises(LandscapeError) as caught:
        write_bytes(path, b"")
    assert str(caught.value) == (
        f"{path} must be writable, got: {os.strerror(errno.ENOENT)}; nothing was written"
    )


def test_missing_file(tmp_path):
    assert refused(tmp_path / "a.h5") == f"file {tmp_path}/a.h5 must exist, found none"
    assert refused(tmp_path) == f"file {tmp_path} must exist, found none"


@pytest.mark.parametrize("content", [b"", b"not HDF5", "half"])
def test_file_that_is_not_hdf5(tmp_path, content):
    path = tmp_path / "a.h5"
    write(path, fill(1.5))
    path.write_bytes(path.read_bytes()[:3000] if content == "half" else content)
    if content == "half":
        start = f"{path} must be as it was written, its checksum differs; put it back from a copy"
    else:
        start = f"{path} must be an HDF5 file, got one that isn't; put it back from a copy"
    assert refused(path).startswith(start)
    assert "\n" not in refused(path)


def test_other_format(tmp_path):
    path = tmp_path / "a.h5"
    write(path, lambda file: file.attrs.update({"format": "landscape-other", "version": 1}))
    assert refused(path) == f"{path} must be of format landscape-test, got landscape-other"
    write(path, lambda file: None)
    assert refused(path) == f"{path} must be of format landscape-test, got None"


def test_newer_version(tmp_path):
    path = tmp_path / "a.h5"
    write(path, fill(1.5))
    assert refused(path, version=1) == (
        f"{path} must be of version 1 or older, got 2; install a newer landscape"
    )


RULES = FileRules(attributes={"*": {"unit": str}})


def holding(name: str):
    """Fills a file that holds this group, with an attribute that the rules look at."""

    def into(file: h5py.File) -> None:
        file.create_group(name).attrs["unit"] = name
        file.attrs.update({"format": "landscape-test", "version": 2})

    return into


@pytest.mark.parametrize(
    ("module", "step"), [(gate, "admit"), (hdf5, "declared"), (hdf5.h5py, "File")]
)
def test_one_file_is_read_though_another_takes_its_place(tmp_path, monkeypatch, module, step):
    path, plain, left = tmp_path / "a.h5", getattr(module, step), ["b", "c"]
    write(path, holding("a"))

    def replaced(*arguments, **options):
        done = plain(*arguments, **options)
        if left and arguments[0] == path:
            (tmp_path / left[0]).mkdir()
            with monkeypatch.context() as undone:
                undone.setattr(module, step, plain)
                write(tmp_path / left[0] / "new.h5", holding(left[0]))
            (tmp_path / left.pop(0) / "new.h5").replace(path)
        return done

    monkeypatch.setattr(module, step, replaced)
    with reading(path, "landscape-test", 2, rules=RULES) as file:
        assert [file[name].attrs["unit"] for name in file] == ["c"]


def test_a_file_that_is_replaced_for_ever_is_refused(tmp_path, monkeypatch):
    path, plain = tmp_path / "a.h5", hdf5.declared
    write(path, holding("a"))

    def replaced(path):
        write(path, holding("b"))
        return plain(path)

    monkeypatch.setattr(hdf5, "declared", replaced)
    assert refused(path) == (
        f"{path} must stay as it is while it is opened, another process replaced it 100 times; "
        "wait until that has ended"
    )
