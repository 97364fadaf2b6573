"""Build the documentation as a site: ``make docs``, or ``python docs/make_site.py [FOLDER]``.

The pages link to each other and to files of the checkout by their places in it, so what they link
to is laid out as it lies there, and MkDocs builds from that, by the settings in ``mkdocs.yml``. The
reference is made from the docstrings of what each package names in ``__all__``. A warning is an
error.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
SOURCES = ("landscape", "cli", "tests", "examples", "docs")
"""Folders whose files pages link to."""
LINKED = ("*.py", "*.md", "*.png", "*.ipynb")
NAMED = """
::: {home}
    options:
      show_root_heading: true
      show_root_toc_entry: true
      show_root_full_path: false
"""
LINK = re.compile(r"\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def packages() -> Iterator[tuple[str, dict[str, str]]]:
    """The packages that name what is public, stages before their rooms; each name with its home.

    The home is where it is defined: `landscape.plane.along.along` is a function, beside it
    `landscape.plane.along` the file.
    """
    found = []
    for file in (ROOT / "landscape").rglob("__init__.py"):
        package = ".".join(file.parent.relative_to(ROOT).parts)
        public: list[str] = []
        homes: dict[str, str] = {}
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                    public = list(ast.literal_eval(value))
                case ast.ImportFrom(module=str(module), names=names):
                    homes |= {one.asname or one.name: f"{module}.{one.name}" for one in names}
        if public:
            found.append((package, {name: homes.get(name, f"{package}.{name}") for name in public}))
    yield from sorted(found, key=lambda one: (one[0].count("."), one[0]))


def lay_out(folder: Path) -> None:
    """Put there what the site is built from, with the pages of the reference."""
    for source in SOURCES:
        for pattern in LINKED:
            for file in (ROOT / source).rglob(pattern):
                if not {"__pycache__", "fixtures"} & set(file.parts):
                    copy(file, folder)
    for file in (*ROOT.glob("*.md"), ROOT / "LICENSE"):
        copy(file, folder)
    for page in sorted(folder.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for target in {found[1] for found in LINK.finditer(text)}:
            if (page.parent / target).is_dir():
                list_files(page.parent / target, folder)
                text = text.replace(f"]({target})", f"]({target.rstrip('/')}/index.md)")
        page.write_text(text, encoding="utf-8")
    for name, public in packages():
        target = folder / "reference" / f"{name}.md"
        target.parent.mkdir(exist_ok=True)
        about = f"# {name}\n\n::: {name}\n    options:\n      members: false\n"
        each = "".join(NAMED.format(home=home) for home in public.values())
        target.write_text(about + each, encoding="utf-8")


def copy(file: Path, folder: Path) -> None:
    """Copy a file to its place."""
    target = folder / file.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)


def list_files(listed: Path, folder: Path) -> None:
    """Write a page that lists a folder's files, for links that lead to the folder."""
    files = sorted(one.name for one in listed.iterdir() if one.is_file() and one.suffix != ".md")
    title = listed.resolve().relative_to(folder.resolve()).as_posix()
    lines = "".join(f"- [{one}]({one})\n" for one in files)
    (listed / "index.md").write_text(f"# {title}\n\n{lines}", encoding="utf-8")


def settings(folder: Path, site: Path) -> dict[str, Any]:
    """What MkDocs is told: mkdocs.yml, the reference's pages, and where things lie."""
    told: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = yaml.safe_dump(told["nav"])
    pages = (page.relative_to(ROOT).as_posix() for page in sorted((ROOT / "docs").rglob("*.md")))
    more = [page for page in pages if page not in named]
    reference = [f"reference/{name}.md" for name, _ in packages()]
    told["nav"][-1:-1] = [*([{"More": more}] if more else []), {"Reference": reference}]
    [docstrings] = [one["mkdocstrings"] for one in told["plugins"] if isinstance(one, dict)]
    python = docstrings["handlers"]["python"]
    python["paths"] = [str(ROOT)]
    python["options"]["extensions"] = [str(ROOT / "docs" / "doctests_as_code.py")]
    return told | {"docs_dir": str(folder), "site_dir": str(site)}


def build(site: Path) -> None:
    """Build the site into a folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "pages"
        folder.mkdir()
        lay_out(folder)
        mkdocs(Path(temporary) / "mkdocs.yml", settings(folder, site))


def mkdocs(config: Path, told: dict[str, Any]) -> None:
    """Let MkDocs build.

    Raises:
        CalledProcessError: something is wrong, or a warning was given; its stderr says what.
    """
    config.write_text(yaml.safe_dump(told), encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)]
    # Not --quiet: with it warnings aren't counted. Material's word about its successor is none.
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(command, check=True, env=quiet, stderr=subprocess.PIPE, text=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    target = parser.parse_args().folder.resolve()
    try:
        build(target)
    except subprocess.CalledProcessError as error:
        sys.exit(error.stderr)
    print(f"{target}/index.html")
