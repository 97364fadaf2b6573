"""A diagnosis as a page that a person reads: the answer, its caveats, then what they rest on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from landscape.quantities import counted, percent

from .info import drawn_before
from .measured_tables import measured_tables
from .page_tables import cell, columns
from .printing import console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from landscape.diagnose import Diagnosis, Verdict
    from landscape.diagnose.items import Item
    from landscape.diagnose.verdict.verdict import Answer
    from landscape.store.measured.networks import Functions
    from landscape.store.measured.trainings import (
        ControlRepeat,
        EscapeTrainings,
        LeftAgain,
        MotionTrainings,
    )
    from landscape.store.measured.weights import Copies
    from landscape.store.measured.whole import Measured


WIDTH = 100
"""Of the page where it isn't shown on a terminal."""
NARROWEST = 80
"""Columns; tables would have to cut words below that, and a terminal breaks longer lines itself."""
LINE_WIDTH = 12
"""Of the column of lines; a few have three numbers."""


def show(diagnosis: Diagnosis, verdict: Verdict, *, evidence: bool = False) -> None:
    """Print the page, ``evidence``: with every number that it rests on."""
    shown = console(soft_wrap=False, highlight=False)
    width = max(shown.width, NARROWEST) if shown.is_terminal else WIDTH
    shown = console(soft_wrap=False, highlight=False, width=width)
    for part in page(diagnosis, verdict, evidence=evidence):
        shown.print(part)
    shown.print(_files(diagnosis, evidence=evidence), soft_wrap=True)


def page(
    diagnosis: Diagnosis, verdict: Verdict, *, evidence: bool = False
) -> Iterator[RenderableType]:
    """The page's parts, from top to bottom."""
    from landscape.diagnose.verdict.questions import TITLES

    run = diagnosis.subject.run
    yield Panel(_head(verdict), title=f"{run.folder}", title_align="left")
    if verdict.mistakes:
        yield _sentences("First of all", verdict.mistakes)
    for question, title in TITLES.items():
        yield question_answered(title, [a for a in verdict.answers if a.question[0] == question])
    if verdict.caveats:
        yield _sentences("Mind that", verdict.caveats)
    if evidence:
        measured = diagnosis.context.measured
        yield _evidence(verdict, measured)
        yield from tables(verdict, measured)


def question_answered(title: str, answers: Sequence[Answer]) -> RenderableType:
    """A question's answers, each with the options that would answer more and what it rests on."""
    from landscape.store.verdicts import RESTS, typed

    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    for answer in answers:
        text = Text(answer.text)
        if options := typed(answer.remedy):
            text.append(f" ({options})")
        text.append(f" [{RESTS[answer.confidence]}]", style="dim")
        table.add_row(Text(answer.about, style="dim"), text)
    return Group(Text(f"\n{title}", style="bold"), table)


def _head(verdict: Verdict) -> RenderableType:
    from landscape.diagnose.outcome_names import layers

    table = Table.grid(padding=(0, 2))
    landing = f", landed on: {verdict.landing}" if verdict.landing else ""
    where = f" ({layers(verdict.layers)})" if verdict.layers else ""
    table.add_row("outcome", Text(f"{verdict.verdict}{landing}{where}", style="bold"))
    steps = verdict.evidence.get("motion_steps")
    over = f" over {steps.value:,} steps" if steps is not None else ""
    table.add_row("motion", Text(f"{verdict.motion}{over}", style="bold"))
    if verdict.also:
        table.add_row("also", ", ".join(verdict.also))
    table.add_row("confidence", f"{verdict.confidence}{_meant(verdict.confidence)}")
    if verdict.rests_on is not None:
        table.add_row("rests on", ", ".join(("losses", *verdict.rests_on.parts)))
    table.add_row("below", "tested: by training again; seen: read off the run; open: not answered")
    return table


def _meant(confidence: str) -> str:
    from landscape.store.verdicts import CONFIDENCE

    meaning = CONFIDENCE[confidence]
    return f": {meaning}" if confidence == "undetermined" else f": the outcome is {meaning}"


