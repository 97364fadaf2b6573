"""The order of the house: who may import whom, who prints, how long a file gets."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# Each imports only from those before it. The single files come first: all may use them.
ORDER = (
    *("errors", "quantities", "cluster", "__init__"),
    *("problem", "store", "sgd", "curvature", "plane", "scan", "diagnose", "draw"),
)
STORE_NEEDS = {"landscape", "numpy", "h5py", *sys.stdlib_module_names}
COMMAND_LINE = {"cli", "landscape_cli", "typer", "rich", "click"}
SLOW_TO_IMPORT = {"torch", "scipy", "h5py", "matplotlib", "pyvista", "vtk"}
LONGEST = 600

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("landscape", "cli", "tests", "examples")
    for path in (ROOT / folder).rglob("*.py")
)


def imported(file: str, tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield line, full name and whether it was relative, for every import anywhere in the file."""
    package = Path(file).parent.parts
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name, False) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                # Level 1 is the file's own package, each further one a folder up.
                base = package[: len(package) + 1 - level] if level else ()
                source = (*base, module) if module else base
                for alias in names:
                    yield node.lineno, ".".join((*source, alias.name)), level > 0
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called),
                args=[ast.Constant(value=str(name)), *_],
            ) if called in ("import_module", "__import__"):
                yield node.lineno, name, False


def library_import(stage: str, name: str) -> Iterator[str]:
    """Yield what speaks against importing ``name`` in a ``stage`` of ``landscape``."""
    package, _, inside = name.partition(".")
    if package in COMMAND_LINE:
        yield f"imports {name}, which only cli may"
    if package == "h5py" and stage != "store":
        yield "imports h5py, which only store may"
    if package == "torch" and stage == "draw":
        yield "imports torch, which draw must not"
    if stage == "store" and package not in STORE_NEEDS:
        yield f"imports {name}: store needs only NumPy and h5py"
    other = inside.split(".")[0]
    if package == "landscape" and other in ORDER and other != stage:
        if ORDER.index(other) > ORDER.index(stage):
            yield f"imports {name}, which comes after {stage}"
        elif stage == "store" and other not in ("errors", "quantities"):
            yield f"imports {name}: of landscape, store knows only errors and quantities"


def command_import(name: str, relative: bool) -> Iterator[str]:
    """Yield what speaks against importing ``name`` in ``cli``."""
    if name.split(".")[0] in ("cli", "landscape_cli") and not relative:
        yield f"imports {name}: cli is installed under another name, import it relatively"


def objections(file: str, source: str) -> list[str]:
    """Say what breaks the order in the ``source`` of ``file`` (its path in the checkout)."""
    tree = ast.parse(source)
    top, stage = Path(file).with_suffix("").parts[:2]
    found = []
    if (length := len(source.splitlines())) > LONGEST:
        found.append(f"has {length} lines, at most {LONGEST}: it is two files")
    if top != "tests" and ast.get_docstring(tree) is None:
        found.append("has no docstring")
    if top == "landscape" and stage not in ORDER:
        return [*found, f"is in {stage}, which has no place in ORDER"]
    for line, name, relative in imported(file, tree):
        if top == "landscape":
            found += [f"line {line} {reason}" for reason in library_import(stage, name)]
        elif top == "cli":
            found += [f"line {line} {reason}" for reason in command_import(name, relative)]
    if top == "landscape":
        names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
        found += [f"line {node.lineno} prints" for node in names if node.id == "print"]
    return found


@pytest.mark.parametrize("file", FILES)
def test_file_keeps_the_order(file: str) -> None:
    assert objections(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "code", "name"),
    [
        ("landscape/scan/a.py", "from landscape.draw import b", "landscape.draw.b"),
        ("landscape/scan/a.py", "from landscape import plane, draw", "landscape.draw"),
        ("landscape/scan/a.py", "from .. import draw", "landscape.draw"),
        ("landscape/scan/a/b.py", "from ...draw.b import c", "landscape.draw.b.c"),
        ("landscape/scan/__init__.py", "from ..draw import b", "landscape.draw.b"),
        ("landscape/scan/a.py", "import landscape.draw.b as b", "landscape.draw.b"),
        ("landscape/scan/a.py", "import_module('landscape.draw')", "landscape.draw"),
        ("landscape/scan/a.py", "def f():\n    from ..draw import b", "landscape.draw.b"),
        ("landscape/scan/a.py", "if TYPE_CHECKING:\n    from ..draw import b", "landscape.draw.b"),
        ("landscape/errors.py", "from . import problem", "landscape.problem"),
        ("landscape/__init__.py", "from . import problem", "landscape.problem"),
    ],
)
def test_an_import_from_below_is_found(file: str, code: str, name: str) -> None:
    stage = Path(file).with_suffix("").parts[1]
    expected = f"line {2 + code.count(chr(10))} imports {name}, which comes after {stage}"
    assert objections(file, f'"""A docstring."""\n{code}\n') == [expected]


