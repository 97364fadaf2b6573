"""The pages name files that are there, and functions that these files define."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
TOPS = ("landscape", "cli", "tests", "docs", "examples")
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(TOPS)})/[\w./-]*\w/?")
LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(?:#[^)]*)?\)")


def absent(text: str) -> list[str]:
    """Paths of the checkout in a text that aren't there."""
    return sorted(
        {path for path in PATH.findall(FENCED.sub("", text)) if not (ROOT / path).exists()}
    )


def defined(file: Path) -> set[str]:
    """What a file defines at its top, and its classes' methods and fields: ``Job.run``."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        names = bound(node)
        found |= names
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for part in node.body for name in bound(part)}
            found |= {name for part in node.body for name in bound(part)}
    return found


def bound(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case _:
            return set()


def broken(page: Path, text: str) -> list[str]:
    """Links to files that aren't there, or that don't define the code they are named by."""
    found = []
    for said, target in LINK.findall(FENCED.sub("", text)):
        if re.match(r"\w+:", target):
            continue
        file = page.parent / target
        if not file.exists():
            found.append(f"{target} isn't there")
            continue
        # `analysis.save` may be said of save in analysis.py, `scan.grid` of a package's.
        name = said.strip("`")
        if said.startswith("`") and file.suffix == ".py" and name not in defined(file):
            module, _, last = name.rpartition(".")
            if module not in (file.stem, file.parent.name) or last not in defined(file):
                found.append(f"{target} defines no {name}")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_paths_that_a_page_names_are_there(name):
    assert absent((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_what_they_say(name):
    assert broken(ROOT / name, (ROOT / name).read_text(encoding="utf-8")) == []


def test_a_stale_path_is_found():
    text = (
        "`landscape/draw/kinds.py`, `landscape/draw/works.py` and tests/draw/, not my/docs/none.md"
    )
    assert absent(text) == ["landscape/draw/works.py"]
    assert absent("```\nlandscape/none.py\n```\nin `cli/none.py`.") == ["cli/none.py"]


def test_a_stale_link_is_found():
    page = ROOT / "docs" / "planes.md"
    text = (
        "[`make`](../landscape/plane/kinds.py) [`PlaneKind.random`](../landscape/plane/kinds.py) "
        "[`kinds.KINDS`](../landscape/plane/kinds.py) [`plane.none`](../landscape/plane/kinds.py) "
        "[`Given.none`](../landscape/plane/kinds.py) [here](none.md) [there](https://none.org/x)"
    )
    assert broken(page, text) == [
        "../landscape/plane/kinds.py defines no plane.none",
        "../landscape/plane/kinds.py defines no Given.none",
        "none.md isn't there",
    ]


NO_PROSE = re.compile(
    r"^```.*?^```|<img[^>]*>|!\[[^\]]*\]\([^)]*\)|^#.*?$|^\[words\].*?$|\]\([^)]*\)", re.M | re.S
)
EVERYDAY = {"run", "row", "copy", "floor", "event", "R", "cap", "twin", "window"}
"""Words of the glossary that a page also uses as everybody does: `it runs on your own models`."""


def words() -> list[str]:
    """What the glossary explains."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]*?) \|", text, re.M)[2:]
    return [word for row in rows for word in row.split(", ") if word not in EVERYDAY]


def unexplained(text: str) -> list[str]:
    """Words of the glossary whose first use isn't a link to it."""
    prose = NO_PROSE.sub(" ", text)
    prose = re.sub(r"`[^`]*`(\]\[words\])?", lambda code: code[0] if code[1] else " ", prose)
    found = []
    for word in words():
        used = re.search(rf"(?<![\w-]){re.escape(word)}(?:s|es)?(?![\w-])", prose, re.I)
        if used and not re.match(r"[^\[\]]*\]\[words\]", prose[used.end() :]):
            found.append(word)
    return found


def test_the_readme_links_the_glossary_at_each_words_first_use():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "[words]: docs/glossary.md" in text
    assert unexplained(text) == []
    assert unexplained("A [valley][words] and a valley, and a dead unit in a [plane][words].") == [
        "dead unit"
    ]
