"""Which pictures are drawn of what was given, and where to; said before the first is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from landscape.draw.kinds import KINDS, NEEDS, diagnosed, kinds
from landscape.draw.look.style import Style
from landscape.draw.making import Work, open_work
from landscape.draw.solid import opengl
from landscape.errors import LandscapeError, meant
from landscape.quantities import percent
from landscape.store import sources, sweep_folder, sweep_outcomes
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley
from landscape.store.sources import ScanSource

PREFERRED = ("along", "random")
"""Kinds of the planes that a map of several runs shows unless a name is given, the first there is:
each run has them, and of the surroundings of their weights networks can be compared."""
OF_RUNS = ("run", "diagnosis", "sweep")
"""What kinds need that show no scan."""

Guess = Callable[[Scan], Scan | None]
"""Fills in what an unfinished scan hasn't measured; None where too little is known."""
Shown = tuple[str, list[Work]]
"""A kind and what it shows."""


@dataclass(frozen=True)
class PlannedPicture:
    """One picture to be drawn, as `make` takes it."""

    kind: str
    works: Sequence[Work]
    stem: Path
    formats: Sequence[str] | None


@dataclass(frozen=True)
class PicturePlan:
    """All pictures to be drawn."""

    pictures: Sequence[PlannedPicture]
    notes: Sequence[str]
    """What a reader of them must know before."""


def plan_pictures(
    paths: Sequence[Path],
    *,
    guess: Guess,
    asked: Sequence[str] = (),
    name: str | None = None,
    output: Path | None = None,
    formats: Sequence[str] | None = None,
    style: Style,
) -> PicturePlan:
    """Say what is drawn of runs, sweeps and scans, and check that it can be.

    Without kinds that are ``asked`` for whatever fits: of a run its losses, its diagnosis and all
    of its scans; with a ``name`` only its scan of that name. ``output`` is a folder, or the file
    of a single figure.

    Raises:
        LandscapeError: nothing was given, it isn't what the kind shows, or options that none of
            the pictures takes.
    """
    if not paths:
        raise LandscapeError(
            "render needs a run or a scan, got none; give RUN, RUN/scans/NAME.h5 "
            "or --reproduce FIGURE"
        )
    for kind in asked:
        if kind not in KINDS:
            raise LandscapeError(
                f"--kind must be one of {', '.join(KINDS)}, got {kind}{meant(kind, KINDS)}"
            )
        if name is not None and _of_runs(kind):
            raise LandscapeError(f"--scan is for figures of scans, got --kind {kind}; leave it out")
    notes: list[str] = []
    kinds_or_all: Sequence[str | None] = asked or (None,)
    shown = [one for kind in kinds_or_all for one in _shown(paths, kind, name, guess, notes)]
    _check_style(style, dict.fromkeys(one for one, _ in shown))
    if style.renderer == "auto" and any(KINDS[one].solid for one, _ in shown):
        found = opengl.probe()
        if not found.ok:
            notes.append(f"{found.reason}; surfaces are drawn by matplotlib instead")
    placed = _placed(shown, output, formats, asked=bool(asked))
    return PicturePlan(placed, list(dict.fromkeys(notes)))


def _shown(
    paths: Sequence[Path], kind: str | None, name: str | None, guess: Guess, notes: list[str]
) -> list[Shown]:
    if kind == "outcomes":
        return [(kind, [open_work(path, kind)]) for path in paths]
    needing = "render" if kind is None else f"a {kind}"
    given = sources.expand(paths, needing=needing, name=name, told=notes.append)
    if kind == "map":
        return [(kind, _planes(given))]
    if kind == "valley":
        return [(kind, _valleys(given))]
    shown: list[Shown] = []
    if kind is None and name is None:
        swept = [
            one
            for one in paths
            if sweep_folder.is_sweep(one) and (one / sweep_outcomes.NAME).is_file()
        ]
        shown += [("outcomes", [open_work(one, "outcomes")]) for one in swept]
    for source in given:
        if source.run is not None and kind is None and name is None:
            alone = ("loss", *diagnosed(source.path))
            shown += [(one, [open_work(source.path, one)]) for one in alone]
        if source.run is not None and kind is not None and _of_runs(kind):
            shown.append((kind, [open_work(source.path, kind)]))
        else:
            shown += _of_scans(source, kind, guess, notes)
    return shown


