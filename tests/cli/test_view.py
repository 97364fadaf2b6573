from __future__ import annotations

import shutil
import sys
import webbrowser

import pytest

from landscape.draw.solid import opengl
from landscape.store.scans import scanfile

NO_SCREEN = opengl.Probe(False, "no screen: DISPLAY is not set")


@pytest.fixture(scope="module")
def scanned(trained, planted, tmp_path_factory):
    run = shutil.copytree(trained, tmp_path_factory.mktemp("viewed") / "run")
    scanfile.save(run / "scans" / "random-final-0.h5", planted.random(5, 5))
    scanfile.save(run / "scans" / "line-final-0.h5", planted.line(5))
    return run


@pytest.fixture(autouse=True)
def no_screen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(opengl, "screen", lambda: NO_SCREEN)
    monkeypatch.setattr(webbrowser, "open", None)


def test_without_a_screen_a_page_and_its_path(landscape, scanned):
    result = landscape("view", scanned)
    page = scanned / "explorer.html"
    assert (result.code, result.out) == (0, f"{page}\n"), result.err
    assert result.err == "no screen here: open the file in a browser\n"
    html = page.read_text()
    assert '"name":"random-final-0"' in html
    assert '"name":"line-final-0"' in html
    # Planes come first.
    assert html.index('"name":"random-final-0"') < html.index('"name":"line-final-0"')


def test_lines_alone_are_shown_as_a_page(landscape, scanned, tmp_path):
    line = shutil.copy(scanned / "scans" / "line-final-0.h5", tmp_path / "line.h5")
    result = landscape("view", line)
    assert result.code == 0, result.err
    assert result.err.splitlines() == [
        "no planes and no valleys: shown as a page",
        "no screen here: open the file in a browser",
    ]


def test_a_browser_opens_the_page(landscape, scanned, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr(webbrowser, "open", lambda where: opened.append(where) or True)
    page = tmp_path / "some page.html"
    result = landscape("view", scanned, "-o", page)
    assert (result.code, result.out, result.err) == (0, f"{page}\n", "")
    assert opened == [page.as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda where: False)
    result = landscape("view", scanned, "--html", "-o", page)
    assert result.err == "no browser found here: open the file in one\n"


def test_no_open_opens_nothing(landscape, scanned, tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":7")
    result = landscape("view", scanned, "-o", tmp_path / "page.html", "--no-open")
    assert (result.code, result.err) == (0, "")


def test_a_screen_without_opengl_says_so_and_writes_the_page(landscape, scanned, monkeypatch):
    reason = "no OpenGL (VTK died of SIGSEGV): on Debian or Ubuntu: apt-get install libegl1"
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr(opengl, "screen", lambda: opengl.Probe(False, reason))
    monkeypatch.setattr(webbrowser, "open", lambda where: True)
    result = landscape("view", scanned)
    assert (result.code, result.err) == (0, f"{reason}; shown as a page instead\n")
    assert result.out == f"{scanned / 'explorer.html'}\n"


def test_with_a_screen_a_window(landscape, scanned, monkeypatch):
    from landscape.draw.interactive import window

    shown = []

    class Window:
        def __init__(self, entries):
            shown.extend(entries)

        def show(self):
            shown.append("shown")

    monkeypatch.setattr(opengl, "screen", lambda: opengl.Probe(True, "OpenGL works"))
    monkeypatch.setattr(window, "SurfaceWindow", Window)
    result = landscape("view", scanned)
    assert (result.code, result.out) == (0, "")
    assert result.err == "1 of 2 scans aren't in the window: see --html\n"
    assert [one.name for one in shown[:-1]] == ["random-final-0", "line-final-0"]
    assert shown[-1] == "shown"


def test_one_scan_of_a_run(landscape, scanned, tmp_path):
    page = tmp_path / "page.html"
    assert landscape("view", scanned, "--scan", "line-final-0", "-o", page).code == 0
    assert '"name":"random-final-0"' not in page.read_text()
    by_file = landscape("view", scanned / "scans" / "line-final-0.h5", "-o", page)
    assert by_file.code == 0, by_file.err
    assert '"name":"line-final-0"' in page.read_text()


def test_mistakes(landscape, trained, scanned, tmp_path, monkeypatch):
    def error(*arguments):
        result = landscape("view", *arguments)
        assert (result.code, result.out) == (1, "")
        return result.err.removeprefix("landscape: error: ").rstrip("\n")

    assert error(scanned, "--window") == (
        "--window needs a screen with OpenGL: no screen: DISPLAY is not set; use --html"
    )
    assert error(scanned, "--window", "--html") == (
        "--window shows no page, got --html too; drop one of them"
    )
    assert error(scanned, "--scan", "pca-best-1") == (
        f"view needs a scan called pca-best-1, {scanned} has line-final-0, random-final-0; "
        f"choose one of them, or make it with `landscape scan {scanned}`"
    )
    assert error(scanned, "-o", tmp_path / "page.pdf") == (
        f"--output must end in .html, got {tmp_path / 'page.pdf'}"
    )
    assert error(trained) == (
        f"view needs a scan, {trained} has none; make one with `landscape scan {trained}`"
    )
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    from landscape.draw.interactive import explorer_page

    explorer_page.plotly.cache_clear()
    assert error(scanned) == (
        "the explorer's page needs the package plotly, it is not installed: pip install plotly"
    )
