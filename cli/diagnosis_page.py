"""A diagnosis as a page that a person reads: the answer, its caveats, then what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .diagnosis_tables import cell, columns, is_of_trainings, tables, was_trained_again

if TYPE_CHECKING:
    from rich.console import RenderableType

    from landscape.diagnose import Diagnosis, Verdict
    from landscape.store.measured.whole import Measured

WIDTH = 100
"""Of the page where it isn't shown on a terminal."""
LINE_WIDTH = 12
"""Of the column of lines; a few have three numbers."""


def show(diagnosis: Diagnosis, verdict: Verdict) -> None:
    """Print the page."""
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console = Console(width=WIDTH, highlight=False)
    for part in page(diagnosis, verdict):
        console.print(part)
    console.print(_files(diagnosis), soft_wrap=True)


def page(diagnosis: Diagnosis, verdict: Verdict) -> Iterator[RenderableType]:
    """The page's parts, from top to bottom."""
    from landscape.diagnose.words import answer

    run = diagnosis.subject.run
    yield Panel(_head(verdict), title=f"{run.folder}", title_align="left")
    yield _sentences("What happened", answer(verdict))
    if verdict.caveats:
        yield _sentences("Mind that", verdict.caveats)
    measured = diagnosis.context.measured
    yield _evidence(verdict, measured)
    yield from tables(verdict, measured)


def _head(verdict: Verdict) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    landing = f", landed on: {verdict.landing}" if verdict.landing else ""
    layers = f" ({', '.join(verdict.layers)})" if verdict.layers else ""
    table.add_row("outcome", Text(f"{verdict.verdict}{landing}{layers}", style="bold"))
    steps = verdict.evidence.get("motion_steps")
    over = f" over {steps.value:,} steps" if steps is not None else ""
    table.add_row("motion", Text(f"{verdict.motion}{over}", style="bold"))
    if verdict.also:
        table.add_row("also", ", ".join(verdict.also))
    table.add_row("confidence", f"{verdict.confidence}{_meant(verdict.confidence)}")
    if verdict.rests_on is not None:
        table.add_row("rests on", ", ".join(("losses", *verdict.rests_on.parts)))
    return table


def _meant(confidence: str) -> str:
    return {
        "intervention": ": the outcome is tested by training again from the run's snapshots",
        "observation": ": the outcome is read off the run, not tested by training again",
        "undetermined": "",
    }[confidence]


def _sentences(title: str, sentences: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for sentence in sentences:
        table.add_row("•", Text(sentence))
    return Group(Text(f"\n{title}", style="bold"), table)


def _evidence(verdict: Verdict, measured: Measured) -> RenderableType:
    table = columns("value", "line", "what it is", right=(1, 2), first="evidence")
    table.columns[2].no_wrap, table.columns[2].max_width = False, LINE_WIDTH
    has_tried = was_trained_again(measured)
    for name, item in verdict.evidence.items():
        # What is a sentence was said above; what trainings did has a table of its own.
        if not (name.endswith("_because") or (has_tried and is_of_trainings(name))):
            table.add_row(
                Text(name.replace("_", " "), no_wrap=True),
                cell(item.value),
                cell(item.threshold, "–"),
                Text(item.meaning),
            )
    lines: list[RenderableType] = [Text("\nEvidence", style="bold"), table]
    if (units := measured.units) and "exactly_zero" not in verdict.evidence:
        moving = units.moving(len(units.step) - 1)
        if len(moving) < len(units.tensors):
            lines.append(
                Text(
                    f"at the end the gradient of {len(units.tensors) - len(moving)} of "
                    f"{len(units.tensors)} parameter tensors is exactly zero, all but "
                    f"{', '.join(moving) or 'none'}"
                )
            )
    if curvature := measured.curvature:
        lines.append(
            Text(
                f"at step {curvature.step[-1]} the Hessian's trace is {cell(curvature.trace[-1])} "
                f"and a step along the gradient, without momentum, lowers the loss up to a rate "
                f"of {cell(curvature.critical_step[-1])}"
            )
        )
    return Group(*lines)


def _files(diagnosis: Diagnosis) -> Text:
    """Where everything is; paths in one piece, however long."""
    from landscape.diagnose.kept import VERDICT
    from landscape.diagnose.trials import FOLDER
    from landscape.store.analysis import NAME

    folder = diagnosis.subject.run.folder
    text = Text("\nFiles", style="bold")
    lines = {
        folder / VERDICT: "this verdict, for programs",
        folder / NAME: "all that was measured, in HDF5",
    }
    if diagnosis.plan.trials:
        lines[folder / FOLDER] = f"{len(diagnosis.plan.trials)} runs, as any other"
    for place, what in lines.items():
        text.append(f"\n{place}: {what}", style="not bold")
    return text
