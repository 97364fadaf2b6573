"""``landscape info``: what a folder or file holds, in words or as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape.errors import LandscapeError
from landscape.quantities import counted, epochs_of, size

from . import strict_json
from .printing import echo

if TYPE_CHECKING:
    from landscape.store import Run, Scan
    from landscape.store.scans.valleys import Valley


WITH_MOMENTUM = ("sgd", "rmsprop")
"""Optimizers that have it: of others files say 0."""
BY_FUNCTION = "own"
"""The optimizer of a training by the function of ``diagnose --again``, as settings name it;"""
OF_OPTIMIZER = ("momentum", "nesterov", "weight_decay", "optimizer")
"""of these they then hold defaults, which say nothing."""
MOST_EVENTS = 12
"""So many of one name are listed, of more the first and the last."""


def info(
    path: Annotated[
        Path,
        typer.Argument(help="A run's or a sweep's folder, or a scan's file.", show_default=False),
    ],
    check: Annotated[
        bool,
        typer.Option("--check", help="Read all of it and say what is damaged; exit 1 if any is."),
    ] = False,
    salvage: Annotated[
        Path | None,
        typer.Option(
            help="Copy what can be read of a damaged run into this new folder.", show_default=False
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Say what a run, a sweep or a scan holds.

    Of a run: settings, status, snapshots, the losses that training logged at the start, at their
    lowest and at the end, the verdict if it was diagnosed, and the scans there; of a sweep: a table
    of its runs; of a scan: its plane, grid and losses.
    """
    if salvage is not None:
        if check or json:
            raise LandscapeError(
                f"--salvage copies and shows nothing, got {'--check' if check else '--json'} too; "
                "drop one of them"
            )
        _salvage(path, salvage)
        return
    found, words = _about(path)
    damages = _damages(path, found) if check else None
    if check:
        found["damages"] = damages
    if json:
        strict_json.echo(found)
    else:
        for line in words:
            echo(line)
        for damage in damages or ():
            echo(f"damaged: {damage}")
        if check and not damages:
            echo("checked: nothing is damaged")
    if damages:
        raise LandscapeError(
            f"{path} must be whole, {len(damages)} of its parts are damaged: {damages[0]}"
        )
    if found.get("error"):
        raise LandscapeError(found["error"])


def _salvage(path: Path, into: Path) -> None:
    from landscape.store.salvage import salvage

    found = salvage(path, into)
    echo(
        f"{into}: {found.rows:,} snapshots and the scalars of {found.steps:,} steps were saved; "
        f"{found.lost_rows:,} snapshots, {found.lost_velocities:,} velocities and the scalars of "
        f"{found.lost_steps:,} steps are lost"
    )


def _about(path: Path) -> tuple[dict[str, Any], Iterator[str]]:
    """What is there, and lines of words that say it."""
    from landscape.store import Scan, summary
    from landscape.store.scans import valley_sentences
    from landscape.store.scans.sentences import describe
    from landscape.store.scans.valleys import Valley
    from landscape.store.sources import open_source
    from landscape.store.sweep_folder import Sweep

    from .sweep_table import table_lines

    opened = open_source(path)
    if isinstance(opened, Scan):
        about = summary.of_scan(path, opened)
        return about, iter([f"{path}: a scan, {_completeness(opened)}", *describe(opened)])
    if isinstance(opened, Valley):
        lines = [f"{path}: a valley, {_completeness(opened)}", *valley_sentences.describe(opened)]
        return summary.of_valley(path, opened), iter(lines)
    if isinstance(opened, Sweep):
        return summary.of_sweep(opened), table_lines(opened)
    return (about := _about_run(opened)), _run(about)


def _completeness(scan: Scan | Valley) -> str:
    from landscape.store import Scan
    from landscape.store.provenance import going_on
    from landscape.store.scans import sentences, valley_sentences

    part = sentences if isinstance(scan, Scan) else valley_sentences
    lacks = part.missing(scan)
    if scan.complete and not lacks:
        return "complete"
    said = f"not complete, {lacks} missing: --resume measures them" if lacks else "not complete"
    return "; ".join(filter(None, (said, going_on(scan.provenance))))


def _about_run(run: Run) -> dict[str, Any]:
    from landscape.store import lock, read, summary

    about = summary.of_run(run)
    about["killed"] = about["status"] == "running" and not lock.held(run.folder)
    if about["killed"]:
        # A process that was killed couldn't change what run.json says; one that has ended just
        # now has.
        about = summary.of_run(read(run.folder))
        about["killed"] = about["status"] == "running"
    return about


