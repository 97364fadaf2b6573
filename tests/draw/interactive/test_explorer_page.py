"""The page as a person uses it: one browser, one page, in the order of the tests."""

from __future__ import annotations

import numpy as np
import pytest


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


def test_the_wheel_zooms(explorer):
    explorer.page.mouse.move(*place(explorer, 0.5, 0.5))
    before = explorer.picture()
    explorer.page.mouse.wheel(0, -400)
    assert changed(before, explorer.picture()) > 0.05


@pytest.mark.parametrize("control", ["log", "path", "contours", "floor", "through"])
def test_a_check_box_changes_the_picture(explorer, control):
    before = explorer.picture()
    explorer.page.locator(f"#{control}").click()
    assert changed(before, explorer.picture()) > 0.002
    explorer.page.locator(f"#{control}").click()
    assert changed(before, explorer.picture()) < 0.002


@pytest.mark.parametrize(
    ("control", "option"), [("measure", "1"), ("measure", "2"), ("scan", "1"), ("run", "1")]
)
def test_a_choice_changes_the_picture(explorer, control, option):
    before, title = explorer.picture(), explorer.text("#title")
    explorer.page.select_option(f"#{control}", option)
    assert changed(before, explorer.picture()) > 0.01
    assert explorer.text("#title") != title


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
    explorer.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 20)
    assert 2600 < int(explorer.text("#step").replace(",", "")) < 2750


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


def test_playing_runs_to_the_end(explorer):
    explorer.page.select_option("#speed", "4")
    explorer.page.keyboard.press("Home")
    explorer.page.locator("#picture").focus()
    explorer.page.keyboard.press(" ")
    assert explorer.page.get_attribute("#play", "aria-label") == "Pause"
    explorer.page.wait_for_selector("#play[aria-label=Play]")
    assert explorer.text("#step") == "5,355"
    explorer.page.select_option("#speed", "1")


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


def test_every_control_can_be_reached_by_tab(explorer):
    reached = set()
    for _ in range(40):
        explorer.page.keyboard.press("Tab")
        reached.add(explorer.page.evaluate("() => document.activeElement.id"))
    assert reached >= {
        *("run", "scan", "measure", "reset", "help", "picture", "log", "exaggeration"),
        *("path", "contours", "floor", "through", "play", "scrub", "speed"),
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


def test_holes_are_named(explorer):
    explorer.page.select_option("#run", "1")
    assert "hole: " in explorer.text("#legend")
    assert "NaN" in explorer.text("#legend")
    assert "infinite" in explorer.text("#legend")


def test_a_line_is_a_curve(explorer):
    explorer.page.select_option("#scan", "2")
    before = explorer.picture()
    assert explorer.page.locator("#height").is_hidden()
    explorer.page.locator("#log").click()
    assert changed(before, explorer.picture()) > 0.005
    explorer.page.select_option("#measure", "2")
    assert explorer.text("#title").startswith("training accuracy (1,437 samples)")


def test_it_is_usable_when_small(chromium, page_file):
    context = chromium.new_context(viewport={"width": 800, "height": 600}, offline=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=90_000)
    box = page.locator("#picture").bounding_box()
    assert box["width"] > 500
    assert box["height"] > 400
    wide, tall = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert (wide, tall) == (800, 600)
    context.close()
