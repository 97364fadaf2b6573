"""The order of the house: who may import whom, who prints, how long a function gets."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# Each imports only from those before it. The single files come first: all may use them.
ORDER = (
    *("errors", "quantities", "cluster", "__init__"),
    *("problem", "store", "sgd", "curvature", "plane", "scan", "diagnose", "draw"),
    *("report", "door"),
)
STORE_NEEDS = {"landscape", "numpy", "h5py", "filelock", *sys.stdlib_module_names}
COMMAND_LINE = {"cli", "landscape_cli", "typer", "rich", "click"}
SLOW_TO_IMPORT = {"torch", "scipy", "h5py", "matplotlib", "pyvista", "vtk"}
PRINTS, READS = "cli/printing.py", "landscape/store/hdf5.py"
LONGEST = 50
"""Lines of a function, without its signature and docstring."""

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("landscape", "cli", "tests", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
PROGRAM = [file for file in FILES if file.startswith(("landscape/", "cli/"))]


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
        yield f"imports {name}: store needs only NumPy, h5py, filelock"
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


def long_functions(tree: ast.Module) -> Iterator[str]:
    """Yield what speaks against the length of functions."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        length = node.body[-1].end_lineno - body[0].lineno + 1 if body else 0
        if length > LONGEST:
            yield f"line {node.lineno} {node.name} has {length} lines, at most {LONGEST}"


def module_of(file: str) -> str:
    """The dotted name of a file's module; a folder's is that of its ``__init__.py``."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Which of the modules each imports, by the ``sources`` of their files.

    Imports within functions and for types count. A module that is imported from a folder is no
    import of the folder.
    """
    modules = {module_of(file): file for file in sources}
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for module, file in modules.items():
        for _, name, _ in imported(file, ast.parse(sources[file])):
            parts = name.replace("landscape_cli", "cli").split(".")
            # "landscape.draw.kinds.FigureKind" is something in the module landscape.draw.kinds.
            ends = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
            target = next((end for end in ends if end in modules), None)
            if target is not None and target != module:
                graph[module].add(target)
    return graph


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The sets of two and more that can all be reached from each other."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        found, ahead = set(), [start]
        while ahead:
            for other in set(graph[ahead.pop()]) - found:
                found.add(other)
                ahead.append(other)
        reached[start] = found
    sets = {
        tuple(sorted(other for other in reached[one] if one in reached[other])) for one in graph
    }
    return sorted(list(found) for found in sets if len(found) > 1)


def rooms(graph: Mapping[str, Iterable[str]], folder: str) -> dict[str, set[str]]:
    """Which of a folder's rooms and single files imports which; its ``__init__.py`` is none."""

    def room(module: str) -> str | None:
        inside = module.removeprefix(f"{folder}.")
        return inside.split(".")[0] if inside != module else None

    found: dict[str, set[str]] = {}
    for module, others in graph.items():
        if (own := room(module)) is not None:
            targets = {there for other in others if (there := room(other)) is not None}
            found.setdefault(own, set()).update(targets - {own})
    return found


def repeated_classes(sources: Mapping[str, str]) -> list[str]:
    """Each class name that stands several times, and where."""
    places: dict[str, list[str]] = {}
    for file, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{file}:{node.lineno}")
    return sorted(f"{name}: {', '.join(at)}" for name, at in places.items() if len(at) > 1)


def objections(file: str, source: str) -> list[str]:
    """Say what breaks the order in the ``source`` of ``file`` (its path in the checkout)."""
    tree = ast.parse(source)
    top, stage = Path(file).with_suffix("").parts[:2]
    found = []
    if top != "tests" and ast.get_docstring(tree) is None:
        found.append("has no docstring")
    if top == "landscape" and stage not in ORDER:
        return [*found, f"is in {stage}, which has no place in ORDER"]
    for line, name, relative in imported(file, tree):
        if top == "landscape":
            found += [f"line {line} {reason}" for reason in library_import(stage, name)]
        elif top == "cli":
            found += [f"line {line} {reason}" for reason in command_import(name, relative)]
    if top in ("landscape", "cli"):
        found += long_functions(tree)
    if top == "landscape":
        names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
        found += [f"line {node.lineno} prints" for node in names if node.id == "print"]
    return found + [f"line {line} {reason}" for line, reason in strays(file, tree)]


