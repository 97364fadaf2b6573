from __future__ import annotations

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store.hdf5 import write
from landscape.store.trajectories import resumefile

ARRAYS = {"weights": np.ones(3), "flight/velocity/16": np.zeros(0), "generator": np.uint8([1, 2])}


def test_what_is_saved_comes_back(tmp_path):
    resumefile.save(tmp_path, 7, ARRAYS, {"flight": [1, None]})
    step, arrays, info = resumefile.load(tmp_path)
    assert (step, info) == (7, {"flight": [1, None]})
    assert {name: (one.dtype, one.tolist()) for name, one in arrays.items()} == {
        name: (one.dtype, one.tolist()) for name, one in ARRAYS.items()
    }


@pytest.mark.parametrize(
    ("value", "got"), [(h5py.Empty("f8"), "an empty dataset"), ("text", "text"), ([b"x"], "text")]
)
def test_arrays_that_hold_no_numbers_are_refused(tmp_path, value, got):
    """Else a training goes on with them, and fails only where it saves them."""
    resumefile.save(tmp_path, 7, ARRAYS, {})
    path = tmp_path / resumefile.NAME

    def fill(file):
        with h5py.File(path) as old:
            for name in old:
                old.copy(name, file)
            file.attrs.update(dict(old.attrs))
        del file["arrays/flight/velocity/16"]
        file["arrays/flight/velocity/16"] = value

    write(path, fill)
    with pytest.raises(LandscapeError) as refused:
        resumefile.load(tmp_path)
    assert str(refused.value) == (
        f"{path} must be whole, arrays/flight/velocity/16 must hold numbers, got {got}; put it "
        "back from a copy, or train anew with --overwrite"
    )
