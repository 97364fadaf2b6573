from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from landscape.draw import files
from landscape.draw.sheet.page import blank, inches, wrapped


@pytest.mark.parametrize(
    "text",
    [
        "narrow: it fills till a little fits, while WIDE WORDS MAKE MORE OF ROOM WHERE MANY COME",
        "17 % of the points are measured, 1 % of the loss (above the cap, 4.605, within 1.5).",
        "a file of W" + "M" * 60 + "W that has no space",
        "a letter \u200b of no width",
    ],
)
@pytest.mark.parametrize("width", [1.0, 2.5])
def test_no_line_is_wider_than_its_room(text, width):
    lines = wrapped(text, width, 8.0)
    assert max(inches(line, 8.0) for line in lines) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_lines_are_filled_and_nothing_is_one_empty_line():
    text = "to and fro along the sharpest direction, while the run drifts to lower losses"
    lines = wrapped(text, 2.0, 8.0)
    assert " ".join(lines) == text
    for line, following in pairwise(lines):
        assert inches(f"{line} {following.split()[0]}", 8.0) > 2.0
    assert wrapped("", 2.0, 8.0) == [""]


@pytest.mark.parametrize("dpi", [72, 122, 150, 300])
def test_a_line_is_as_wide_in_a_picture_as_it_was_measured(dpi):
    text = "the training loss was off by 0.14 % on average, and 31 of the 32 as near as promised"
    width, left = inches(text, 6.8), 0.1
    sheet = blank(left + width + left, 0.3)
    sheet.text(left, 0.1, text, 6.8)
    sheet.figure.set_dpi(dpi)
    for picture in (files.png(sheet.figure), sheet.figure.shown()[0]):
        with Image.open(BytesIO(picture)) as shown:
            inked = np.flatnonzero((np.asarray(shown.convert("L")) < 200).any(axis=0))
        assert inked[-1] / dpi == pytest.approx(left + width, abs=0.03)
