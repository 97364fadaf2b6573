"""Doing what ``landscape render`` was asked for: which pictures of which files, and where to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from landscape.errors import LandscapeError

from .progress import progress

if TYPE_CHECKING:
    from landscape.draw import Style, Work

PREFERRED = "along"
"""Kind of the planes that a map of several runs shows unless a name is given."""


@dataclass(frozen=True)
class Picture:
    """One picture to be drawn."""

    kind: str
    works: Sequence[Work]
    stem: Path
    formats: Sequence[str] | None


def planned(
    sources: Sequence[Path],
    kind: str | None,
    name: str | None,
    output: Path | None,
    formats: Sequence[str] | None,
) -> list[Picture]:
    """Return the pictures that were asked for, all of it checked before the first is drawn."""
    from landscape.draw import KINDS

    if not sources:
        raise LandscapeError(
            "render needs a run or a scan, got none; give RUN, RUN/scans/NAME.h5 "
            "or --reproduce FIGURE"
        )
    if kind is not None and kind not in KINDS:
        raise LandscapeError(f"--kind must be one of {', '.join(KINDS)}, got {kind}")
    found = _map(sources, name) if kind == "map" else list(_single(sources, kind, name))
    one_file = output is not None and output.suffix.lstrip(".") in _endings()
    if output is None or not one_file:
        return [
            Picture(k, works, _folder(works, output) / _name(k, works), formats)
            for k, works in found
        ]
    if formats is not None:
        raise LandscapeError(f"--format is for folders, got --output {output}; drop one of them")
    if len(found) > 1 and kind is None and len({id(works[0]) for _, works in found}) == 1:
        found = found[:1]
    if len(found) > 1:
        raise LandscapeError(
            f"--output {output} holds one figure, got {len(found)}; "
            "choose with --kind and --scan, or give a folder"
        )
    k, works = found[0]
    return [Picture(k, works, output.with_suffix(""), (output.suffix.lstrip("."),))]


def draw_all(pictures: Sequence[Picture], style: Style, *, quiet: bool) -> None:
    """Draw them one by one and print the files."""
    from landscape.draw import KINDS, make, opengl

    if style.renderer == "auto" and any(KINDS[one.kind].solid for one in pictures):
        found = opengl.probe()
        if not found.ok:
            typer.echo(f"{found.reason}; surfaces are drawn by matplotlib instead", err=True)
    with progress("drawing", len(pictures), quiet=quiet) as report:
        for done, one in enumerate(pictures, start=1):
            # A film takes as long as hundreds of figures: it tells how far it is itself.
            def frames(made: int, count: int, before: int = done - 1) -> None:
                report(round(before + made / count, 2), f"frame {made} of {count}")

            files = make(
                one.kind, one.works, one.stem, formats=one.formats, style=style, report=frames
            )
            for file in files:
                typer.echo(str(file))
            report(done, one.kind)


def again(
    figure: Path, sources: Sequence[Path], output: Path | None, style: Style, kind: str | None
) -> None:
    """Make a figure again and say whether it is the same."""
    from landscape.draw import Style, reproduce

    if style != Style() or kind is not None:
        raise LandscapeError(
            "--reproduce takes everything from the figure; leave out other options"
        )
    made = reproduce(figure, sources, output)
    for file in made.files:
        typer.echo(str(file))
    if made.same:
        typer.echo("the same bytes as before", err=True)
    else:
        why = f": {', '.join(made.versions)}" if made.versions else ", by the same versions"
        typer.echo(f"not the same bytes as before{why}", err=True)


def _endings() -> set[str]:
    from landscape.draw import KINDS

    return {ending for kind in KINDS.values() for ending in kind.formats}


def _single(
    sources: Sequence[Path], kind: str | None, name: str | None
) -> Iterator[tuple[str, list[Work]]]:
    """Yield kind and subject of every picture that shows one scan or one run."""
    from landscape.draw import KINDS, kinds, open_work
    from landscape.draw.kinds import diagnosed

    if kind is None and name is None:
        yield from (("outcomes", [open_work(sweep, "outcomes")]) for sweep in _diagnosed(sources))
    for source in sources if kind == "outcomes" else _expanded(sources):
        scans = _scans(source, name) if source.is_dir() else [source]
        if source.is_dir() and ((kind is None and name is None) or _of_runs(kind)):
            yield kind or "loss", [open_work(source, kind)]
        if source.is_dir() and kind is None and name is None:
            yield from ((one, [open_work(source, one)]) for one in diagnosed(source))
        drawn = 0
        for path in () if _of_runs(kind) and source.is_dir() else scans:
            work = _without_holes(open_work(path))
            # Of a run's scans those are drawn that fit; of a single file its refusal is due.
            if kind is not None and source.is_dir() and not _fits(kind, work):
                continue
            shown = kinds(work.subject) if kind is None else (kind,)
            drawn += len(shown)
            yield from ((one, [work]) for one in shown)
        if kind is not None and not _of_runs(kind) and not drawn:
            from landscape.draw.kinds import NEEDS

            raise LandscapeError(
                f"a {kind} needs {NEEDS[KINDS[kind].needs]}, {source} has none; "
                f"make one with `landscape scan {source}`"
            )


def _without_holes(work: Work) -> Work:
    """Interpolate what an unfinished scan to a tolerance hasn't measured yet, and say so."""
    from landscape.store import Scan

    scan = work.subject
    if not isinstance(scan, Scan) or scan.complete or not scan.tolerance:
        return work
    from landscape.scan.preview import preview

    guessed = preview(scan)
    if guessed is None:
        return work
    said = (
        f"{scan.measured.mean():.1%} of the points are measured so far, the others interpolated "
        "for this picture alone, with no estimate of their errors"
    )
    typer.echo(f"{work.path}: {said}; finish it with `landscape scan --resume`", err=True)
    return replace(work, subject=replace(guessed, remarks=(*scan.remarks, f"Unfinished: {said}.")))


