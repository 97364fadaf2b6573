"""The valley on the page: its values, and how a person goes through its steps."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from landscape.draw.elements.columns import Columns
from landscape.draw.interactive import explorer_page, explorer_sources, packing
from landscape.draw.interactive.explorer_data import Entry
from landscape.draw.interactive.explorer_valley import valley_values
from landscape.draw.interactive.packing import unpacked
from landscape.draw.look import scale, theme
from landscape.store.scans import valleyfile
from landscape.store.scans.rises import KEY


def test_values_are_those_of_the_valley(planted):
    valley = planted.valley()
    found = valley_values(valley)
    assert found["kind"] == "valley"
    assert found["steps"] == valley.slices.step.tolist()
    assert found["y"] == valley.y.tolist()
    for measure in found["measures"]:
        values = unpacked(measure["values"]).reshape(24, 21)
        np.testing.assert_array_equal(values, valley.measures[measure["name"]].astype(np.float32))
    walls = unpacked(found["walls"]).reshape(24, 4)
    # The planted radius times 1, 0.8 and 1.3: the least and the largest are the quartiles.
    radius = np.sqrt(0.1 / np.linspace(1, 20, 24))[:16, None]
    np.testing.assert_allclose(walls[:16], radius * [0.8, 1.3, 0.8, 1.3], rtol=1e-6)
    assert np.isposinf(walls[16:]).all()
    np.testing.assert_allclose(unpacked(found["critical"]), np.linspace(0.5, 30, 24), rtol=1e-6)
    assert found["gaps"] == found["leaps"] == [15]
    assert found["rise"] == {"by": 0.1, "said": "0.1"}
    other = replace(valley, settings={KEY: {"by": 0.034, "rule": "start"}})
    assert valley_values(other)["rise"] == {"by": 0.034, "said": "0.034"}


def test_points_are_those_of_the_figure(planted):
    found = {point["name"]: point for point in valley_values(planted.valley())["points"]}
    assert found["start"]["text"] == "start 2.3, step 0"
    assert found["best"]["step"] == 600
    # In the middle of the sixteenth column; the seventeenth stands apart.
    assert found["best"]["x"] == pytest.approx(15.5)
    assert found["end"]["x"] == pytest.approx(Columns.of(planted.valley()).width - 0.5)


def test_it_is_strict_json_and_small(planted, tmp_path):
    json.dumps(packing.strict(valley_values(planted.valley())), allow_nan=False)
    many = planted.valley(200, jump=None)
    file = explorer_page.save([Entry("run", "valley", many)], tmp_path / "explorer.html")
    assert file.stat().st_size < 6e6


def test_a_valleys_file_is_a_source(planted, tmp_path):
    valleyfile.save(tmp_path / "valley.h5", planted.valley())
    (entry,) = explorer_sources.gather([tmp_path / "valley.h5"])
    assert (entry.run, entry.name) == ("high-lr", "valley")


@pytest.fixture
def on_page(explorer):
    """The page with the valley chosen, at its first step."""
    for name, value in (("run", "0"), ("scan", "3"), ("measure", "0")):
        if explorer.page.input_value(f"#{name}") != value:
            explorer.page.select_option(f"#{name}", value)
    explorer.page.locator("#valley").focus()
    explorer.page.keyboard.press("Home")
    yield explorer
    assert explorer.errors == []
    assert [
        one for one in explorer.requests if not one.startswith(("file:", "data:", "blob:"))
    ] == []


def place(explorer, valley, k, y):
    """A column's pixel on the page."""
    box, where = explorer.page.locator("#columns").bounding_box(), Columns.of(valley)
    return (
        box["x"] + float(where.middle[k]) / where.width * box["width"],
        box["y"] + (1 - y) / 2 * box["height"],
    )


@pytest.mark.slow
def test_columns_are_flat_and_have_the_figures_colours(on_page, planted):
    valley = planted.valley()
    colours = scale.through([valley.measures["train_loss"]], constant=valley.constant_loss)
    pixels = on_page.pixels()
    width = on_page.page.locator("#columns").bounding_box()["width"] / Columns.of(valley).width
    for k, j in ((3, 12), (10, 6), (12, 14), (20, 4)):
        x, y = place(on_page, valley, k, valley.y[j])
        found = pixels[int(y), int(x)]
        position = colours.position(valley.measures["train_loss"][k, j])
        wanted = np.round(255 * np.array(theme.LOSS(float(position))[:3]))
        # Half a pixel along the slope, and a ramp of 33 colours.
        assert np.abs(found - wanted).max() <= 8, (k, j)
        across = pixels[int(y), int(x - 0.3 * width) : int(x + 0.3 * width)]
        assert (across == found).all()


def test_keys_go_through_the_steps_and_are_heard(on_page, planted):
    valley = planted.valley()
    for _ in range(8):
        on_page.page.keyboard.press("ArrowRight")
    assert on_page.text("#step") == "320"
    heard = on_page.said()
    assert heard.startswith(f"step 320, loss {valley.loss[8]:.4g}, width r₀.₁ ")
    assert heard.endswith("during spike")
    on_page.page.keyboard.press("ArrowLeft")
    on_page.page.keyboard.press("ArrowLeft")
    assert "spike" not in on_page.said()
    on_page.page.keyboard.press("End")
    heard = on_page.said()
    assert heard.startswith("step 920, loss 2.303, width r₀.₁ beyond 1, ")
    assert "during plateau" in heard


