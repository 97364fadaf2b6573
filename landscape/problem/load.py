"""The door that every problem comes through, built-in ones too: a function and its settings."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

from landscape.errors import LandscapeError, meant, nearest, own_line
from landscape.problem.blame import brief
from landscape.problem.examine import verify
from landscape.problem.modes import seeded
from landscape.problem.problem import Problem, Source

BUILTIN = "landscape.problem.presets:make"


def load(spec: str, settings: Mapping[str, Any] | None = None, *, seed: int = 0) -> Problem:
    """Make a problem by calling ``path/to/file.py:function`` or ``package.module:function``.

    The file is run and the function called, with ``settings`` as keyword arguments, while torch,
    numpy and random are seeded and the file's neighbours can be imported; all is put back
    afterwards.

    Raises:
        LandscapeError: no such file, module or function, settings that it doesn't take, a result
            that isn't a Problem, or a loss that isn't one value a sample.

    >>> text = '''
    ... import torch
    ... from landscape.problem import Problem, half_square
    ... def line(width=1):
    ...     x = torch.linspace(-1, 1, 20)[:, None]
    ...     return Problem(torch.nn.Linear(1, width), (x, 2 * x), loss=half_square)
    ... '''
    >>> _ = Path("mine.py").write_text(text)
    >>> load("mine.py:line", {"width": 1})
    Problem(Linear, 2 parameters, 20 training samples, half_square)
    """
    settings = dict(settings or {})
    place, _ = _parts(spec)
    with _importable(place):
        with seeded(seed):
            function, source = _find(spec)
        _check_settings(function, settings, spec)
        # Seeded again: a module draws only when it is imported for the first time.
        with seeded(seed):
            with _blamed(spec):
                problem = function(**settings)
            if not isinstance(problem, Problem):
                raise LandscapeError(
                    f"{spec} must return a landscape.problem.Problem, got {type(problem).__name__}"
                )
            verify(problem)  # where lazy layers draw their weights
    return replace(problem, source=replace(source, settings=settings, seed=seed))


def function(spec: str) -> Callable[..., Any]:
    """What ``path/to/file.py:function`` or ``package.module:function`` names, its file run.

    Raises:
        LandscapeError: no such file, module or function.
    """
    with _importable(_parts(spec)[0]):
        return _find(spec)[0]


def builtin(model: str = "cnn", data: str = "digits", *, seed: int = 0, **options: Any) -> Problem:
    """A built-in problem: ``builtin("mlp", "moons", depth=3)``; see ``landscape train --help``.

    Args:
        model: mlp, cnn, resnet20 or resnet56.
        data: digits, moons, ``npz:FILE``, mnist, fashion-mnist or cifar10.
        seed: of the weights; the same seed draws the same ones.
        options: ``depth``, ``width``, ``shortcut``, ``data_root``.

    Raises:
        LandscapeError: no such model or data, or an option that the model doesn't take.

    >>> builtin("mlp", "moons", depth=1, width=4)
    Problem(Sequential, 22 parameters, 1,000 training samples, 500 validation samples, ...)
    """
    # Absolute, so that the problem can be made again from any folder.
    if data.startswith("npz:"):
        data = f"npz:{Path(data.removeprefix('npz:')).expanduser().resolve()}"
    if "data_root" in options:
        options["data_root"] = str(Path(options["data_root"]).expanduser().resolve())
    return load(BUILTIN, {"model": model, "data": data, **options}, seed=seed)


def code_file(spec: str) -> Path | None:
    """The file that holds a problem's function; nothing of it is run, nor of its packages.

    None where there is no such module, or it is compiled into the interpreter.
    """
    place, _ = _parts(spec)
    if place.endswith(".py"):
        return Path(place).resolve()
    with _importable(place):
        found, inside = None, None
        for name in accumulate(place.split("."), "{}.{}".format):
            found = _module_spec(name, inside)
            inside = _folders(found)
        file = found.origin if found is not None and found.has_location else None
    return Path(file).resolve() if file is not None else None


def _module_spec(name: str, inside: Sequence[str] | None) -> ModuleSpec | None:
    """As importing would find it; `importlib.util.find_spec` imports packages on the way."""
    tried = (finder.find_spec(name, inside) for finder in sys.meta_path)
    return next((found for found in tried if found is not None), None)


def _folders(found: ModuleSpec | None) -> list[str] | None:
    """Where a package's modules are; None for what is no package, or is spread over several."""
    places = found.submodule_search_locations if found is not None else None
    try:
        return list(places) if places is not None else None
    except KeyError:  # a namespace inside another asks for that one, which isn't imported
        return None


