"""docs/make_rooms.py draws the house as it stands."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "docs" / "make_rooms.py"))


def stage_files(stage):
    folder = ROOT / "cli" if stage == "cli" else ROOT / "landscape" / stage
    return sorted(folder.rglob("*.py")) or [folder.with_suffix(".py")]


@pytest.mark.slow
def test_the_picture_is_drawn(script, tmp_path):
    script["main"](tmp_path / "rooms.png")
    with Image.open(tmp_path / "rooms.png") as found, Image.open(script["PICTURE"]) as kept:
        assert found.format == "PNG"
        assert found.width == kept.width


def test_it_has_every_room_and_every_line(script):
    own = {path.stem for path in (ROOT / "landscape").glob("[!_]*") if path.name != "py.typed"}
    assert set(script["STAGES"]) == {"cli", *own} - {"__pycache__"}
    for stage in script["STAGES"]:
        rooms = script["rooms_of"](stage)
        folders = {file.parent for file in stage_files(stage)}
        assert len(rooms) == len(folders)
        lines = sum(file.read_bytes().count(b"\n") for file in stage_files(stage))
        assert sum(room.lines for room in rooms) == lines


def test_its_dots_count_the_files_that_import(script):
    named = re.compile(r"^\s*(?:from|import) landscape\.(\w+)|^\s*from landscape import (.+)", re.M)
    expected = Counter()
    for stage in script["STAGES"]:
        for file in stage_files(stage):
            found = named.findall(file.read_text(encoding="utf-8"))
            names = {name for one, several in found for name in (one, *several.split(", "))}
            names &= script["STAGES"].keys() - {stage}
            expected.update((stage, name) for name in names)
    assert script["importers"]() == expected
    order = list(script["STAGES"])
    assert all(order.index(one) < order.index(other) for one, other in expected)


def test_boxes_fill_their_band_without_overlap(script):
    areas = [7.0, 5.0, 3.0, 2.0, 2.0, 1.0]
    band = script["Box"](1.0, 2.0, 10.0, 2.0)
    boxes = list(script["treemap"](areas, band))
    assert [box.width * box.height for box in boxes] == pytest.approx(areas)
    for box in boxes:
        assert box.x >= 1 - 1e-9
        assert box.x + box.width <= 11 + 1e-9
        assert box.y >= 2 - 1e-9
        assert box.y + box.height <= 4 + 1e-9
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert min(wide, high) <= 1e-9