def _fits(kind: str, work: Work) -> bool:
    from landscape.draw import KINDS, kinds

    if kind == "measures":
        return kind in kinds(work.subject)
    return {"plane": _is_plane(work), "line": not _is_plane(work)}.get(KINDS[kind].needs, True)


def _of_runs(kind: str | None) -> bool:
    from landscape.draw import KINDS

    return kind is not None and KINDS[kind].needs in ("run", "diagnosis", "sweep")


def _diagnosed(sources: Sequence[Path]) -> list[Path]:
    """Return the sweeps among the sources whose outcomes are known."""
    from landscape.store import outcomes, sweep

    return [one for one in sources if sweep.is_sweep(one) and (one / outcomes.NAME).is_file()]


def _map(sources: Sequence[Path], name: str | None) -> list[tuple[str, list[Work]]]:
    """Return the one map of all sources: a run's planes, or one plane of each of several runs."""
    from landscape.draw import open_work

    expanded = _expanded(sources)
    several = sum(source.is_dir() for source in expanded) > 1
    works: list[Work] = []
    for source in expanded:
        if not source.is_dir():
            works.append(open_work(source))
            continue
        planes = [work for path in _scans(source, name) if _is_plane(work := open_work(path))]
        if not planes:
            raise LandscapeError(
                f"a map needs a scan of a plane of each run, {source} has none; "
                f"make one with `landscape scan {source}`"
            )
        works += [_preferred(planes)] if several else planes
    return [("map", works)]


def _preferred(planes: list[Work]) -> Work:
    return min(planes, key=lambda work: _plane_kind(work) != PREFERRED)


def _plane_kind(work: Work) -> str:
    from landscape.store import Scan

    return work.subject.plane.kind if isinstance(work.subject, Scan) else ""


def _is_plane(work: Work) -> bool:
    from landscape.store import Scan

    return isinstance(work.subject, Scan) and not work.subject.is_line


def _expanded(sources: Sequence[Path]) -> list[Path]:
    """Return the sources with sweeps as their runs."""
    from landscape.store import sweep

    found: list[Path] = []
    for source in sources:
        if sweep.is_sweep(source):
            runs, damaged = sweep.read(source).opened()
            if damaged and not runs:
                raise LandscapeError(next(iter(damaged.values())))
            for name, why in damaged.items():
                typer.echo(f"{name} is left out: {why}", err=True)
            found += [run.folder for run in runs]
        else:
            found.append(source)
    return found


def _scans(run: Path, name: str | None) -> list[Path]:
    there = sorted((run / "scans").glob("[!.]*.h5"))
    if name is None:
        return there
    chosen = [path for path in there if path.stem == name]
    if not chosen:
        raise LandscapeError(
            f"{run} must have a scan called {name}, "
            f"it has {', '.join(path.stem for path in there) or 'none'}"
        )
    return chosen


def _folder(works: Sequence[Work], output: Path | None) -> Path:
    if output is not None:
        return output
    homes = {work.home.absolute() for work in works}
    return (works[0].home if len(homes) == 1 else works[0].home.absolute().parent) / "figures"


def _name(kind: str, works: Sequence[Work]) -> str:
    names = {work.path.stem for work in works}
    if works[0].path.is_dir():
        return kind
    return f"{names.pop() if len(names) == 1 else 'planes'}-{kind}"
