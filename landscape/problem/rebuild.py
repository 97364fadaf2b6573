"""A problem's entry in run.json, and the problem made again from it, checked."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from landscape.errors import LandscapeError, made_in_python
from landscape.problem import presets
from landscape.problem.examine import objective
from landscape.problem.load import BUILTIN, code_file, file_hash, load
from landscape.problem.neighbours import home, neighbours
from landscape.problem.problem import Problem, vary
from landscape.problem.samples import fingerprint
from landscape.problem.weights import Layout, constant_records

OVERRIDE = "--accept-changes"
NEEDED = ("function", "settings", "sha256", "seed", "train_samples", "label_noise")
"""Of a problem that can be made again."""
GIVE = "give the problem with --problem FILE.py:function"
KINDS = ("builtin", "file", "module", "python")
"""Where a problem comes from, as run.json says it."""


@dataclass(frozen=True)
class NamedCode:
    """Code that a run's record names; nothing of it has been run."""

    spec: str
    """``path/to/file.py:function`` or ``package.module:function``."""
    place: str
    """The file that it lies in, absolute; empty for what is compiled into the interpreter."""
    sha256: str
    """Of that file as it is now."""


Allow: TypeAlias = Callable[[NamedCode], object]
"""Raises a `LandscapeError` where the code isn't to be run."""


def refuse(code: NamedCode) -> None:
    """What `from_record` does with code unless it is told otherwise.

    Raises:
        LandscapeError: always.
    """
    raise LandscapeError(
        f"a record's code isn't run unasked, got {code.spec}; {GIVE}, or from Python use "
        "landscape.sgd.problem_of(run)"
    )


def named_code(record: Mapping[str, Any], folder: Path) -> NamedCode | None:
    """The code that a problem's entry in run.json names; None for one that names none.

    Raises:
        LandscapeError: its file isn't there.
    """
    if record["kind"] not in ("file", "module"):
        return None
    spec = _file(record, folder) if record["kind"] == "file" else record["function"]
    place = code_file(spec)
    return NamedCode(spec, str(place) if place is not None else "", file_hash(spec))


def to_record(problem: Problem, folder: Path) -> dict[str, Any]:
    """What run.json says of a problem: where it comes from, and fingerprints to know it by.

    A file's path is kept absolute and relative to ``folder`` (the run's), so that it is found
    when both move together or only the run does.
    """
    layout = problem.layout
    record: dict[str, Any] = {
        "kind": "python",
        "layout": layout.fingerprint,
        "parameters": layout.to_records(),
        "constants": constant_records(problem.model, layout),
        "data": fingerprint(problem.train),
        "validation_data": (
            fingerprint(problem.validation) if problem.validation is not None else None
        ),
    }
    if had := objective(problem).record:
        record["objective"] = had
    source = problem.source
    if source is None:
        return record
    _check_settings(source.settings)
    record |= {
        "kind": source.kind,
        "function": source.function,
        "settings": dict(source.settings),
        "sha256": source.sha256,
        "seed": source.seed,
        "train_samples": source.train_samples,
        "label_noise": source.label_noise,
    }
    if source.kind == "file":
        path, _, function = source.function.rpartition(":")
        record |= {
            "function": function,
            "path": path,
            "relative_path": os.path.relpath(path, folder.resolve()),
            "imports": neighbours(Path(path)),
        }
    elif source.kind == "module" and (file := code_file(source.function)) is not None:
        record["imports"] = neighbours(file, _module(source.function))
    return record


def _module(spec: str) -> str:
    return spec.rpartition(":")[0]