def file_hash(spec: str) -> str:
    """SHA-256 of the file that holds a problem's function now; empty for built-in problems.

    Nothing of it is run.
    """
    file = None if spec == BUILTIN else code_file(spec)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file is not None else ""


def provide(source: Source) -> None:
    """Make the module importable that a problem's function is in, so that it can be unpickled.

    Raises:
        LandscapeError: the file or module isn't there.
    """
    place, _ = _parts(source.function)
    with _importable(place):
        _ = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)


def _parts(spec: str) -> tuple[str, str]:
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise LandscapeError(
            f"a problem must be given as FILE.py:function or module:function, got {spec}"
        )
    return place, name


@contextmanager
def _importable(place: str) -> Iterator[None]:
    """A file's folder first on the path, as if the file had been started as a script.

    For a module the current folder, as with ``python -m``; the console script doesn't have it.
    """
    folder = str(Path(place).resolve().parent if place.endswith(".py") else Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _find(spec: str) -> tuple[Callable[..., Any], Source]:
    place, name = _parts(spec)
    is_file = place.endswith(".py")
    module = _from_file(Path(place)) if is_file else _from_name(place)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        raise LandscapeError(
            f"{place} must hold a function {name}, found {', '.join(known) or 'none'}"
            f"{meant(name, known)}"
        )
    if spec == BUILTIN:
        return function, Source("builtin", spec)
    file = getattr(module, "__file__", None)  # absent from those compiled into the interpreter
    path = Path(file) if file else None
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
    if is_file:
        return function, Source("file", f"{Path(place).resolve()}:{name}", sha256=sha256)
    return function, Source("module", spec, sha256=sha256)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        name = nearest(path.name, sorted(one.name for one in path.parent.glob("*.py")))
        hint = f"; did you mean {path.with_name(name)}?" if name is not None else ""
        raise LandscapeError(f"a problem's file must exist, got {path}{hint}")
    path = path.resolve()
    name = f"landscape_problem_{hashlib.sha256(bytes(path)).hexdigest()[:8]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a module up by its name.
    sys.modules[name] = module
    # Not by the loader: its cache takes a file of the same second and size for an unchanged one.
    with _blamed(str(path)):
        exec(compile(path.read_bytes(), path, "exec"), vars(module))
    return module


@contextmanager
def _blamed(what: str) -> Iterator[None]:
    """Say in one line what went wrong in somebody's code, and where."""
    try:
        yield
    except (LandscapeError, KeyboardInterrupt):
        raise
    except BaseException as error:  # sys.exit() at its end makes no problem either
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = own_line(error) or f"{last.filename}:{last.lineno}"
        raise LandscapeError(
            f"{what} must run without an error, got {brief(error)} ({place}); "
            "LANDSCAPE_DEBUG=1 shows the traceback"
        ) from error


def _from_name(name: str) -> ModuleType:
    with _blamed(name):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise LandscapeError(
                f"a problem's module must be importable, got {name}; "
                "install it, or give its file: path/to/file.py:function"
            ) from error


def _check_settings(function: Callable[..., Any], settings: Mapping[str, Any], spec: str) -> None:
    try:
        inspect.signature(function).bind(**settings)
    except TypeError as error:
        known = inspect.signature(function).parameters
        takes = ", ".join(known) or "nothing"
        other = next((name for name in settings if name not in known), None)
        needed = [name for name, one in known.items() if one.default is one.empty]
        lacking = next((name for name in needed if name not in settings), None)
        if other is not None:
            got = f"{other}{meant(other, known)}"
        else:  # or what can't be given by name
            got = f"no {lacking}" if lacking is not None else str(error)
        raise LandscapeError(f"{spec} takes {takes}, got {got}") from error