@pytest.mark.parametrize(
    ("file", "code", "objection"),
    [
        ("landscape/draw/a.py", "import torch.nn as nn", "imports torch, which draw must not"),
        ("landscape/store/a.py", "import torch", "imports torch: store needs only NumPy and h5py"),
        ("landscape/sgd/a.py", "import h5py", "imports h5py, which only store may"),
        ("landscape/sgd/a.py", "from rich import a", "imports rich.a, which only cli may"),
        ("landscape/sgd/a.py", "import landscape_cli", "imports landscape_cli, which only cli may"),
        ("landscape/sgd/a.py", "print(1)", "prints"),
        (
            "landscape/store/a.py",
            "from ..problem import b",
            "imports landscape.problem.b: of landscape, store knows only errors and quantities",
        ),
        (
            "cli/a.py",
            "from landscape_cli import b",
            "imports landscape_cli.b: cli is installed under another name, import it relatively",
        ),
        (
            "cli/a.py",
            "from cli import b",
            "imports cli.b: cli is installed under another name, import it relatively",
        ),
    ],
)
def test_another_violation_is_found(file: str, code: str, objection: str) -> None:
    assert objections(file, f'"""A docstring."""\n{code}\n') == [f"line 2 {objection}"]


def test_violations_of_a_whole_file_are_found() -> None:
    assert objections("cli/a.py", "") == ["has no docstring"]
    assert objections("tests/a.py", "") == []
    assert objections("tests/a.py", "\n" * 601) == ["has 601 lines, at most 600: it is two files"]
    assert objections("landscape/misc/a.py", '"""."""') == [
        "is in misc, which has no place in ORDER"
    ]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("landscape/scan/a.py", "import torch\nfrom . import b\nfrom ..plane import c"),
        ("landscape/store/a.py", "import json\nimport h5py\nfrom ..errors import b"),
        ("landscape/draw/a.py", "from landscape import __version__, scan\nimport numpy as np"),
        ("cli/a.py", "import rich\nfrom . import b\nfrom landscape import draw\nprint(1)"),
        ("tests/a.py", "import h5py\nfrom landscape_cli.main import app\nprint(1)"),
    ],
)
def test_what_is_allowed_is_not_objected_to(file: str, code: str) -> None:
    assert objections(file, f'"""A docstring."""\n{code}\n') == []


def test_imported_libraries_are_declared() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    listed = [config["options"]["install_requires"]]
    listed += [extras[name] for name in extras if name not in ("test", "dev")]
    declared = {Requirement(line).name for part in listed for line in part.split("\n") if line}
    own = {"landscape", "cli", *sys.stdlib_module_names}
    by_another = {
        "PIL": "pillow",
        "mpl_toolkits": "matplotlib",
        "vtk": "pyvista",
        "imageio_ffmpeg": "imageio-ffmpeg",
    }
    undeclared = {
        f"{file}, line {line}: {name}"
        for file in FILES
        if file.startswith(("landscape/", "cli/"))
        for line, name, _ in imported(file, ast.parse((ROOT / file).read_text(encoding="utf-8")))
        if (top := name.split(".")[0]) not in own and by_another.get(top, top) not in declared
    }
    assert undeclared == set()


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that are loaded once a new interpreter has run ``code``."""
    report = "import sys; sys.stderr.write('\\nloaded: ' + ' '.join(sys.modules))"
    script = f"import atexit\natexit.register(lambda: exec({report!r}))\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stderr.rpartition("loaded: ")[2].split()}


def test_importing_the_root_imports_nothing_slow() -> None:
    loaded = loaded_by("import landscape")
    assert "landscape" in loaded
    assert not loaded & {"numpy", *SLOW_TO_IMPORT}


def test_help_imports_nothing_slow() -> None:
    loaded = loaded_by(
        "import sys; sys.argv = ['landscape', '--help']; from landscape_cli.main import app; app()"
    )
    assert "landscape_cli" in loaded
    assert not loaded & SLOW_TO_IMPORT


@pytest.mark.parametrize("stage", ["store", "draw"])
def test_stage_does_without_torch(stage: str) -> None:
    modules = [
        file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in FILES
        if file.startswith(f"landscape/{stage}/")
    ]
    assert modules
    assert "torch" not in loaded_by("\n".join(f"import {module}" for module in modules))
