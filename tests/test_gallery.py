"""The gallery's page says what its pictures show: steps as their captions have them."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def gallery(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    return import_module("make_gallery").GALLERY


def test_every_step_that_is_told_is_in_a_caption(gallery):
    told = 0
    for entry in gallery:
        captions = ""
        for picture in entry.pictures:
            with Image.open(DOCS / "pictures" / f"{picture.name}.png") as shown:
                captions += shown.text["Description"]
        for step in re.findall(r"step ([\d,]+\d)", entry.says):
            told += 1
            assert re.search(rf"\bsteps? (?:[\d,]+–)?{step}\b", captions), (entry.title, step)
    assert told > 3


def test_the_page_has_the_script_s_words(gallery):
    page = (DOCS / "gallery.md").read_text()
    for entry in gallery:
        assert entry.says in page


def test_the_demo_s_chapter_is_the_last(monkeypatch):
    """What stands behind its title is kept when the page is made again."""
    monkeypatch.syspath_prepend(str(DOCS))
    made = import_module("make_gallery")
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert page.count(made.DEMO) == 1
    assert "\n## " not in page.partition(made.DEMO)[2]
    assert "<!-- table: demo-seeds -->" in page.partition(made.DEMO)[2]
