"""The path in the explorer: its line, its colours, the labels of its marks."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from landscape.draw.elements import paths
from landscape.draw.interactive import explorer_page
from landscape.draw.interactive.explorer_data import Entry
from landscape.draw.look import theme
from landscape.store.scans.records import Point


def lines(page):
    """Width, dash and row of each point, NaN between pieces, of the path at its true loss."""
    found = page.evaluate(
        "() => document.getElementById('picture').data.filter((one) => one.name === 'path')"
        ".map((one) => [one.line.width, one.line.dash, one.x.map((x, k) => x === null ? null"
        " : one.meta.rows[k]), one.line.color])"
    )
    return {dash: (width, rows, colours) for width, dash, rows, colours in found}


@pytest.mark.slow
def test_a_path_is_dashed_where_the_plane_has_another_loss_and_coloured_by_row(
    chromium, planted, tmp_path
):
    scan = planted.escape(21, 15)
    path = scan.paths[0]
    # Early steps are recorded closely.
    step = np.geomspace(1, 5001, len(path.step)).astype(np.int64) + np.arange(len(path.step))
    points = tuple(
        replace(one, step=int(step[path.step.tolist().index(one.step)])) for one in scan.points
    )
    path = replace(path, step=step, events=())
    scan = replace(scan, paths=(path,), points=points)
    file = explorer_page.save([Entry("a", "b", scan)], tmp_path / "page.html")
    context = chromium.new_context(viewport={"width": 1000, "height": 640}, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=90_000)
    far = paths.faded(path)
    drawn = lines(page)
    pieces = {
        dash: {(a, b) for a, b in pairwise(rows) if a is not None and b is not None and a != b}
        for dash, (_, rows, _) in drawn.items()
    }
    shown = sorted({row for piece in pieces.values() for pair in piece for row in pair})
    for a, b in pairwise(shown):
        assert ((a, b) in pieces["dash"]) == bool(far[a] or far[b])
        assert ((a, b) in pieces["solid"]) == (not (far[a] or far[b]))
    assert pieces["dash"]
    assert pieces["solid"]
    assert drawn["dash"][0] < drawn["solid"][0]
    # By row: a third of the rows on there is a third of the colours.
    ramp = theme.STEP(np.arange(len(step)) / (len(step) - 1))
    for _, rows, colours in drawn.values():
        for row, colour in zip(rows, colours, strict=True):
            if row is not None:
                at = [int(part) for part in colour.removeprefix("rgb(")[:-1].split(",")]
                assert np.abs(np.array(at) - 255 * ramp[row][:3]).max() < 4
    third = step[round((len(step) - 1) / 3)]
    assert f"{third:,}" in page.locator("#legend").inner_text()
    context.close()


@pytest.mark.slow
def test_labels_of_marks_that_stand_close_dont_overlap_at_first(chromium, planted, tmp_path):
    scan = planted.escape(21, 15)
    path, end = scan.paths[0], scan.points[-1]
    row = path.step.tolist().index(end.step) - 1
    near = Point("peak", tuple(map(float, path.xy[row])), int(path.step[row]))
    file = explorer_page.save(
        [Entry("a", "b", replace(scan, points=(*scan.points, near)))], tmp_path / "page.html"
    )
    context = chromium.new_context(viewport={"width": 1000, "height": 640}, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=90_000)
    page.wait_for_timeout(500)
    found = page.locator("#picture text")
    boxes = [
        (text, found.nth(k).bounding_box())
        for k in range(found.count())
        if (text := found.nth(k).text_content()).split(" ")[0] in ("start", "best", "end", "peak")
    ]
    assert len(boxes) == 4
    for (_, a), (_, b) in combinations(boxes, 2):
        assert (
            a["x"] + a["width"] <= b["x"] + 1
            or b["x"] + b["width"] <= a["x"] + 1
            or a["y"] + a["height"] <= b["y"] + 2
            or b["y"] + b["height"] <= a["y"] + 2
        )
    context.close()
