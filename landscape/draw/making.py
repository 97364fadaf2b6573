"""Pictures from files into files: what is drawn, its caption, its recipe, and drawing it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from landscape.draw import readings, recipe, run_captions
from landscape.draw.diagnosis.by_rate import caption as of_outcomes
from landscape.draw.files import save
from landscape.draw.kinds import KINDS, NEEDS, Subject
from landscape.draw.look.style import PLAIN, Style, chosen
from landscape.draw.readings import Drawn
from landscape.draw.recipe import FigureSource, Recipe
from landscape.draw.sheet.page import PrintedFigure
from landscape.errors import LandscapeError, meant
from landscape.store import diagnosed, history, sweep_folder, sweep_outcomes, verdicts
from landscape.store import run as runs
from landscape.store.best import best_of
from landscape.store.diagnosed import Diagnosed
from landscape.store.history import History
from landscape.store.scans import rises, sentences, valley_sentences
from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.valleys import Valley
from landscape.store.sources import home_of, load_scanned
from landscape.store.sweep_outcomes import Outcomes

Shown = Scan | Valley | History | Diagnosed | Outcomes
READY = 80
"""Words of a caption's first paragraph, at most, with how to read the figure."""
FOLDERS = ("run.json", sweep_outcomes.NAME)
"""Files that stand for the folder they are in."""


@dataclass(frozen=True)
class Work:
    """A scan, a run's history or diagnosis, or a sweep's outcomes, and where it is from.

    >>> from landscape.store.history import History
    >>> work = Work(Path("runs/mine"), History("mine", "1f2e", np.arange(2), {}, np.zeros(1)))
    >>> work.source.run
    'mine'
    """

    path: Path
    """The scan's file, the run's folder or the sweep's."""
    subject: Shown

    @property
    def home(self) -> Path:
        """The folder whose ``figures`` its pictures belong in."""
        return home_of(self.path)

    @cached_property
    def source(self) -> FigureSource:
        """What a figure's recipe says of it."""
        scan = isinstance(self.subject, Scan | Valley)
        swept = isinstance(self.subject, Outcomes)
        file = Path(FOLDERS[swept])
        if scan:
            # Not resolved: the run's folder of scans may be a link to another disk.
            file = self.path.absolute().relative_to(self.home.absolute())
        name = (
            self.subject.run_name if isinstance(self.subject, Scan | Valley) else self.subject.name
        )
        identity = recipe.identity(self.subject)
        return FigureSource(file.as_posix(), name, self.subject.run_id, identity)


@dataclass(frozen=True)
class Reproduced:
    """A figure that was made again."""

    files: tuple[Path, ...]
    same: bool
    """Whether it has the very bytes of the one that was there."""
    versions: tuple[str, ...]
    """Libraries that differ from the first one's, in words."""


def open_work(path: Path, kind: str | None = None) -> Work:
    """Read a scan's file, Li et al.'s surface, or a run's folder; of this what ``kind`` shows.

    A kind that shows a sweep's outcomes takes the sweep's folder.

    Raises:
        LandscapeError: it is none of them, or what the kind shows was not measured.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> run = begin("runs/moons", setup).finish()
    >>> work = open_work(run.folder)  # its history, which the loss curves show
    >>> work.home.as_posix(), type(work.subject).__name__
    ('runs/moons', 'History')
    """
    entry = KINDS.get(kind or "")
    if entry is not None and entry.needs == "sweep" and path.is_dir():
        if not sweep_folder.is_sweep(path):
            raise LandscapeError(
                f"{kind} are drawn of a sweep, got {path}; make one with several values, "
                "`landscape train --lr 0.01,0.1`"
            )
        return Work(path, sweep_outcomes.of(path))
    if entry is not None and entry.needs == "diagnosis" and path.is_dir():
        return Work(path, diagnosed.of(runs.read(path), entry.parts, also=entry.also))
    if path.is_dir():
        run = runs.read(path)
        trajectory = run.trajectory
        best = best_of(run, trajectory)
        return Work(path, replace(history.of(run, trajectory), best=best))
    found = _as_judged(load_scanned(path), path)
    return Work(path, _with_curvature(found, path) if isinstance(found, Valley) else found)


