from __future__ import annotations

import pytest

from landscape.draw.sheet.page import inches, wrapped


@pytest.mark.parametrize(
    "text",
    [
        "narrow: it fills till a little fits, while WIDE WORDS MAKE MORE OF ROOM WHERE MANY COME",
        "17 % of the points are measured, 1 % of the loss (above the cap, 4.605, within 1.5).",
        "a file of W" + "M" * 60 + "W that has no space",
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
    for line, following in zip(lines, lines[1:], strict=False):
        assert inches(f"{line} {following.split()[0]}", 8.0) > 2.0
    assert wrapped("", 2.0, 8.0) == [""]