def _damages(path: Path, about: Mapping[str, Any]) -> list[str]:
    """What a thorough check finds."""
    if about["kind"] in ("scan", "valley"):  # it was read in full just now
        return []
    if about["kind"] == "run":
        return _verified(path)
    names = (run["name"] for run in about["runs"] if (path / run["name"]).is_dir())
    return [f"{name}: {damage}" for name in names for damage in _verified(path / name)]


def _verified(run: Path) -> list[str]:
    from landscape.store import lock
    from landscape.store.check import verify

    begins = lock.held(run) and not (run / "trajectory.h5").is_file()
    return [] if begins else list(verify(run))  # nothing is saved yet


def _run(about: Mapping[str, Any]) -> Iterator[str]:
    from landscape.store.provenance import is_typed

    versions = about["versions"]
    made = "made by" if is_typed(about["command"]) else "made"
    on = "" if about["device"] is None else f", on {about['device']}"
    yield f"{about['folder']}: a run, {_status(about)}"
    yield f"  {made:15}{about['command']}"
    yield (
        f"                 {about['created']}, landscape {versions.get('landscape')}, "
        f"torch {versions.get('torch')}, {_count(about['threads'], 'thread')}{on}"
    )
    yield f"  problem        {_problem(about['problem'])}"
    yield f"                 {_size(about)}, {_count(about['samples'], 'sample')}"
    yield f"  settings       {_settings(about)}"
    yield from _recorded(about)
    yield from _events(about)
    if about["verdict"] is not None:
        yield from _verdict(about["verdict"], about)
    for number, scan in enumerate(about["scans"]):
        yield f"  {'' if number else 'scans':15}{_scan_line(scan, about['folder'])}"
    if not about["scans"]:
        yield "  scans          none"


def _count(of: int | None, what: str) -> str:
    return f"an unknown number of {what}s" if of is None else counted(of, what)


def _size(about: Mapping[str, Any]) -> str:
    from landscape.store.scans.sentences import trained

    frozen, dtypes = about["frozen"], about["dtypes"]
    types = "" if dtypes in ([], ["float32"]) else f" ({', '.join(dtypes)})"
    if not frozen["tensors"]:
        return f"{_count(about['parameters'], 'parameter')}{types}"
    return trained(about["parameters"], frozen["parameters"], frozen["tensors"]) + types


def _status(about: Mapping[str, Any]) -> str:
    if not about["killed"]:
        return str(about["status"])
    if about["settings"] is None:
        return "killed"
    return f"killed; go on with `landscape train --resume {about['folder']}`"


def _problem(problem: Mapping[str, Any]) -> str:
    if problem["kind"] == "python":
        return "made in Python"
    settings = problem["settings"] or {}
    words = [f"{name}={value}" for name, value in settings.items()]
    varied = [name for name in ("train_samples", "label_noise") if problem[name]]
    words += [f"{name.replace('_', ' ')} {problem[name]}" for name in varied]
    function = "built in" if problem["kind"] == "builtin" else problem["function"]
    if problem["path"] is not None:
        function = f"{problem['path']}:{function}"
    return ", ".join([function or "unknown", *words, f"seed {problem['seed']}"])


def _settings(about: Mapping[str, Any]) -> str:
    from landscape.store.scans.sentences import optimizers

    if (known := about["settings"]) is not None:
        if known.get("optimizer") != BY_FUNCTION:
            return _listed(known)
        said = {name: value for name, value in known.items() if name not in OF_OPTIMIZER}
        return f"{_listed(said)}, an optimizer of your own, whose options aren't recorded"
    if about["optimizer"] is None:
        return "of another program, not known"
    by = [f"{name}: {_listed(of)}" for name, of in optimizers(about["optimizer"])]
    return f"of a loop of its own, by {'; by '.join(by)}"


def _listed(settings: Mapping[str, Any]) -> str:
    without = [] if settings.get("optimizer", "sgd") in WITH_MOMENTUM else ["momentum"]
    if settings.get("steps") is not None:  # instead of these
        without.append("epochs")
    return ", ".join(
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in settings.items()
        if name not in without
        # What is left to the machine says nothing of it.
        and value is not None
        and value is not False
        and (name, value) != ("device", "auto")
    )


