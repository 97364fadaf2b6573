from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from landscape.store import strict


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.array([1.0, math.nan]), [1.0, "nan"]),
        ({"a": (math.inf, None)}, {"a": ["inf", None]}),
        (True, True),
        (Path("a/b"), "a/b"),
    ],
)
def test_plain_values(value, plain):
    assert strict.plain(value) == plain
    assert type(strict.plain(value)) is type(plain)


def test_dumps_is_json_that_any_reader_takes():
    def never(constant):
        raise AssertionError(constant)

    text = strict.dumps({"a": [math.nan, -math.inf], "b": None})
    assert json.loads(text, parse_constant=never) == {"a": ["nan", "-inf"], "b": None}


def test_numbers_are_read_as_they_were_written():
    value = {"a": [math.nan, math.inf, -math.inf, 1.5, 3, True, None, "text"], "b": {"c": "inf"}}
    found = strict.numbers(json.loads(strict.dumps(value)))
    assert math.isnan(found["a"][0])
    assert found["a"][1:] == [math.inf, -math.inf, 1.5, 3, True, None, "text"]
    assert found["b"] == {"c": math.inf}
