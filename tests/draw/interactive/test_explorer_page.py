"""The page as a person uses it: one browser, one page, in the order of the tests."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.store.scans import sentences


def changed(before, after):
    """The share of the picture's pixels that differ."""
    return float(np.mean(np.abs(before - after).max(axis=2) > 8))


def place(explorer, x, y):
    """A point of the picture on the page, in shares of its width and height."""
    box = explorer.page.locator("#picture").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


@pytest.fixture(autouse=True)
def first_view(explorer):
    """Each test begins with the first scan as it is first shown, and ends without an error."""
    for name in ("run", "scan", "measure"):
        # Choosing what is chosen would draw it anew.
        if explorer.page.input_value(f"#{name}") != "0":
            explorer.page.select_option(f"#{name}", "0")
    for name in ("log", "path", "contours", "floor", "through"):
        explorer.page.set_checked(f"#{name}", name != "through")
    explorer.page.click("#reset")
    explorer.page.locator("#picture").focus()
    yield
    assert explorer.errors == []
    assert [
        url for url in explorer.requests if not url.startswith(("file:", "data:", "blob:"))
    ] == []


def test_a_surface_is_seen(explorer):
    colours = explorer.picture().reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 1000
    assert explorer.text("#title").startswith("training loss (1,437 samples)")
    assert "93 % of its variance lies in this plane (chance 0.0083 %)" in explorer.text("#facts")


@pytest.mark.slow
def test_dragging_turns_it(explorer):
    before = explorer.picture()
    mouse = explorer.page.mouse
    mouse.move(*place(explorer, 0.4, 0.5))
    mouse.down()
    mouse.move(*place(explorer, 0.7, 0.55), steps=6)
    mouse.up()
    assert changed(before, explorer.picture()) > 0.1
    explorer.page.click("#reset")
    explorer.page.mouse.move(5, 5)
    assert changed(before, explorer.picture()) < 0.02


@pytest.mark.slow
def test_the_wheel_zooms(explorer):
    explorer.page.mouse.move(*place(explorer, 0.5, 0.5))
    before = explorer.picture()
    explorer.page.mouse.wheel(0, -400)
    assert changed(before, explorer.picture()) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("control", ["log", "path", "contours", "floor", "through"])
def test_a_check_box_changes_the_picture(explorer, control):
    before = explorer.picture()
    explorer.page.locator(f"#{control}").click()
    assert changed(before, explorer.picture()) > 0.002
    explorer.page.locator(f"#{control}").click()
    assert changed(before, explorer.picture()) < 0.002


@pytest.mark.slow
@pytest.mark.parametrize(
    ("control", "option"), [("measure", "1"), ("measure", "2"), ("scan", "1"), ("run", "1")]
)
def test_a_choice_changes_the_picture(explorer, control, option):
    before, title = explorer.picture(), explorer.text("#title")
    explorer.page.select_option(f"#{control}", option)
    assert changed(before, explorer.picture()) > 0.01
    assert explorer.text("#title") != title


@pytest.mark.slow
def test_the_height_changes_the_picture(explorer):
    before = explorer.picture()
    explorer.page.locator("#exaggeration").fill("2")
    assert explorer.text("#factor") == "×2"
    assert changed(before, explorer.picture()) > 0.05


def test_steps_by_the_slider_and_by_the_curve(explorer):
    before = explorer.picture()
    explorer.page.locator("#scrub").fill("20")
    explorer.page.locator("#scrub").dispatch_event("input")
    assert explorer.text("#step") == "900"
    assert changed(before, explorer.picture()) > 0.001
    box = explorer.page.locator("#curve").bounding_box()
    # Between its margins: 46 pixels at the left for the axis, 10 at the right.
    middle = box["x"] + 46 + 0.5 * (box["width"] - 56)
    explorer.page.mouse.click(middle, box["y"] + 20)
    assert 2600 < int(explorer.text("#step").replace(",", "")) < 2750


def test_the_strip_has_axes(explorer):
    said = explorer.page.locator("#curve text").all_text_contents()
    assert {"loss", "step", "0", "1,000", "5,000"} <= set(said)
    assert any(text in said for text in ("0.5", "1", "2"))


def test_a_step_says_its_losses(explorer, planted):
    path = planted.escape(21, 15).paths[0]
    explorer.page.keyboard.press("Home")
    for _ in range(3):
        explorer.page.keyboard.press("ArrowRight")
    explorer.page.keyboard.press("ArrowLeft")
    assert explorer.text("#step") == f"{path.step[2]}"
    found = explorer.text("#readout")
    # Four significant digits at most, as JavaScript and Python both round them.
    for values in (path.true_loss, path.plane_loss):
        assert f"{values[2]:.4g}" in found
    explorer.page.keyboard.press("End")
    assert explorer.text("#step") == f"{path.step[-1]:,}"


@pytest.mark.slow
def test_playing_runs_to_the_end(explorer):
    explorer.page.select_option("#speed", "4")
    explorer.page.keyboard.press("Home")
    explorer.page.locator("#picture").focus()
    explorer.page.keyboard.press(" ")
    assert explorer.page.get_attribute("#play", "aria-label") == "Pause"
    explorer.page.wait_for_selector("#play[aria-label=Play]")
    assert explorer.text("#step") == "5,355"
    explorer.page.select_option("#speed", "1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", ["Shift+ArrowLeft", "Shift+ArrowUp", "+", "l", "m", "s", "r", "ArrowUp"]
)
def test_a_key_changes_the_picture(explorer, key):
    before = explorer.picture()
    explorer.page.keyboard.press(key)
    assert changed(before, explorer.picture()) > 0.005


