"""``landscape compare``: runs side by side, as a table and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape.quantities import size

from .command import note_idle
from .printing import echo
from .problems import MEASURING, SetOption, SpecOption, TrustOption, given
from .progress import progress
from .report import opening
from .sweep_table import table

if TYPE_CHECKING:
    from landscape.report.comparison import ComparedRun
    from landscape.store.measured.paths import Connectivity


def compare(
    ctx: typer.Context,
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN...", help="Two runs or more.", show_default=False),
    ],
    barriers: Annotated[
        bool,
        typer.Option(
            "--barriers",
            help="Measure the barriers between the last weights, before and after matching units: "
            "some passes over the data for each pair.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            help="The page's file.",
            show_default="comparison.html beside the first run",
        ),
    ] = None,
    problem: SpecOption = None,
    set_: SetOption = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Measure although the problem's code, data or loss changed since the training.",
        ),
    ] = False,
    trust: TrustOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Put runs side by side: outcomes, losses, widths, curvature, barriers, spread over seeds.

    Prints the table and writes it as a page with the valleys and planes on one scale. Only
    barriers are measured here, where they are asked for; of what else is missing the command that
    measures it is named.
    """
    from landscape.report import comparison, comparison_page, document

    if not barriers:
        note_idle(ctx, MEASURING, "without --barriers: nothing is measured")
    if output is not None:
        document.check_name(output)
    found = comparison.gathered(runs)
    if barriers:
        between = _barriers(
            found,
            problem=problem,
            settings=set_,
            accept_changes=accept_changes,
            trust=trust,
            quiet=quiet,
        )
        found = comparison.gathered(runs, between)
    for line in _lines(found):
        echo(line)
    beside = found[0].run.folder.absolute().parent / comparison_page.NAME
    target = document.save(comparison_page.page(found), output if output is not None else beside)
    echo(f"{target}: {size(target.stat().st_size)}")
    echo(f"open it: {opening(target)}")


def _barriers(
    runs: Sequence[ComparedRun],
    *,
    problem: str | None,
    settings: Sequence[str] | None,
    accept_changes: bool,
    trust: bool,
    quiet: bool,
) -> Connectivity | None:
    """Between the last weights, on the first run's data; None where the runs' data differ."""
    import numpy as np

    from landscape.diagnose.connectivity import connectivity
    from landscape.diagnose.symmetry import symmetry
    from landscape.plane.named_weights import check_constants, check_layout
    from landscape.sgd import problem_of
    from landscape.store import summary

    first = runs[0].run
    # Those of other networks are refused beneath, with what differs.
    if not summary.agree([run.run.record["problem"] for run in runs], ("data",)):
        return None
    made = problem_of(
        first,
        problem=given(problem, settings, seed=first.record["problem"].get("seed") or 0),
        accept_changes=accept_changes,
        trust=trust,
    )
    for other in runs[1:]:
        check_layout(first.trajectory, other.run.trajectory, str(other.run.folder))
        check_constants(first, other.run, str(other.run.folder))
    paths = [run.run.trajectory for run in runs]
    weights = np.stack([path.row_weights(path.row("final")) for path in paths])
    pairs = len(runs) * (len(runs) - 1) // 2
    with progress("barriers", pairs, quiet=quiet) as report:
        return connectivity.between(
            made,
            weights,
            symmetry=symmetry.find(made),
            listener=lambda done, total: report(done, ""),
        )


def _lines(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """The table, a row a measure; beneath it what brings the missing ones."""
    from landscape.report import comparison
    from landscape.store import summary

    if differs := summary.difference([run.run for run in runs]):
        yield differs
    lines, wanted = [], []
    for measure, cells in comparison.rows(runs):
        lines.append([measure.title, *("-" if c.value is None else c.value for c in cells)])
        wanted += [cell.command for cell in cells if cell.value is None and cell.command]
    yield from table(["", *(run.name for run in runs)], lines)
    if apart := summary.widths_apart([summary.width_of(run.run) for run in runs]):
        yield apart
    if wanted:
        yield "missing (-) is measured by:"
        yield from (f"  {command}" for command in dict.fromkeys(wanted))
