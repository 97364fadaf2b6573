"""A problem's entry in run.json, and the problem made again from it, checked."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from landscape.problem import presets
from landscape.problem.examine import objective
from landscape.problem.load import BUILTIN, file_hash, load
from landscape.problem.problem import Problem, vary
from landscape.problem.samples import fingerprint
from landscape.problem.weights import Layout

OVERRIDE = "--accept-changes"
KINDS = ("builtin", "file", "module", "python")
"""Where a problem comes from, as run.json says it."""


def to_record(problem: Problem, folder: Path) -> dict[str, Any]:
    """What run.json says of a problem: where it comes from, and fingerprints to know it by.

    A file's path is kept absolute and relative to ``folder`` (the run's), so that it is found
    when both move together or only the run does.
    """
    layout = Layout.of(problem.model)
    record: dict[str, Any] = {
        "kind": "python",
        "layout": layout.fingerprint,
        "parameters": layout.to_records(),
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
        }
    return record


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
) -> Problem:
    """The problem a run was trained with, made again; or ``problem``, if it is the same one.

    Raises:
        LandscapeError: the problem was made in Python and none is given, it says it is built in
            and isn't, its file changed, its data changed (both unless ``accept_changes``), or its
            parameters have another layout.
    """
    if problem is None:
        problem = _made_again(record, folder, accept_changes)
    difference = Layout.of(problem.model).difference(Layout.from_records(record["parameters"]))
    if difference:
        raise LandscapeError(
            f"the problem must have the parameters that run {folder} was trained with, "
            f"got {difference}; give that problem with --problem FILE.py:function"
        )
    if not accept_changes:
        _check_loss(problem, record, folder)
        _check_data(problem, record, folder)
    return problem


def _made_again(record: Mapping[str, Any], folder: Path, accept_changes: bool) -> Problem:
    kind = record["kind"]
    if kind not in KINDS:
        raise LandscapeError(
            f"the problem of run {folder} must be of kind {', '.join(KINDS)}, got {kind!r}; "
            "give it with --problem FILE.py:function"
        )
    if kind == "builtin":
        _check_builtin(record, folder)
    if kind == "python":
        raise LandscapeError(
            f"run {folder} was recorded from Python and can't make its problem again; "
            "give it with --problem FILE.py:function"
        )
    spec = _file(record, folder) if kind == "file" else record["function"]
    # Before it is called: changed code may also fail, and not say why.
    found = file_hash(spec)
    if found != record["sha256"] and not accept_changes:
        raise LandscapeError(
            f"{spec.rpartition(':')[0]} must be as it was when run {folder} was trained, "
            f"got sha256 {found[:12]} instead of {record['sha256'][:12]}; "
            f"put it back, or accept the changes with {OVERRIDE}"
        )
    problem = load(spec, record["settings"], seed=record["seed"])
    return vary(problem, train_samples=record["train_samples"], label_noise=record["label_noise"])


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
                f"{drawn} draws it anew with every seed; have it draw from a generator of its own, "
                "torch.Generator().manual_seed(0), and train again"
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
