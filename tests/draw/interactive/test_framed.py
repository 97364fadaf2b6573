"""The page within another one, as a notebook shows it: alone in a frame that sees nothing else."""

from __future__ import annotations

import pytest

from landscape.door.scans import HeldScan


@pytest.mark.slow
def test_the_page_works_within_a_notebooks_frame(chromium, planted, tmp_path):
    html = HeldScan("mine", stored=planted.escape(11, 9)).view()._repr_html_()
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><body>{html}</body>", encoding="utf-8")
    context = chromium.new_context(offline=True, viewport={"width": 1000, "height": 800})
    page = context.new_page()
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda text: errors.append(text.text) if text.type == "error" else None)
    page.on("request", lambda request: requests.append(request.url))
    page.set_default_timeout(90_000)
    try:
        page.goto(file.as_uri())
        [frame] = page.main_frame.child_frames
        frame.wait_for_selector("body[data-ready=yes]")
        # The scene, and the marks over it.
        assert frame.evaluate("document.querySelectorAll('canvas').length") == 2
        assert frame.evaluate("window.origin") == "null"  # nothing around it can be reached
    finally:
        context.close()
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "about:", "blob:"))] == []
