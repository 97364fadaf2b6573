"""The page of a comparison: what became of each run, the table, and pictures on one scale."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from landscape.diagnose.outcome_names import OUTCOMES
from landscape.diagnose.verdict.wording import headline
from landscape.draw.making import Work
from landscape.errors import LandscapeError
from landscape.report import comparison
from landscape.report.comparison import ComparedCell, ComparedRun
from landscape.report.document import Chapter, document, missing
from landscape.report.markup import Content, Markup, joined, listed, table, tag
from landscape.report.pictures import picture
from landscape.report.run_material import in_order, with_threads
from landscape.report.small_pictures import axes_of, small
from landscape.report.sweep_page import UNKNOWN
from landscape.store import summary
from landscape.store.scans import scanfile

NAME = "comparison.html"


def page(runs: Sequence[ComparedRun]) -> str:
    """Return the page as HTML, of what there is; nothing is measured.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
    >>> runs = [ls.train(problem, lr=lr, steps=40, to=f"runs/{lr}") for lr in (0.1, 0.3)]
    >>> from landscape.report.comparison import gathered
    >>> "2 runs side by side" in page(gathered([run.folder for run in runs]))
    True
    """
    chapters = [
        Chapter("table", "Side by side", joined(_table(runs))),
        Chapter("valleys", "The landscapes they went through", joined(_landscapes(runs))),
        Chapter("losses", "In time", joined(_losses(runs))),
        Chapter("made", "How this was made", joined(_made(runs))),
    ]
    return document(" and ".join(run.name for run in runs), _top(runs), chapters)


def _top(runs: Sequence[ComparedRun]) -> Iterator[Markup]:
    yield tag("p", f"{len(runs)} runs side by side", class_="eyebrow")
    yield tag("h1", ", ".join(f"{run.name}: {_outcome(run)}" for run in runs) + ".")
    if differs := summary.difference([run.run for run in runs]):
        yield tag("p", differs)
    for run in runs:
        verdict = run.material.verdict
        said = "Not diagnosed yet." if verdict is None else headline(verdict)[0].text
        yield tag("p", tag("b", run.name), f": {said}")


def _outcome(run: ComparedRun) -> str:
    return "not diagnosed" if run.material.verdict is None else run.material.verdict.verdict


def _table(runs: Sequence[ComparedRun]) -> Iterator[Markup]:
    axes = axes_of([run.material.history for run in runs])
    lines: list[list[Content]] = [
        ["training loss", *(small(run.material.history, axes, _colour(run)) for run in runs)]
    ]
    notes = []
    for measure, cells in comparison.rows(runs):
        lines.append([measure.title, *map(_cell, cells)])
        if measure.about:
            notes.append(f"{measure.title}: {measure.about}")
    if apart := summary.widths_apart([summary.width_of(run.run) for run in runs]):
        notes.append(apart)
    head = ["", *(run.name for run in runs)]
    yield table(head, lines, label="Measures of the runs")
    yield listed([f"pictures: {axes.words}", *notes], class_="quiet")


def _cell(cell: ComparedCell) -> Content:
    if cell.value is not None:
        return cell.value
    if not cell.command:
        return "not evaluated"
    return joined(["not measured: ", tag("code", cell.command)], "")


def _colour(run: ComparedRun) -> str:
    verdict = run.material.verdict
    return UNKNOWN if verdict is None else OUTCOMES[verdict.verdict].colour


def _landscapes(runs: Sequence[ComparedRun]) -> Iterator[Markup]:
    yield tag("h3", "Valleys on one scale")
    yield from _together("valley", [(run, run.material.valley) for run in runs])
    yield tag("h3", "Planes that hold the paths, on one scale")
    yield from _together("map", [(run, run.material.plane) for run in runs])


def _together(kind: str, works: Sequence[tuple[ComparedRun, Work | None]]) -> Iterator[Markup]:
    there = [work for _, work in works if work is not None]
    fewest = 2 if kind == "map" else 1  # a map puts planes beside each other
    if len(there) >= fewest:
        try:
            yield picture(kind, there)
        except LandscapeError as error:
            yield missing(f"No figure of kind {kind}: {error}.")
    for run, work in works:
        if work is None:
            yield missing(f"{run.name} has none.", run.run.command("scan"))


def _losses(runs: Sequence[ComparedRun]) -> Iterator[Markup]:
    for run in runs:
        yield tag("h3", run.name)
        try:
            yield picture("loss", [Work(run.run.folder, run.material.history)])
        except LandscapeError as error:
            yield missing(f"No figure of kind loss: {error}.")


def _measured_by(run: ComparedRun) -> list[str]:
    """The commands that trained, scanned and diagnosed a run, as they were typed."""
    record = run.run.record
    scanned = (scanfile.command(file) for file in run.run.scans)
    trained = with_threads(str(record["command"]), record)
    return in_order(trained, scanned, run.material.diagnosed_by)


def _made(runs: Sequence[ComparedRun]) -> Iterator[Markup]:
    typed = list(dict.fromkeys(one for run in runs for one in _measured_by(run)))
    folders = " ".join(shlex.quote(str(run.run.folder)) for run in runs)
    barriers = " --barriers" if runs[0].between is not None else ""
    yield tag("pre", tag("code", "\n".join([*typed, f"landscape compare {folders}{barriers}"])))
    facts = [
        (run.name, ", ".join(f"{name} {v}" for name, v in run.run.record["versions"].items()))
        for run in runs
    ]
    yield table(("run", "trained by"), facts, label="Versions")
