"""The pages as a person opens them: without a network, on a screen of a desk and of a phone."""

from __future__ import annotations

import shutil
from itertools import combinations

import pytest

from landscape.draw.look import theme
from landscape.report import comparison, comparison_page, document, sweep_page
from landscape.report.pictures import DPI

from ..conftest import NAMES as BROWSERS
from .conftest import NAMES

pytestmark = pytest.mark.slow
WIDTHS = (360, 1440)
PAGES = ("escaped", "drifting", "diverged", "sweep", "comparison")


@pytest.fixture(scope="module")
def files(runs, pages, sweep, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    written = dict(zip(PAGES, (pages[name] for name in NAMES), strict=False))
    written["sweep"] = sweep_page.page(sweep)
    written["comparison"] = comparison_page.page(
        comparison.gathered([runs / name for name in NAMES[:2]])
    )
    return {name: document.save(page, folder / f"{name}.html") for name, page in written.items()}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_it_opens_whole_and_asks_nobody(chromium, files, name, width):
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, offline=True, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(90_000)
    wrong, asked = [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(files[name].as_uri())
    if name == "escaped":
        page.locator("#explorer").scroll_into_view_if_needed()
        frame = page.frame_locator("#explorer")
        frame.locator("body[data-ready=yes]").wait_for()
        assert frame.locator("#picture canvas").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = "(all) => all.filter((one) => !one.naturalWidth).length"
    assert page.eval_on_selector_all("img", beyond) == 0
    unsaid = "(all) => all.filter((one) => !one.alt).length"
    assert page.eval_on_selector_all("img", unsaid) == 0
    # No figure is wider than the screen, nor scrolls within a frame of its own.
    ends = page.eval_on_selector_all(
        "figure, figure *",
        "(all) => all.map((one) => [one.getBoundingClientRect().right, one.scrollWidth])",
    )
    assert max(max(end) for end in ends) <= width
    # On a phone pictures are of a printed column: the smallest letters can be read.
    drawn = [
        (wide, shown)
        for wide, shown in page.eval_on_selector_all(
            "figure img", "(all) => all.map((one) => [one.naturalWidth, one.clientWidth])"
        )
        if shown  # what is closed isn't
    ]
    widest = max(wide for wide, _ in drawn)
    assert widest <= 3.25 * DPI if width < 640 else widest > 5 * DPI or name != "escaped"
    assert min(theme.SMALL / 72 * DPI * shown / wide for wide, shown in drawn) >= 10
    first = page.locator("h1").bounding_box()
    assert first["y"] + first["height"] < 800
    # Nor does a table: on a phone its rows' cells stand beneath each other, whole.
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    if width < 640:
        sides = page.eval_on_selector_all(
            ".wide", "(all) => all.map((one) => [one.scrollWidth, one.clientWidth])"
        )
        assert sides
        assert all(whole <= seen for whole, seen in sides)
        cells = page.eval_on_selector_all(
            "tbody tr",
            """(all) => all.map((row) => [...row.cells].map((one) => {
                const box = one.getBoundingClientRect();
                return [box.left, box.top, box.right, box.bottom];
            }))""",
        )
        for row in cells:
            shown = [box for box in row if box[2] > box[0]]
            for one, other in combinations(shown, 2):
                apart = max(
                    other[0] - one[2], one[0] - other[2], other[1] - one[3], one[1] - other[3]
                )
                assert apart >= -1
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


def test_the_dark_page_has_dark_pictures(chromium, files):
    shades = {}
    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme, offline=True)
        page = context.new_page()
        page.goto(files["diverged"].as_uri())
        corner = """(image) => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const drawn = canvas.getContext("2d");
            drawn.drawImage(image, 0, 0);
            return drawn.getImageData(2, 2, 1, 1).data[0];
        }"""
        body = "getComputedStyle(document.body).backgroundColor"
        shades[scheme] = (page.locator("img").first.evaluate(corner), page.evaluate(body))
        page.goto(files["escaped"].as_uri())  # the frame before its plane is there
        frame = "(frame) => getComputedStyle(frame).backgroundColor"
        assert page.locator("#explorer").evaluate(frame) == shades[scheme][1]
        context.close()
    assert shades["light"] == (255, "rgb(255, 255, 255)")
    assert shades["dark"] == (20, "rgb(20, 22, 26)")


TURN = "Drag to turn it"
UNTURNED = "Without WebGL the plane can't be turned here"
DRAWING = "The plane is being drawn"


def said(page):
    """Which of the lines above the plane is seen, and what stands in its frame."""
    lines = {one for one in (TURN, UNTURNED, DRAWING) if page.get_by_text(one).is_visible()}
    frame, still = page.locator("#explorer"), page.locator(".stage picture")
    return lines, frame.is_visible(), still.count() == 1 and still.is_visible()


def test_the_picture_stands_for_the_plane_until_it_is_drawn(chromium, files):
    page = chromium.new_context(offline=True).new_page()
    page.set_default_timeout(90_000)
    page.goto(files["escaped"].as_uri())
    assert said(page) == ({DRAWING}, True, True)
    box = page.locator(".stage").bounding_box()
    shown = page.locator(".stage picture").bounding_box()
    assert all(abs(box[side] - shown[side]) < 4 for side in box)
    page.locator("#explorer").scroll_into_view_if_needed()
    page.get_by_text(TURN).wait_for()
    assert said(page) == ({TURN}, True, False)
    # The same from above isn't seen beside it, unless it is asked for.
    above = page.locator(".turn + figure img")
    assert not above.is_visible()
    page.get_by_text("The plane from above").click()
    assert above.is_visible()
    frame = page.frame_locator("#explorer")
    assert frame.locator("body[data-ready=yes]").count() == 1


@pytest.mark.parametrize("lacking", ["offered", "drawn", "kept"])
def test_without_webgl_that_works_the_picture_stands_for_the_plane(chromium, files, lacking):
    kind = chromium.browser_type
    off = ("--disable-3d-apis", "--disable-webgl") if lacking == "offered" else ()
    browser = kind.launch(
        executable_path=next(path for name in BROWSERS if (path := shutil.which(name))),
        args=["--no-sandbox", "--disable-gpu", *off],
    )
    page = browser.new_context(offline=True).new_page()
    page.set_default_timeout(90_000)
    if lacking == "drawn":  # contexts are there, what is drawn with them isn't
        page.add_init_script(
            """for (const one of [WebGLRenderingContext, WebGL2RenderingContext])
              for (const name of ["drawArrays", "drawElements"]) one.prototype[name] = () => {};"""
        )
    if lacking == "kept":  # the page itself has a context, plotly none
        page.add_init_script(
            """const given = HTMLCanvasElement.prototype.getContext;
            HTMLCanvasElement.prototype.getContext = function (name, ...more) {
              const no = parent !== window && name.includes("webgl");
              return no ? null : given.call(this, name, ...more);
            };"""
        )
    page.goto(files["escaped"].as_uri())
    page.locator(".turn").scroll_into_view_if_needed()
    page.get_by_text(UNTURNED).wait_for()
    assert said(page) == ({UNTURNED}, False, False)
    still = page.locator("figure img[alt*='plane']").first
    assert still.evaluate("(image) => image.naturalWidth") > 0
    assert page.locator(".turn + figure img").is_visible()
    browser.close()


def test_on_paper_the_plane_is_seen_from_above_and_nothing_is_closed(chromium, files):
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto(files["escaped"].as_uri())
    page.emulate_media(media="print")
    assert not page.locator(".turn").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.locator("figure img").count() >= 8
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator(".turn + figure img").is_visible()
    context.close()


def test_pictures_use_the_width_and_open_in_full_size(chromium, files):
    context = chromium.new_context(viewport={"width": 1440, "height": 800}, offline=True)
    page = context.new_page()
    page.goto(files["escaped"].as_uri())
    valley = page.locator("figure", has_text="Training loss across the path").locator("img")
    image = "(image) => [image.naturalWidth, image.clientWidth]"
    natural, shown = valley.evaluate(image)
    assert natural == 6.5 * DPI
    assert 1000 <= shown <= 1100
    with context.expect_page() as opened:
        valley.click()
    opened.value.wait_for_load_state()
    assert opened.value.locator("img").evaluate(image)[0] == natural
    assert page.url == files["escaped"].as_uri()
    # On paper as large as ever: an inch is 118 pixels of 96 to an inch.
    page.emulate_media(media="print")
    assert valley.evaluate(image)[1] == pytest.approx(6.5 * 118, abs=1)
    context.close()