def _as_judged(found: Scan | Valley, path: Path) -> Scan | Valley:
    """A scan of a run that was diagnosed since, with what happened as the verdict says."""
    home = home_of(path)
    if not all((home / one).is_file() for one in (verdicts.NAME, "run.json", "trajectory.h5")):
        return found
    run = runs.read(home)
    if isinstance(found, Valley):
        return replace(found, events=run.trajectory.events) if found.run_id == run.id else found
    if all(each.run_id != run.id for each in found.paths):
        return found
    events = run.trajectory.events
    judged = (replace(one, events=events) if one.run_id == run.id else one for one in found.paths)
    return replace(found, paths=tuple(judged))


def _with_curvature(valley: Valley, path: Path) -> Valley:
    """A valley with what its run's diagnosis knows of curvature, where there is one."""
    home = home_of(path)
    if not (home / "run.json").is_file():
        return valley
    measured = diagnosed.of(runs.read(home), (), also=("curvature", "sharpness")).measured
    known: dict[str, Sequence[Floats]] = {}
    if (curvature := measured.curvature) is not None:
        known["λ"] = (curvature.step.astype(np.float64), curvature.eigenvalues[:, 0])
    if (sharpness := measured.sharpness) is not None:
        known["batch"] = (sharpness.step.astype(np.float64), sharpness.value)
    return replace(valley, known=known)