def _plain(value: Any) -> Any:
    """A setting without what floating point adds to a product."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _recorded(about: Mapping[str, Any]) -> Iterator[str]:
    snapshots, losses = about["snapshots"], about["losses"]
    taken = about["steps"]
    said = "not ended yet"
    if taken is not None:
        said = f"{taken:,}{epochs_of(taken, about['steps_per_epoch'])}"
    yield f"  steps          {said}"
    for number, note in enumerate(about["notes"] or ()):
        yield f"  {'' if number else 'notes':15}{note}"
    if about["error"] is not None:
        yield f"  trajectory     can't be read: {about['error']}"
        return
    if snapshots is None:
        yield "  snapshots      none yet"
        return
    yield (
        f"  snapshots      {snapshots['count']:,}, steps {snapshots['first']:,} to "
        f"{snapshots['last']:,}, {size(snapshots['bytes'])} of weights"
    )
    places = [f"{name.replace('_', ' ')} (step {at['step']:,})" for name, at in losses.items()]
    width = max(22, *(len(place) + 2 for place in places))
    yield f"  {'':22}" + "".join(f"{place:>{width}}" for place in places)
    for name in ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy"):
        values = [at[name] for at in losses.values()]
        if all(value is None for value in values):
            continue
        cells = "".join(f"{'-' if value is None else f'{value:.4g}':>{width}}" for value in values)
        yield f"  {name.replace('_', ' '):22}{cells}"
    if (best := about["best"]) is not None:
        by = f"scan {best['scan']} measured it" if best["scan"] else "training logged it"
        yield (
            f"  best           train loss {best['train_loss']:.4g} at step {best['step']:,}, the "
            f"lowest of all recorded weights; {by}"
        )


def _events(about: Mapping[str, Any]) -> Iterator[str]:
    """What happened when, a line a name; --json has what each was named by."""
    from landscape.store.scans.sentences import all_episodes
    from landscape.store.trajectories.trajectory import Event

    events = [Event(**one) for one in about["events"] or ()]
    for number, line in enumerate(all_episodes(events, most=MOST_EVENTS)):
        yield f"  {'' if number else 'events':15}{line}"


def _verdict(found: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[str]:
    """What was diagnosed, in two lines, and whether that still fits the run."""
    from landscape.store import Run
    from landscape.store.verdicts import CONFIDENCE, typed

    if found["error"] is not None:
        yield f"  verdict        can't be read: {found['error']}"
        return
    landing = f" ({found['landing']})" if found["landing"] else ""
    # Earlier versions wrote names alone.
    said = [(one["text"], one["confidence"], one.get("remedy")) for one in found["answers"]] or [
        (f"{found['verdict']}{landing}", found["confidence"], None),
        (f"motion {found['motion']}", "", None),
    ]
    for number, (text, confidence, remedy) in enumerate(said):
        notes = "; ".join(filter(None, (CONFIDENCE.get(confidence, ""), typed(remedy))))
        yield f"  {'' if number else 'verdict':15}{text}{f' ({notes})' if notes else ''}"
    again = f"`{Run(Path(about['folder']), about).command('diagnose')}` makes it anew"
    if found["fits"] is None:
        yield f"{'':17}whether it still fits the recording isn't known: an earlier version made it"
    elif not found["fits"]:
        step, rows = found["read_at"] or (0, 0)
        now = about["snapshots"]
        since = f"now {now['count']:,} to step {now['last']:,}" if now else "now there is none"
        yield (
            f"{'':17}it no longer fits the recording: read from {rows:,} snapshots to step "
            f"{step:,}, {since}; {again}"
        )


def _scan_line(scan: Mapping[str, Any], folder: str) -> str:
    if scan["error"] is not None:
        return f"{scan['name']}: can't be read: {scan['error']}"
    shape = " x ".join(map(str, scan["size"]))
    notes = "" if scan["complete"] else ", not complete"
    if scan["drawn_before_diagnosis"]:
        notes += f"; {drawn_before(Path(folder), str(scan['name']))}"
    return f"{scan['name']}: {scan['plane']}, {shape}{notes}"


def drawn_before(run: Path, scan: str) -> str:
    """What is said of a valley whose figure lacks what a diagnosis measured since."""
    again = shlex.join(["landscape", "render", str(run / "scans" / f"{scan}.h5")])
    return f"its figure was drawn before curvature was measured, `{again}` shows it too"
