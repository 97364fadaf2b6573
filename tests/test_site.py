"""The documentation builds as a site, without a warning, and asks nothing of anywhere."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

if "CI" not in os.environ:
    pytest.importorskip("mkdocs", reason="needs the extra [docs]")

ROOT = Path(__file__).parents[1]
MAKER = runpy.run_path(str(ROOT / "docs" / "make_site.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    MAKER["build"](folder)
    return folder


@pytest.mark.slow
def test_every_page_is_in_it(site):
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    names = [page.relative_to(ROOT).with_suffix(".html").as_posix() for page in pages]
    menu = (site / "index.html").read_text(encoding="utf-8")
    for name in names:
        assert (site / name).is_file()
        assert f'href="{name}"' in menu


def test_examples_of_docstrings_are_code(site):
    page = (site / "reference" / "landscape.sgd.html").read_text(encoding="utf-8")
    shown = [found for found in re.findall(r"<p>.*?</p>", page, re.S) if "&gt;&gt;&gt;" in found]
    assert shown == []
    assert 'class="gp">&gt;&gt;&gt; ' in page


def test_the_reference_has_every_public_name(site):
    found = list(MAKER["packages"]())
    stages = ("curvature", "diagnose", "door", "problem", "report", "scan", "sgd")
    assert {f"landscape.{name}" for name in stages} <= {name for name, _ in found}
    for package, names in found:
        page = (site / "reference" / f"{package}.html").read_text(encoding="utf-8")
        for home in names.values():
            assert f'id="{home}"' in page


def test_nothing_is_asked_of_anywhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|img|iframe)[^>]*src=\"(?:https?:)?//", text), page
        assert not re.search(r"<link[^>]*rel=\"stylesheet\"[^>]*href=\"(?:https?:)?//", text), page


def test_help_builds_nothing(tmp_path):
    command = [sys.executable, str(ROOT / "docs" / "make_site.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: make_site.py [-h] [folder]\n")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_nowhere_ends_it(tmp_path):
    pages, config = tmp_path / "pages", tmp_path / "mkdocs.yml"
    pages.mkdir()
    (pages / "README.md").write_text("# A\n\n[b](none.md) and [c](README.md#none)\n")
    told = MAKER["settings"](pages, tmp_path / "site") | {"nav": [{"A": "README.md"}]}
    with pytest.raises(subprocess.CalledProcessError) as caught:
        MAKER["mkdocs"](config, told)
    warned = [line for line in caught.value.stderr.splitlines() if line.startswith("WARNING")]
    assert len(warned) == 2
    assert "link 'none.md'" in warned[0] + warned[1]
    assert "link 'README.md#none'" in warned[0] + warned[1]