def strays(file: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield what prints or reads past the one place that guards against other people's files."""
    for node in ast.walk(tree):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if file.startswith("cli/") and file != PRINTS and called in ("print", "typer.echo"):
            yield node.lineno, f"prints by itself, not by {PRINTS}"
        reads = called == "h5py.File" and "'r'" in ast.unparse(node)
        if file.startswith("landscape/") and file != READS and reads:
            yield node.lineno, f"opens HDF5 by itself, not by {READS}"


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
        (
            "landscape/store/a.py",
            "import torch",
            "imports torch: store needs only NumPy, h5py, filelock",
        ),
        ("landscape/sgd/a.py", "import h5py", "imports h5py, which only store may"),
        ("landscape/sgd/a.py", "from rich import a", "imports rich.a, which only cli may"),
        ("landscape/sgd/a.py", "import landscape_cli", "imports landscape_cli, which only cli may"),
        ("landscape/sgd/a.py", "print(1)", "prints"),
        ("cli/a.py", "print(1)", "prints by itself, not by cli/printing.py"),
        ("cli/a.py", "typer.echo('a')", "prints by itself, not by cli/printing.py"),
        (
            "landscape/store/a.py",
            "h5py.File(path, 'r')",
            "opens HDF5 by itself, not by landscape/store/hdf5.py",
        ),
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
    assert objections("tests/a.py", "\n" * 1000) == []
    assert objections("landscape/misc/a.py", '"""."""') == [
        "is in misc, which has no place in ORDER"
    ]


@pytest.mark.parametrize("file", ["landscape/scan/a.py", "cli/a.py", "tests/a.py"])
def test_a_long_function_is_found(file: str) -> None:
    def source(lines: int) -> str:
        body = "".join(f"        x{k} = {k}\n" for k in range(lines))
        signature = "    def f(\n        self,\n    ):\n"
        return f'"""."""\nclass A:\n{signature}        """.\n\n        """\n{body}'

    assert objections(file, source(50)) == []
    expected = [] if file.startswith("tests/") else ["line 3 f has 51 lines, at most 50"]
    assert objections(file, source(51)) == expected


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {file: (ROOT / file).read_text(encoding="utf-8") for file in PROGRAM}


def test_no_files_import_each_other(sources: dict[str, str]) -> None:
    assert circles(import_graph(sources)) == []


def test_rooms_import_one_way(sources: dict[str, str]) -> None:
    graph = import_graph(sources)
    folders = {module_of(file) for file in sources if file.endswith("/__init__.py")}
    found = {folder: circles(rooms(graph, folder)) for folder in sorted(folders)}
    assert {folder: rounds for folder, rounds in found.items() if rounds} == {}


def test_a_class_name_stands_once(sources: dict[str, str]) -> None:
    assert repeated_classes(sources) == []


PLANTED = {
    "landscape/__init__.py": "",
    "landscape/draw/__init__.py": "from landscape.draw.solid.a import A",
    "landscape/draw/solid/__init__.py": "",
    "landscape/draw/solid/a.py": "from landscape.draw import words\nfrom . import b\nclass A: pass",
    "landscape/draw/solid/b.py": "def f():\n    class A: pass",
    "landscape/draw/words.py": "import numpy",
    "cli/main.py": "from . import train\nfrom landscape import draw",
    "cli/train.py": "from landscape.draw.words import number",
}


def test_what_is_planted_imports_one_way() -> None:
    graph = import_graph(PLANTED)
    assert graph["landscape.draw.solid.a"] == {"landscape.draw.words", "landscape.draw.solid.b"}
    assert graph["cli.main"] == {"cli.train", "landscape.draw"}
    assert circles(graph) == []
    assert rooms(graph, "landscape.draw") == {"solid": {"words"}, "words": set()}


@pytest.mark.parametrize(
    ("file", "code", "round_trip"),
    [
        ("landscape/draw/words.py", "from landscape.draw.solid import a", ["solid.a", "words"]),
        ("landscape/draw/words.py", "from landscape.draw.solid.a import A", ["solid.a", "words"]),
        (
            "landscape/draw/words.py",
            "if TYPE_CHECKING:\n    from .solid.a import A",
            ["solid.a", "words"],
        ),
        ("landscape/draw/words.py", "def f():\n    from .solid import a", ["solid.a", "words"]),
        (
            "landscape/draw/words.py",
            "import_module('landscape.draw.solid.a')",
            ["solid.a", "words"],
        ),
        # By way of the folder, whose __init__.py imports it.
        ("landscape/draw/solid/b.py", "from landscape.draw import A", ["", "solid.a", "solid.b"]),
    ],
)
def test_a_planted_circle_is_found(file: str, code: str, round_trip: list[str]) -> None:
    found = circles(import_graph({**PLANTED, file: code}))
    assert found == [[f"landscape.draw.{name}".removesuffix(".") for name in round_trip]]


def test_circles_are_told_apart() -> None:
    graph = {"a": "b", "b": "ac", "c": "d", "d": "e", "e": "c", "f": "a", "g": ""}
    assert circles(graph) == [["a", "b"], ["c", "d", "e"]]


def test_rooms_that_import_each_other_are_found_where_no_files_do() -> None:
    sources = {
        **PLANTED,
        "landscape/draw/sheet/a.py": "from landscape.draw.solid import b",
        "landscape/draw/sheet/b.py": "",
        "landscape/draw/solid/a.py": "from landscape.draw.sheet import b",
    }
    graph = import_graph(sources)
    assert circles(graph) == []
    assert circles(rooms(graph, "landscape.draw")) == [["sheet", "solid"]]


def test_a_repeated_class_is_found() -> None:
    assert repeated_classes(PLANTED) == [
        "A: landscape/draw/solid/a.py:3, landscape/draw/solid/b.py:2"
    ]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("landscape/scan/a.py", "import torch\nfrom . import b\nfrom ..plane import c"),
        ("landscape/store/a.py", "import json\nimport h5py\nfrom ..errors import b"),
        ("landscape/draw/a.py", "from landscape import __version__, scan\nimport numpy as np"),
        ("cli/a.py", "import rich\nfrom . import b\nfrom landscape import draw\necho(1)"),
        ("cli/printing.py", "typer.echo(1)"),
        ("landscape/store/a.py", "h5py.File(path, 'w')"),
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
        for file in PROGRAM
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


def loaded_by_command(*arguments: str) -> set[str]:
    """Return the same of a command."""
    line = ["landscape", *arguments]
    return loaded_by(f"import sys; sys.argv = {line}; from landscape_cli.main import app; app()")


@pytest.mark.parametrize("arguments", [("--help",), ("train", "--help")])
def test_help_imports_nothing_slow(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by_command(*arguments)
    assert "landscape_cli" in loaded
    assert not loaded & SLOW_TO_IMPORT


def test_help_of_planes_does_without_torch() -> None:
    assert "torch" not in loaded_by_command("scan", "--help")


@pytest.mark.parametrize("stage", ["store", "draw"])
def test_stage_does_without_torch(stage: str) -> None:
    modules = [
        file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in FILES
        if file.startswith(f"landscape/{stage}/")
    ]
    assert modules
    assert "torch" not in loaded_by("\n".join(f"import {module}" for module in modules))