def test_the_keys_are_listed(explorer):
    explorer.page.keyboard.press("?")
    assert "play, pause" in explorer.text("#keys")
    explorer.page.keyboard.press("Escape")
    assert explorer.page.locator("#keys").is_hidden()


@pytest.mark.slow
def test_every_control_can_be_reached_by_tab(explorer):
    reached = set()
    for _ in range(40):
        explorer.page.keyboard.press("Tab")
        reached.add(explorer.page.evaluate("() => document.activeElement.id"))
    assert reached >= {
        *("run", "scan", "measure", "reset", "help", "picture", "log", "exaggeration"),
        *("path", "contours", "floor", "through", "play", "scrub", "speed", "theme"),
    }


def test_hovering_tells_coordinates_and_losses(explorer):
    for x in (0.4, 0.5, 0.6, 0.65):
        explorer.page.mouse.move(*place(explorer, x, 0.45), steps=4)
        explorer.settle()
        if explorer.page.locator("#tip").is_visible():
            break
    words = explorer.text("#tip")
    first = words.split()[0]
    assert first in ("x", "path", "start", "best", "end")
    assert ("training loss" if first == "x" else "true loss") in words


def test_best_is_seen_at_first_view(explorer):
    """Its star is on top of the surface, in the figures' gold, and within the picture."""
    signs = {sign: explorer.page.locator(f"#picture :text-is('{sign}')") for sign in "●★■"}
    stage = explorer.page.locator("#picture").bounding_box()
    for sign, found in signs.items():
        assert found.count() == 1, sign
        box = found.bounding_box()
        assert stage["x"] < box["x"] < stage["x"] + stage["width"] - box["width"]
        assert stage["y"] < box["y"] < stage["y"] + stage["height"] - box["height"]
    explorer.picture()
    box = signs["★"].bounding_box()
    top, left = int(box["y"]), int(box["x"])
    part = explorer.pixels()[top : top + int(box["height"]), left : left + int(box["width"])]
    assert (np.abs(part - [255, 210, 31]).max(axis=2) < 12).sum() > 20


@pytest.mark.slow
def test_what_hovering_says_is_there_by_keyboard(explorer, planted):
    scan = planted.escape(21, 15)
    explorer.page.keyboard.press("i")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        explorer.page.keyboard.press(key)
    a, b = 11, 8
    words, heard = explorer.text("#tip"), explorer.said()
    for value in (scan.x[a], scan.y[b], *(scan.measures[name][a, b] for name in scan.measures)):
        written = f"{value:.4g}".replace("-", "−")
        assert written in words
        assert written in heard
    explorer.page.keyboard.press("Escape")
    assert explorer.page.locator("#tip").is_hidden()
    explorer.page.keyboard.press("Home")
    assert explorer.said().startswith("step 0, true loss 2.31, ")


@pytest.mark.slow
def test_light_and_dark(explorer):
    assert explorer.pixels()[320, 20].tolist() == [255, 255, 255]
    explorer.page.keyboard.press("d")
    explorer.picture()
    assert explorer.pixels()[320, 20].tolist() == [20, 22, 26]
    explorer.page.click("#theme")
    explorer.picture()
    assert explorer.pixels()[320, 20].tolist() == [255, 255, 255]


def test_a_constant_output_is_called_as_in_figures(explorer):
    assert f"{sentences.IGNORING}, " in explorer.text("#legend")


def test_holes_are_named(explorer):
    explorer.page.select_option("#run", "1")
    assert "hole: " in explorer.text("#legend")
    assert "NaN" in explorer.text("#legend")
    assert "infinite" in explorer.text("#legend")


@pytest.mark.slow
def test_a_line_is_a_curve(explorer):
    explorer.page.select_option("#scan", "2")
    before = explorer.picture()
    assert explorer.page.locator("#height").is_hidden()
    explorer.page.locator("#log").click()
    assert changed(before, explorer.picture()) > 0.005
    explorer.page.select_option("#measure", "2")
    assert explorer.text("#title").startswith("training accuracy (1,437 samples)")


@pytest.fixture
def small(chromium, page_file):
    """Opens the page in a window of a size, without a network."""
    contexts = []

    def opened(width, height):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, offline=True, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(page_file.as_uri())
        page.wait_for_selector("body[data-ready=yes]", timeout=90_000)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.slow
def test_it_is_usable_when_small(small):
    page = small(800, 600)
    box = page.locator("#picture").bounding_box()
    assert box["width"] > 500
    assert box["height"] > 400
    wide, tall = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert (wide, tall) == (800, 600)


OUTSIDE = """() => [...document.querySelectorAll("select, button, input, svg text, td, p, h2")]
    .filter((one) => one.checkVisibility() && !one.closest("[hidden]"))
    .filter((one) => { const box = one.getBoundingClientRect();
        return box.width && (box.left < -0.5 || box.right > innerWidth + 0.5); })
    .map((one) => one.id || one.textContent)"""


@pytest.mark.slow
@pytest.mark.parametrize("scan", ["0", "1", "2", "3"])
def test_nothing_is_cropped_on_a_phone(small, scan):
    page = small(390, 844)
    page.select_option("#scan", scan)
    page.wait_for_timeout(500)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert page.evaluate(OUTSIDE) == []
    stage, bar = (page.locator(name).bounding_box() for name in ("#stage", "#timeline"))
    assert stage["width"] == 390
    # The steps stay within reach of the thumb.
    assert bar["y"] + bar["height"] == pytest.approx(844, abs=1)