def test_keys_point_along_the_slice(on_page, planted):
    valley = planted.valley()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        on_page.page.keyboard.press(key)
    values = [valley.measures[name][1, 12] for name in ("train_loss", "validation_loss")]
    for words in (on_page.text("#readout"), on_page.said()):
        assert "0.2 across" in words
        assert all(f"{value:.4g}" in words for value in values)
    assert on_page.page.locator("#moving .probe").count() == 2
    on_page.page.keyboard.press("Escape")
    assert on_page.page.locator("#moving .probe").count() == 0


def test_the_slice_is_the_columns(on_page, planted):
    """Measured points stand where the loss is, on the axis that the columns share."""
    valley = planted.valley()
    colours = scale.through([valley.measures["train_loss"]], constant=valley.constant_loss)
    on_page.page.keyboard.press("ArrowRight")
    dots = on_page.page.locator("#moving .dot").evaluate_all(
        "(all) => all.map((one) => [one.cx.baseVal.value, one.cy.baseVal.value])"
    )
    position = colours.position(valley.measures["train_loss"][1])
    assert len(dots) == 21
    assert position.max() < 1
    x, y = np.array(dots).T
    # Linear in the scale's position and in y: what a straight line fits to a tenth of a pixel.
    for values, drawn in ((position, x), (valley.y, y)):
        fitted = np.polyval(np.polyfit(values, drawn, 1), values)
        np.testing.assert_allclose(drawn, fitted, atol=0.12)
    assert x[10] == x.min()
    assert y[0] > y[-1]


def test_the_mouse_scrubs_and_hovers(on_page, planted):
    valley = planted.valley()
    on_page.page.mouse.move(*place(on_page, valley, 5, 0.4))
    words = on_page.text("#tip")
    assert words.startswith("step 200")
    assert f"{valley.measures['train_loss'][5, 14]:.4g}" in words
    on_page.page.mouse.down()
    assert on_page.text("#step") == "200"
    on_page.page.mouse.move(*place(on_page, valley, 12, 0.1), steps=4)
    on_page.page.mouse.up()
    assert on_page.text("#step") == "480"


@pytest.mark.slow
def test_playing_goes_through_the_columns(on_page):
    on_page.page.select_option("#speed", "4")
    on_page.page.locator("#valley").focus()
    on_page.page.keyboard.press("Home")
    on_page.page.keyboard.press(" ")
    on_page.page.wait_for_selector("#play[aria-label=Play]")
    assert on_page.text("#step") == "920"
    on_page.page.select_option("#speed", "1")


@pytest.mark.slow
def test_it_is_first_seen_where_the_run_was_best(on_page):
    on_page.page.select_option("#scan", "0")
    on_page.page.select_option("#scan", "3")
    assert on_page.text("#step") == "600"
    stars = on_page.page.locator("#slices g:has(title:text-is('best'))")
    assert stars.count() == 1
    said = on_page.page.locator("#slices text").all_text_contents()
    assert sum(text.startswith("best ") and text.endswith("step 600") for text in said) == 1
    # Each kind of event is named once.
    assert [said.count(name) for name in ("spike", "escape", "plateau")] == [1, 1, 1]


def test_labels_of_a_valley_cover_no_other(on_page):
    boxes = on_page.page.locator("#slices text").evaluate_all(
        """(all) => all.map((one) => { const box = one.getBoundingClientRect();
            return [one.textContent, box.left, box.top, box.right, box.bottom]; })"""
    )
    for k, (text, left, top, right, bottom) in enumerate(boxes):
        for other, a, b, c, d in boxes[:k]:
            # Lines of letters have some room above and beneath them.
            across, along = min(right, c) - max(left, a), min(bottom, d) - max(top, b)
            assert min(across, along) <= 4, (text, other)


TOUCHING = """() => {
    const texts = [...document.querySelectorAll("svg text, .bar li")]
        .map((one) => [one.textContent, one.getBoundingClientRect()])
        .filter(([, box]) => box.width);
    return texts.flatMap(([text, a], k) => texts.slice(0, k).filter(([, b]) =>
        Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2).map(([other]) => [text, other]));
}"""
"""Letters that stand on one another; a line's box is a little higher than its letters."""


@pytest.mark.slow
def test_no_letters_touch_on_a_phone(phone, planted, tmp_path):
    valley = planted.valley(jump=None)
    y = np.linspace(0, 1, 24)[:, None] * valley.y**2
    low = replace(
        valley,
        constant_loss=0.6931,
        measures={"train_loss": 0.21 + y, "validation_loss": 0.25 + y},
        path=replace(valley.path, loss=np.linspace(0.7, 0.21, 24)),
    )
    entries = [Entry("high", "valley", planted.valley()), Entry("low", "valley", low)]
    phone.open(explorer_page.save(entries, tmp_path / "explorer.html"))
    for run in ("0", "1"):
        if run != "0":
            phone.page.select_option("#run", run)
        phone.settle()
        assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
        assert phone.page.locator("svg text").count() > 20
        assert phone.page.evaluate(TOUCHING) == []
    assert phone.errors == []