def make(
    kind: str,
    works: Sequence[Work],
    stem: Path,
    *,
    formats: Sequence[str] | None = None,
    style: Style = PLAIN,
    like: Sequence[Work] = (),
    report: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Draw one kind of picture and write it with its caption; return the files.

    ``stem`` is their path without the ending. Scans ``like`` it share its scale. Films tell
    ``report`` how many of how many frames are done.

    Raises:
        LandscapeError: no such kind or format, not what the kind needs, or nothing can be written.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> run = begin("runs/moons", setup).finish()
    >>> files = make("loss", [open_work(run.folder)], run.figures / "loss", formats=("svg",))
    >>> [file.as_posix() for file in files][:2]
    ['runs/moons/figures/loss.svg', 'runs/moons/figures/loss.caption.txt']
    """
    if kind not in KINDS:
        raise LandscapeError(
            f"kind must be one of {', '.join(KINDS)}, got {kind}{meant(kind, KINDS)}"
        )
    entry = KINDS[kind]
    wanted = tuple(formats or entry.default)
    for name in wanted:
        if name not in entry.formats:
            raise LandscapeError(
                f"a {kind}'s format must be one of {', '.join(entry.formats)}, got {name}"
            )
    subject = subject_of(kind, works)
    said_of = [
        style.shown(one) if isinstance(one, Scan) else one
        for one in [work.subject for work in works]
    ]
    others = [one for one in like if all(one is not work for work in works)]
    written = Recipe(
        kind,
        tuple(work.source for work in works),
        tuple(one.source for one in others),
        style.chosen(),
        recipe.versions(entry.libraries),
    ).json()
    if entry.write is not None:
        kept = {"caption": _captions(kind, said_of, frozenset()), "recipe": written}
        return list(entry.write(subject, stem, formats=wanted, style=style, report=report, **kept))
    figure = entry(
        subject, style=style, **({"like": [one.subject for one in others]} if others else {})
    )
    text = _captions(kind, said_of, figure.drawn)
    return save(figure, stem, formats=wanted, caption=text, recipe=written, style=style)


def figure(kind: str, works: Sequence[Work], style: Style = PLAIN) -> PrintedFigure:
    """Draw one kind of picture and write nothing.

    Raises:
        LandscapeError: no such kind, not what it needs, or a style of which nothing shows in it.
    """
    if kind not in KINDS:
        raise LandscapeError(
            f"kind must be one of {', '.join(KINDS)}, got {kind}{meant(kind, KINDS)}"
        )
    entry, subject = KINDS[kind], subject_of(kind, works)
    for name in style.chosen():
        if name not in entry.takes:
            raise LandscapeError(
                f"a {kind}'s style has {', '.join(entry.takes)}, got {name}; leave it out"
            )
    return entry(subject, style=style)


def _captions(kind: str, subjects: Sequence[Shown], drawn: Drawn) -> str:
    """Return the caption of a figure of one subject or several: what is ready, then the details."""
    parts = [_parts(kind, subject, drawn) for subject in subjects]
    details = "\n".join(part.details for part in parts)
    planes = [subject for subject in subjects if isinstance(subject, Scan)]
    if len(planes) == len(parts) > 1:
        ready = readings.ready_together(planes, drawn)
        return _written(CaptionParts(ready, KINDS[kind].reading(planes[0], drawn), details))
    read = [part.reading for part in parts]
    if "width" in drawn:
        read.append(rises.apart(one.rise for one in subjects if isinstance(one, Valley)))
    reading = " ".join(filter(None, dict.fromkeys(read)))
    around = KINDS[kind].around(subjects, drawn)
    ready = " ".join(filter(None, [*(part.ready for part in parts), around]))
    return _written(CaptionParts(ready, reading, details))


def caption(subject: Shown) -> str:
    """Return the caption of a scan or a run."""
    if isinstance(subject, Scan):
        return sentences.caption(subject)
    if isinstance(subject, Valley):
        return valley_sentences.caption(subject)
    if isinstance(subject, Outcomes):
        return of_outcomes(subject)
    return run_captions.caption_of_run(
        subject.history if isinstance(subject, Diagnosed) else subject
    )


def caption_of(kind: str, subject: Shown, drawn: Drawn) -> str:
    """Return the caption of a figure of that kind: what a paper prints, then the details.

    The first paragraph says what is shown and how far to trust it. What those colours, lines and
    bands are that were ``drawn`` (`PrintedFigure.drawn`) follows, in a paragraph of its own where
    both together are longer than `READY`.
    """
    return _captions(kind, [subject], drawn)


@dataclass(frozen=True)
class CaptionParts:
    """A caption's parts, each of which may be empty."""

    ready: str
    reading: str
    details: str


def _parts(kind: str, subject: Shown, drawn: Drawn) -> CaptionParts:
    entry = KINDS[kind]
    text = caption(subject) if entry.caption is None else entry.caption(subject)
    ready, _, details = text.partition("\n\n")
    if entry.ready is not None:
        ready = entry.ready(subject, drawn)
    if isinstance(subject, Diagnosed):
        details = f"{details} {run_captions.made_from(subject.history)}".strip()
    return CaptionParts(ready, entry.reading(subject, drawn), details)


def _written(said: CaptionParts) -> str:
    """Return a caption's paragraphs."""
    together = f"{said.ready} {said.reading}".rstrip()
    short = len(together.split()) <= READY
    parts = (together, said.details) if short else (said.ready, said.reading, said.details)
    return "\n\n".join(text for text in parts if text)


def subject_of(kind: str, works: Sequence[Work]) -> Subject:
    """Return what a figure of that kind is drawn of.

    Raises:
        LandscapeError: the works aren't what it needs.
    """
    needs = KINDS[kind].needs
    wanted: type = {
        "run": History,
        "diagnosis": Diagnosed,
        "sweep": Outcomes,
        "valley": Valley,
        "valleys": Valley,
    }.get(needs, Scan)
    for work in works:
        if not isinstance(work.subject, wanted):
            got = {Scan: "a scan", Valley: "a valley"}.get(type(work.subject), "a run")
            raise LandscapeError(f"a {kind} needs {NEEDS[needs]}, got {got}: {work.path}")
    if needs == "planes":
        return [work.subject for work in works if isinstance(work.subject, Scan)]
    if needs == "valleys":
        return [work.subject for work in works if isinstance(work.subject, Valley)]
    if len(works) != 1:
        raise LandscapeError(f"a {kind} needs {NEEDS[needs]}, got {len(works)}")
    return works[0].subject


def reproduce(
    figure: Path,
    given: Sequence[Path] = (),
    target: Path | None = None,
    *,
    report: Callable[[int, int], None] | None = None,
) -> Reproduced:
    """Make a figure or a film again from its metadata: in its place, or where ``target`` says.

    That is a folder, or a file of the figure's own name.

    What it shows is looked for around the figure, or among what is ``given``: files of scans,
    folders of runs or of several.

    Raises:
        LandscapeError: no metadata, what it shows is missing or has changed, or another name.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> run = begin("runs/moons", setup).finish()
    >>> [drawn, *_] = make("loss", [open_work(run.folder)], run.figures / "loss", formats=("svg",))
    >>> again = reproduce(drawn)
    >>> again.same, again.versions
    (True, ())
    """
    stem = _folder_again(figure, target) / figure.stem
    made = recipe.read(figure)
    every = (*made.sources, *made.like)
    around = given or (figure.absolute().parent.parent, figure.absolute().parent)
    works = [_found(source, _places(source, around), figure, made.kind) for source in every]
    before = figure.read_bytes()
    files = make(
        made.kind,
        works[: len(made.sources)],
        stem,
        formats=(figure.suffix.lower().lstrip("."),),
        style=chosen(made.style),
        like=works,
        report=report,
    )
    now = recipe.versions(KINDS[made.kind].libraries)
    other = [
        f"{name} {now.get(name, 'none')} instead of {version}"
        for name, version in made.versions.items()
        if now.get(name) != version
    ]
    return Reproduced(tuple(files), files[0].read_bytes() == before, tuple(other))


def _folder_again(figure: Path, target: Path | None) -> Path:
    """Return the folder in which a figure is made again."""
    if target is None:
        return figure.parent
    ending = target.suffix.lower().lstrip(".")
    if target.is_dir() or all(ending not in kind.formats for kind in KINDS.values()):
        return target
    if target.name != figure.name:
        raise LandscapeError(
            f"a figure that is made again keeps its name, which is among its bytes, {figure.name}, "
            f"got {target}; give a folder"
        )
    return target.parent


def _places(source: FigureSource, around: Sequence[Path]) -> list[Path]:
    """Return where a source may be: one of these files, in one of these folders or in its runs."""
    part = Path(source.file).parent if source.file in FOLDERS else Path(source.file)
    files = [place for place in around if place.is_file()]
    folders = [place for place in around if not place.is_file()]
    direct = [at for root in folders for at in (root / part, root / source.run / part)]
    # A run's folder may have been renamed.
    others = [at / part for root in folders if root.is_dir() for at in sorted(root.iterdir())]
    return [*files, *direct, *others]


def _found(source: FigureSource, places: Sequence[Path], figure: Path, kind: str) -> Work:
    changed = None
    for place in places:
        there = place / source.file if source.file in FOLDERS else place
        if not there.is_file():
            continue
        work = open_work(place, kind)
        if work.source.fingerprint == source.fingerprint:
            return work
        changed = place if work.source.run_id == source.run_id else changed
    what = f"{source.file} of run {source.run}"
    if changed is not None:
        raise LandscapeError(
            f"{figure.name} needs {what} as it was, {changed} has changed since; "
            "draw it anew without --reproduce"
        )
    raise LandscapeError(
        f"{figure.name} needs {what}, found none around it; "
        "say where: landscape render SOURCE --reproduce FIGURE"
    )
