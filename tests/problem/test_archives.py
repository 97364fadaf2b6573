"""NumPy's files say how much they hold before it is read."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from landscape.problem import archives


def header(shape: str, kind: str = "'<f8'") -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_what_numpy_writes_is_read(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(3, dtype=">f4"))}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        found = archives.read(tmp_path / "x.npz")
        assert {name: value.tolist() for name, value in found.items()} == {
            name: value.tolist() for name, value in arrays.items()
        }
    for array in (*arrays.values(), np.float32(3), np.empty((0, 4))):
        np.save(tmp_path / "x.npy", array)
        assert np.array_equal(archives.read(tmp_path / "x.npy"), array)


def refused(path) -> str:
    with pytest.raises(archives.UNREADABLE) as caught:
        archives.read(path)
    return str(caught.value)


def test_a_bomb(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", header("(33554432,)") + bytes(2**28))
    size = path.stat().st_size / 1e3
    assert refused(path) == (
        f"its arrays declare 268 MB, {size:.0f} kB should hold 67.1 MB at most; write it with "
        "numpy.savez, uncompressed"
    )
    assert archives.read(path, lambda name: False)["a"].size == 0


def test_more_than_the_file_has(tmp_path):
    path = tmp_path / "x.npy"
    path.write_bytes(header("(10000000000,)") + bytes(16))
    assert refused(path) == "it declares 80000000000 bytes and holds 16"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (header("(2,)", "'|O'"), "Object arrays cannot be loaded when allow_pickle=False"),
        (header("(-1,)"), "an array's shape is (-1,)"),
        (header("(True,)").replace(b"\x01\x00", b"\x03\x00", 1), "its arrays are of version"),
        (b"\x93NUMPY", "its arrays are of version (0, 0), known are 1.0 and 2.0"),
        (header("x()"), "malformed node or string on line 1"),
        (header("(" * 300 + ")" * 300), "Cannot parse header"),
    ],
)
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_a_header_of_nonsense(tmp_path, start, said, ending):
    path = tmp_path / f"x.{ending}"
    if ending == "npy":
        path.write_bytes(start + bytes(16))
    else:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            file.writestr("a.npy", start + bytes(16))
        path.write_bytes(content.getvalue())
    assert said in refused(path)
