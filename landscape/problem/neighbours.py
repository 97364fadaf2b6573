"""The files that a problem's file or module imports from beside it."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path


def home(file: Path, module: str = "") -> Path:
    """The folder that a file's imports are found in: its own, or where its module's package lies.

    >>> home(Path("/a/tools/fit.py"), "tools.fit"), home(Path("/a/tools/fit.py"))
    (...Path('/a'), ...Path('/a/tools'))
    """
    depth = module.count(".") + (file.name == "__init__.py") if module else 0
    return file.parents[depth]


def neighbours(file: Path, module: str = "") -> dict[str, str]:
    """SHA-256 of each file that one imports from its `home`, by the path from there.

    Read off the import statements, those of these files too, wherever they stand: nothing is run.
    What is installed, or imported by a name that is made at run time, isn't among them, and this
    package isn't, where it lies there. Of a problem's ``module`` that is installed itself, its
    package's files are.
    """
    folder = home(file, module)
    left = [file, *(one for one in _files(folder, module) if one != file)] if module else [file]
    found = {place: _hash(place) for place in left[1:]}
    own = module.partition(".")[0] if _is_installed(folder) else None
    while left:
        for place in _imported(left.pop(), folder):
            inside = place.relative_to(folder).parts[0].removesuffix(".py")
            if place not in found and place != file and own in (None, inside):
                found[place] = _hash(place)
                left.append(place)
    return {place.relative_to(folder).as_posix(): found[place] for place in sorted(found)}


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _is_installed(folder: Path) -> bool:
    return folder in {Path(place).resolve() for place in sysconfig.get_paths().values()}


def _imported(file: Path, folder: Path) -> Iterator[Path]:
    """The files in a folder that the import statements of one of its files name."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # whoever runs it says what is wrong
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield from _files(folder, one.name)
        elif isinstance(node, ast.ImportFrom):
            # ``from .parts``: the package that the file lies in; each further dot is one above.
            package = file.relative_to(folder).parts[: -node.level] if node.level else ()
            names = (*package, *filter(None, [node.module]))
            for one in node.names:
                yield from _files(folder, ".".join((*names, one.name)))


def _files(folder: Path, name: str) -> Iterator[Path]:
    """The module of a name and the packages that it lies in, as far as these are in a folder."""
    parts = name.split(".")
    if parts[0] == __name__.partition(".")[0]:
        return
    for count in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:count])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                yield file
