"""Records compared as a reader would: arrays by their values, NaN as equal to NaN."""

from __future__ import annotations

from dataclasses import fields

import numpy as np


def same(one, other) -> None:
    """Assert that two are equal, field by field, arrays and NaNs within too."""
    assert type(one) is type(other)
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if hasattr(mine, "__dataclass_fields__"):
            same(mine, theirs)
        elif isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
        elif isinstance(mine, dict) and any(isinstance(v, np.ndarray) for v in mine.values()):
            assert mine.keys() == theirs.keys()
            for name in mine:
                np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
        else:
            assert mine == theirs or (mine != mine and theirs != theirs), field.name