def _check_settings(settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise LandscapeError(
                f"a problem's setting must be JSON to be recorded, {name} is {value!r}, a "
                f"{type(value).__name__}; give text or a number and convert it in the function"
            ) from error


def from_record(
    record: Mapping[str, Any],
    folder: Path,
    *,
    problem: Problem | None = None,
    accept_changes: bool = False,
    allow: Allow = refuse,
) -> Problem:
    """The problem a run was trained with, made again; or ``problem``, if it is the same one.

    Args:
        record: the problem's entry in run.json.
        folder: the run's.
        problem: given instead of making it again.
        accept_changes: whether file and data may have changed.
        allow: asked before code that the record names is run, and before anything of it is
            imported; a record may come from anybody. `landscape.sgd.problem_of` has the answer.

    Raises:
        LandscapeError: the problem was made in Python and none is given, it says it is built in
            and isn't, its code isn't allowed, its file changed, its data changed (both unless
            ``accept_changes``), or its parameters have another layout.
    """
    if problem is None:
        problem = _made_again(record, folder, accept_changes, allow)
    problem = _with_weights(problem, record, folder)
    if not accept_changes:
        _check_constants(problem, record, folder)
        _check_loss(problem, record, folder)
        _check_data(problem, record, folder)
    return problem


def _with_weights(problem: Problem, record: Mapping[str, Any], folder: Path) -> Problem:
    """The problem with the run's tensors as its weights: which these are, the run says."""
    recorded = Layout.from_records(record["parameters"])
    layout = Layout.of(problem.model, also=[place.name for place in recorded.parameters])
    if difference := layout.difference(recorded):
        raise LandscapeError(
            f"the problem must have the parameters that run {folder} was trained with, "
            f"got {difference}; give that problem with --problem FILE.py:function"
        )
    if layout == Layout.of(problem.model):
        return problem
    if "constants" not in record:  # written when frozen tensors were part of the vector
        trained = {name for name, t in problem.model.named_parameters() if t.requires_grad}
        layout = Layout(tuple(replace(p, moves=p.name in trained) for p in layout.parameters))
    return replace(problem, weights=layout)


def _made_again(
    record: Mapping[str, Any], folder: Path, accept_changes: bool, allow: Allow
) -> Problem:
    kind = record.get("kind")
    if kind not in KINDS:
        raise LandscapeError(
            f"the problem of run {folder} must be of kind {', '.join(KINDS)}, got {kind!r}; "
            "give it with --problem FILE.py:function"
        )
    if kind == "python":
        raise made_in_python(folder)
    needed = (*NEEDED, "path", "relative_path") if kind == "file" else NEEDED
    if missing := [name for name in needed if name not in record]:
        raise LandscapeError(
            f"the problem of run {folder} must have {', '.join(missing)}, it doesn't; {GIVE}"
        )
    if kind == "builtin":
        _check_builtin(record, folder)
    code = named_code(record, folder)
    if code is not None:
        allow(code)
        # Before it is called: changed code may also fail, and not say why.
        if code.sha256 != record["sha256"] and not accept_changes:
            raise LandscapeError(
                f"{code.spec.rpartition(':')[0]} must be as it was when run {folder} was trained, "
                f"got sha256 {code.sha256[:12]} instead of {record['sha256'][:12]}; "
                f"put it back, or accept the changes with {OVERRIDE}"
            )
        if not accept_changes:
            module = _module(code.spec) if kind == "module" else ""
            _check_imports(Path(code.place), module, record.get("imports", {}), folder)
    spec = record["function"] if code is None else code.spec
    problem = load(spec, record["settings"], seed=record["seed"])
    return vary(problem, train_samples=record["train_samples"], label_noise=record["label_noise"])


def _check_imports(file: Path, module: str, expected: Mapping[str, str], folder: Path) -> None:
    """What the file imports from beside it must be as it was too; of older runs nobody knows."""
    found = neighbours(file, module) if expected else {}
    for name, sha256 in expected.items():
        if found.get(name) != sha256:
            now = f"sha256 {found[name][:12]}" if name in found else "none that it imports"
            place = home(file, module) / name
            raise LandscapeError(
                f"{place}, which {file.name} imports, must be as it was when run "
                f"{folder} was trained, got {now} instead of {sha256[:12]}; "
                f"put it back, or accept the changes with {OVERRIDE}"
            )


def _check_builtin(record: Mapping[str, Any], folder: Path) -> None:
    """Only what `load.builtin` records is one; a run's record may come from anybody."""
    function, settings = record["function"], record["settings"]
    known = list(inspect.signature(presets.make).parameters)
    if function != BUILTIN:
        got = f"function {function!r}"
    elif not isinstance(settings, Mapping) or (set(settings) - set(known)):
        odd = sorted(set(settings) - set(known)) if isinstance(settings, Mapping) else settings
        got = f"settings {odd!r}"
    else:
        return
    raise LandscapeError(
        f"the built-in problem of run {folder} must be {BUILTIN} with {', '.join(known)}, "
        f"got {got}; give the problem with --problem FILE.py:function"
    )


def _file(record: Mapping[str, Any], folder: Path) -> str:
    places = [folder.resolve() / record["relative_path"], Path(record["path"])]
    specs = [f"{place.resolve()}:{record['function']}" for place in places if place.is_file()]
    if not specs:
        raise LandscapeError(
            f"the file of run {folder}'s problem must exist, {places[1]} doesn't; "
            "give it with --problem FILE.py:function"
        )
    # Where a run was moved, another file may lie at the same relative path.
    same = (spec for spec in specs if file_hash(spec) == record["sha256"])
    return next(same, specs[0])


def _check_constants(problem: Problem, record: Mapping[str, Any], folder: Path) -> None:
    expected = record.get("constants", {})
    found = constant_records(problem.model, problem.layout) if expected else {}
    differing = [name for name, one in expected.items() if found.get(name) != one]
    if differing:
        raise LandscapeError(
            f"the problem's frozen tensors must be what run {folder} was trained with, "
            f"{len(differing)} of {len(expected)} differ, {differing[0]} first; load the same "
            f"ones in the problem's function, or accept the changes with {OVERRIDE}"
        )


def _check_loss(problem: Problem, record: Mapping[str, Any], folder: Path) -> None:
    """A sum is another one with other weights, a loss of whole batches with other batches."""
    how, had = objective(problem), record.get("objective", {})
    terms, others = how.record.get("terms"), had.get("terms")
    if terms != others:
        raise LandscapeError(
            f"the problem's loss must be the one that run {folder} was trained with, "
            f"{_sum(others)}, got {_sum(terms)}; put terms and weights back, or accept the change "
            f"with {OVERRIDE}"
        )
    was, now = had.get("batch_size"), how.fixed
    if was != now:
        said = [f"batches of {size}" if size else "samples one by one" for size in (was, now)]
        raise LandscapeError(
            f"the problem's loss must be measured as run {folder} was, over {said[0]}, got "
            f"{said[1]}; put batch_size= back, or accept the change with {OVERRIDE}"
        )


def _sum(terms: Mapping[str, float] | None) -> str:
    if terms is None:
        return "a single one"
    return " + ".join(f"{weight:g} × {name}" for name, weight in terms.items())


def _check_data(problem: Problem, record: Mapping[str, Any], folder: Path) -> None:
    pairs = [("training", problem.train, record["data"])]
    if problem.validation is not None and record["validation_data"] is not None:
        pairs.append(("validation", problem.validation, record["validation_data"]))
    for name, data, expected in pairs:
        found = fingerprint(data)
        if found == expected:
            continue
        # Recorded from Python: nobody seeded what the function draws.
        watched = record["kind"] == "python"
        if watched and (drawn := _drawn_anew(problem, data is problem.train, found)):
            raise LandscapeError(
                f"the problem's {name} data must be what run {folder} was trained with, but "
                f"{drawn} draws it anew with every seed; give a function that first seeds as the "
                "training did (torch.manual_seed(1), say); where that can't be known, have it draw "
                "from a generator of its own, torch.Generator().manual_seed(0), and train again"
            )
        raise LandscapeError(
            f"the problem's {name} data must be what run {folder} was trained with, "
            f"got fingerprint {found[:12]} instead of {expected[:12]}; "
            f"put the data back, or accept the changes with {OVERRIDE}"
        )


def _drawn_anew(problem: Problem, train: bool, found: str) -> str:
    """The function that made the problem, if it makes other data with another seed; else empty."""
    source = problem.source
    if source is None or source.kind == "builtin":
        return ""
    other = load(source.function, source.settings, seed=source.seed + 1)
    other = vary(other, train_samples=source.train_samples, label_noise=source.label_noise)
    data = other.train if train else other.validation
    return source.function if data is not None and fingerprint(data) != found else ""