def _of_scans(
    source: ScanSource, kind: str | None, guess: Guess, notes: list[str]
) -> Iterator[Shown]:
    drawn = 0
    for path in source.scans:
        work = _without_holes(open_work(path), guess, notes)
        # Of a run's scans those are drawn that fit; of a single file its refusal is due.
        if kind is not None and source.run is not None and not _fits(kind, work):
            continue
        for one in kinds(work.subject) if kind is None else (kind,):
            drawn += 1
            yield one, [work]
    if kind is not None and not drawn:
        raise sources.no_scan(f"a {kind}", source.path, what=NEEDS[KINDS[kind].needs])


def _without_holes(work: Work, guess: Guess, notes: list[str]) -> Work:
    """Interpolate what an unfinished scan to a tolerance hasn't measured yet, and say so."""
    scan = work.subject
    if not isinstance(scan, Scan) or scan.complete or not scan.tolerance:
        return work
    guessed = guess(scan)
    if guessed is None:
        return work
    said = (
        f"{percent(scan.measured.mean())} of the points are measured so far, the others "
        "interpolated for this picture alone, with no estimate of their errors"
    )
    notes.append(f"{work.path}: {said}; finish it with `landscape scan --resume`")
    return replace(work, subject=replace(guessed, remarks=(*scan.remarks, f"Unfinished: {said}.")))


def _fits(kind: str, work: Work) -> bool:
    if kind == "measures":
        return kind in kinds(work.subject)
    if KINDS[kind].needs == "valley":
        return isinstance(work.subject, Valley)
    if not isinstance(work.subject, Scan):
        return False
    return {"plane": _is_plane(work), "line": not _is_plane(work)}.get(KINDS[kind].needs, True)


def _of_runs(kind: str | None) -> bool:
    return kind is not None and KINDS[kind].needs in OF_RUNS


def _planes(given: Sequence[ScanSource]) -> list[Work]:
    """Return what one map shows: a run's planes, or one plane of each of several runs."""
    several = sum(source.run is not None for source in given) > 1
    works: list[Work] = []
    for source in given:
        if source.run is None:
            works.append(open_work(source.path))
            continue
        planes = [work for path in source.scans if _is_plane(work := open_work(path))]
        if not planes:
            raise sources.no_scan("a map", source.path, what="a scan of a plane of each run")
        works += [min(planes, key=comparable)] if several else planes
    return works


def _valleys(given: Sequence[ScanSource]) -> list[Work]:
    """Return the valleys that one figure shows: all that were given."""
    works: list[Work] = []
    for source in given:
        every = [open_work(path) for path in source.scans]
        sliced = [work for work in every if isinstance(work.subject, Valley)]
        if source.run is None and not sliced:
            works += every  # refused by what the kind needs
        elif not sliced:
            raise sources.no_scan("a valley", source.path, what=NEEDS["valleys"])
        works += sliced
    return works


def comparable(work: Work) -> int:
    """A plane's place among those of its run that a map may show, the least first."""
    kind = work.subject.plane.kind if isinstance(work.subject, Scan) else ""
    return PREFERRED.index(kind) if kind in PREFERRED else len(PREFERRED)


def _is_plane(work: Work) -> bool:
    return isinstance(work.subject, Scan) and not work.subject.is_line


def _check_style(style: Style, drawn: Sequence[str] | dict[str, None]) -> None:
    """Refuse what was chosen about the figures and shows in none of them."""
    for field in style.chosen():
        if not any(field in KINDS[kind].takes for kind in drawn):
            option = {"path": "--no-path", "log": "--log" if style.log else "--linear"}
            takers = ", ".join(kind for kind, row in KINDS.items() if field in row.takes)
            raise LandscapeError(
                f"{option.get(field, f'--{field}')} is for {takers}, got {', '.join(drawn)}; "
                "leave it out"
            )


def _placed(
    shown: list[Shown], output: Path | None, formats: Sequence[str] | None, *, asked: bool
) -> list[PlannedPicture]:
    """Return the pictures with the place of their files."""
    endings = {ending for row in KINDS.values() for ending in row.formats}
    if output is None or output.suffix.lstrip(".") not in endings:
        return [
            PlannedPicture(one, works, _folder(works, output) / _name(one, works), formats)
            for one, works in shown
        ]
    if formats is not None:
        raise LandscapeError(f"--format is for folders, got --output {output}; drop one of them")
    if len(shown) > 1 and not asked and len({id(works[0]) for _, works in shown}) == 1:
        shown = shown[:1]
    if len(shown) > 1:
        raise LandscapeError(
            f"--output {output} holds one figure, got {len(shown)}; "
            "choose with --kind and --scan, or give a folder"
        )
    one, works = shown[0]
    return [PlannedPicture(one, works, output.with_suffix(""), (output.suffix.lstrip("."),))]


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
