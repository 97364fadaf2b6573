from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from landscape.draw.interactive import explorer_page
from landscape.draw.interactive.explorer_data import Entry


class Page:
    """The explorer in a browser, with what went wrong in it and what it asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda text: self._heard(text))
        page.on("request", lambda request: self.requests.append(request.url))
        page.set_default_timeout(90_000)

    def _heard(self, text: Any) -> None:
        if text.type == "error":
            self.errors.append(text.text)

    def open(self, file: Path) -> None:
        """Load the page and wait for its first picture."""
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("body[data-ready=yes]")
        self.settle()

    def settle(self) -> None:
        """Let the page draw."""
        for _ in range(2):
            self.page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")

    def picture(self) -> np.ndarray:
        """What is seen of the plane or line, once it stands still."""
        before = None
        for _ in range(40):
            self.settle()
            taken = self.page.locator("#picture").screenshot()
            if taken == before:
                break
            before = taken
        return np.asarray(Image.open(BytesIO(taken)).convert("RGB")).astype(int)

    def pixels(self) -> np.ndarray:
        """All of the page as it is seen, (height, width, 3)."""
        self.settle()
        return np.asarray(Image.open(BytesIO(self.page.screenshot())).convert("RGB")).astype(int)

    def said(self) -> str:
        """What a screen reader hears once the keys rest."""
        self.page.wait_for_selector("#said:not([aria-busy])", state="attached")
        return self.text("#said")

    def text(self, selector: str) -> str:
        """What is written somewhere."""
        return str(self.page.locator(selector).inner_text())


@pytest.fixture(scope="session")
def page_file(planted: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: one with two planes, a line and a valley, one with a plane that has holes."""
    holes = planted.bowl(15, 15)
    losses = holes.measures["train_loss"].copy()
    losses[3:6, 3:6] = np.nan
    losses[10, 10] = np.inf
    entries = [
        Entry("high-lr", "along-final-0", planted.escape(21, 15)),
        Entry("high-lr", "random-final-0", planted.random(15, 15)),
        Entry("high-lr", "line-final-0", planted.line(31)),
        Entry("high-lr", "valley-random-0", planted.valley()),
        Entry("fine", "random-final-0", planted.with_losses(holes, losses)),
    ]
    return explorer_page.save(entries, tmp_path_factory.mktemp("page") / "explorer.html")


@pytest.fixture
def phone(chromium: Any) -> Iterator[Page]:
    """A browser as narrow as a phone, without a network."""
    context = chromium.new_context(
        viewport={"width": 360, "height": 780}, offline=True, reduced_motion="reduce"
    )
    yield Page(context.new_page())
    context.close()


@pytest.fixture(scope="module")
def explorer(chromium: Any, page_file: Path) -> Iterator[Page]:
    """The page, open in a browser that has no network."""
    context = chromium.new_context(
        viewport={"width": 1000, "height": 640}, offline=True, reduced_motion="reduce"
    )
    page = Page(context.new_page())
    page.open(page_file)
    yield page
    context.close()