def _sentences(title: str, sentences: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for sentence in sentences:
        table.add_row("•", Text(sentence))
    return Group(Text(f"\n{title}", style="bold"), table)


def _evidence(verdict: Verdict, measured: Measured) -> RenderableType:
    from landscape.diagnose.verdict.landing import still_moving
    from landscape.diagnose.verdict.verdict import decided

    has_tried = was_trained_again(measured)
    # What is a sentence was said above; what trainings did has a table of its own.
    names = [
        name
        for name in verdict.evidence
        if not (name.endswith("_because") or (has_tried and is_of_trainings(name)))
    ]
    first = [name for name in names if name in decided(verdict)]
    rest = [name for name in names if name not in first]
    lines: list[RenderableType] = [Text("\nEvidence", style="bold")]
    for title, chosen in (("what decided", first), ("told beside it", rest)):
        if chosen:
            lines.append(_numbers(title, {name: verdict.evidence[name] for name in chosen}))
    if (units := measured.units) and "exactly_zero" not in verdict.evidence:
        moving = units.moving(len(units.step) - 1)
        if len(moving) < len(units.tensors):
            lines.append(
                Text(
                    f"at the last weights the gradient of {len(units.tensors) - len(moving)} of "
                    f"{len(units.tensors)} parameter tensors is exactly zero; "
                    f"{still_moving(moving)}"
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


def _numbers(title: str, items: Mapping[str, Item]) -> RenderableType:
    from landscape.diagnose.items import label

    table = columns("value", "line", "what it is", right=(1, 2), first=title)
    table.columns[2].no_wrap, table.columns[2].max_width = False, LINE_WIDTH
    for name, item in items.items():
        table.add_row(
            Text(label(name), no_wrap=True),
            cell(item.value),
            cell(item.threshold, "–"),
            Text(item.text),
        )
    return table


def _files(diagnosis: Diagnosis, *, evidence: bool) -> Text:
    """Where everything is; paths in one piece, however long."""
    from landscape.diagnose.session.kept import VERDICT
    from landscape.diagnose.trainings.trials import FOLDER
    from landscape.store.analysis import NAME
    from landscape.store.summary import figures_before_curvature

    folder = diagnosis.subject.run.folder
    text = Text("\nFiles", style="bold")
    lines = {
        folder / VERDICT: "this verdict with every number that it rests on",
        folder / NAME: "all that was measured, in HDF5",
    }
    if diagnosis.plan.trials:
        lines[folder / FOLDER] = f"{counted(len(diagnosis.plan.trials), 'run')}, as any other"
    for place, what in lines.items():
        text.append(f"\n{place}: {what}", style="not bold")
    for scan in figures_before_curvature(diagnosis.subject.run):
        place = folder / "scans" / f"{scan}.h5"
        text.append(f"\n{place}: {drawn_before(folder, scan)}", style="not bold")
    if not evidence:
        text.append(
            "\n--evidence prints the numbers too, beside the lines that they are held against",
            style="not bold",
        )
    return text


def tables(verdict: Verdict, measured: Measured) -> Iterator[RenderableType]:
    """Those there is something for, from top to bottom."""
    found = measured.interventions
    if found is not None and found.escape is not None:
        yield Group(Text("\nTrained again", style="bold"), _escape(found.escape))
    elif found is not None and found.motion is not None:
        motion = _motion(found.motion, verdict, measured)
        if motion is not None:
            yield motion
    if measured.permutations is not None:
        yield _distances(measured, measured.permutations)
    if measured.functions is not None:
        yield from _functions(measured.functions)
    yield from measured_tables(measured)


def was_trained_again(measured: Measured) -> bool:
    """Whether there is a table of what trainings after an escape did."""
    found = measured.interventions
    return found is not None and found.escape is not None


def is_of_trainings(name: str) -> bool:
    """Whether evidence of that name is in this table."""
    return "_from_" in name or name == "plateau_rates"


def _escape(found: EscapeTrainings) -> RenderableType:
    from landscape.store.measured.trainings import KINDS, STARTS

    table = columns(
        *("runs", "loss they end at", f"ended below {cell(found.level)}"),
        right=(1, 2, 3),
        first="from",
    )
    for start, place in STARTS.items():
        for kind, change in KINDS.items():
            same = [b for b in found.branches if (b.start, b.kind) == (start, kind)]
            if same:
                rates = ", ".join(f"{rate:g}" for rate in sorted({b.learning_rate for b in same}))
                losses = [b.end_loss for b in same]
                back = sum(loss <= found.level for loss in losses)
                table.add_row(
                    Text(f"{place.page}, η = {rates}{change.page}"),
                    str(len(losses)),
                    _range(losses),
                    f"{back} of {len(losses)}",
                )
    lines: list[RenderableType] = [table]
    lines += [Text(_again(one)) for one in found.again]
    still = {b.start for b in found.branches if b.kind == "control" and not b.velocity}
    lines += [Text(_control(one, has_velocity=one.start not in still)) for one in found.controls]
    return Group(*lines)


def _again(found: LeftAgain) -> str:
    from landscape.store.measured.trainings import STARTS

    place = STARTS[found.start].page
    return (
        f"from {place}, same rate, other orders: {found.away} of {found.count} tried left "
        f"(95 % interval of the probability: {percent(found.low)} to {percent(found.high)})"
    )


def _control(found: ControlRepeat, *, has_velocity: bool) -> str:
    from landscape.store.measured.trainings import STARTS

    where = f"control from {STARTS[found.start].page}"
    if found.equal == found.steps:
        return f"{where}: all {found.steps} batch losses are the run's to the bit"
    why = (
        "as on another machine or with other versions"
        if has_velocity
        else "since no velocity was recorded there to begin with"
    )
    return (
        f"{where}: {found.equal} of {found.steps} batch losses are the run's to the bit, then they "
        f"differ by up to {percent(found.difference)} within the first epoch, {why}"
    )


def _motion(found: MotionTrainings, verdict: Verdict, measured: Measured) -> RenderableType | None:
    """What isn't among the evidence."""
    table = columns("", right=(1,), first="Trained on, from step " + str(found.start_step))
    replicas, full = found.replicas, found.full_batch
    if replicas is not None and "replicas_ratio" not in verdict.evidence:
        table.add_row(
            f"{replicas.count} replicas, other orders: distance between them against distance "
            "covered (0 drift, 1 walk)",
            f"{cell(replicas.ratio)} ± {cell(replicas.ratio_error)}",
        )
    if full is not None:
        table.add_row(
            f"distance after {full.steps} steps, full batch (no noise)", cell(full.displacement)
        )
        table.add_row("the same with the batches' noise", cell(full.noisy_displacement))
    if found.floor_losses:
        table.add_row(
            f"floors below {len(found.floor_losses)} snapshots: loss", _range(found.floor_losses)
        )
    if "barrier_line" not in verdict.evidence:
        for row in _barriers(measured):
            table.add_row(*row)
    if found.lower is not None:
        table.add_row(
            "loss that a tenth of the rate ends at, from the last weights",
            cell(found.lower.end_loss),
        )
    return Group(Text(), table) if table.row_count else None


def _barriers(measured: Measured) -> Iterator[tuple[str, str]]:
    from landscape.store.measured.paths import PATHS

    trained = measured.curves.trained if measured.curves is not None else 0
    for name, barriers in measured.barriers.items():
        way, worst = PATHS[name].page.format(trained=trained), barriers.highest
        yield (
            f"worst barrier between floors, {way}: error points, loss over the higher end's",
            f"{cell(worst.error)}, {cell(worst.ratio)}",
        )


def _distances(measured: Measured, copies: Copies) -> RenderableType:
    import numpy as np

    table = columns("d", "what it is", right=(1,), first="distance in weight space")
    spread = measured.distances
    if spread is not None:
        curve = spread.settled or spread.by_lag
        since = f" from step {spread.since} on" if spread.settled else ", the whole run"
        for place in sorted({0, len(curve.lag) // 2, len(curve.lag) - 1}):
            table.add_row(
                f"w_N to w_(N + {curve.lag[place]:.0f})",
                cell(float(curve.distance[place])),
                f"root mean square over N{since}, {counted(int(curve.pairs[place]), 'pair')}",
            )
        if spread.settled:
            whole = float(np.interp(curve.lag[-1], spread.by_lag.lag, spread.by_lag.distance))
            table.add_row(
                "the same over the whole run",
                cell(whole),
                "what was learned at first is in it",
            )
    typical = copies.typical.mean if copies.typical is not None else None
    rows = (
        ("nearest permuted copy", copies.nearest, "nearest"),
        ("typical permuted copy", typical, "typical"),
        ("twin", copies.twin, "twin"),
        ("twin, units matched", copies.twin_matched, "twin_matched"),
    )
    for name, value, meaning in rows:
        if value is not None:
            table.add_row(name, cell(value), copies.meanings[meaning])
    lines: list[RenderableType] = [Text(), table]
    lines += [Text(caveat) for caveat in copies.caveats]
    return Group(*lines)


def _functions(found: Functions) -> Iterator[RenderableType]:
    table = columns(
        "differ",
        right=(1,),
        first=f"predictions, of the {found.samples} {found.data} samples, in function space",
    )
    for row in (0, -2):
        differ = float(found.disagreement[row, -1])
        if not math.isnan(differ):
            table.add_row(f"at step {found.step[row]} and at {found.step[-1]}", percent(differ))
    if table.row_count:
        yield Group(Text(), table)


def _range(losses: Sequence[float]) -> str:
    low, high = min(losses), max(losses)
    return cell(low) if low == high else f"{cell(low)} to {cell(high)}"
