"""A diagnosis as a page that a person reads: answers first, then evidence, distances, files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from landscape.diagnose.connectivity import Connectivity, Pairs
    from landscape.diagnose.copies import Copies
    from landscape.diagnose.curved import Curved
    from landscape.diagnose.diagnosis import Diagnosis
    from landscape.diagnose.escape import Again, Control, Escape
    from landscape.diagnose.items import Value
    from landscape.diagnose.replicas import Motion
    from landscape.diagnose.verdict import Verdict

WIDTH = 100
"""Of the page where it isn't shown on a terminal."""


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
    results = diagnosis.context.results
    yield _evidence(verdict, results)
    if tried := _tried(results):
        yield tried
    if copies := results.get("permutations"):
        yield _distances(results, copies)
    if verdict.caveats:
        yield _sentences("Mind that", verdict.caveats)


def _head(verdict: Verdict) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    landing = f", landed on: {verdict.landing}" if verdict.landing else ""
    layers = f" ({', '.join(verdict.layers)})" if verdict.layers else ""
    table.add_row("outcome", Text(f"{verdict.verdict}{landing}{layers}", style="bold"))
    table.add_row("motion", Text(verdict.motion, style="bold"))
    if verdict.also:
        table.add_row("also", ", ".join(verdict.also))
    table.add_row("confidence", f"{verdict.confidence}{_meant(verdict.confidence)}")
    return table


def _meant(confidence: str) -> str:
    return {
        "intervention": ": tested by training again from the run's snapshots",
        "observation": ": read off the run, not tested by interventions",
        "undetermined": "",
    }[confidence]


def _sentences(title: str, sentences: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for sentence in sentences:
        table.add_row("•", Text(sentence))
    return Group(Text(f"\n{title}", style="bold"), table)


def _evidence(verdict: Verdict, results: Mapping[str, Any]) -> RenderableType:
    table = _table("value", "line", "what it is", right=(1, 2), first="evidence")
    for name, item in verdict.evidence.items():
        # What is a sentence was said above.
        if not name.endswith("_because"):
            table.add_row(
                Text(name.replace("_", " "), no_wrap=True),
                cell(item.value),
                cell(item.threshold, "–"),
                Text(item.meaning),
            )
    lines: list[RenderableType] = [Text("\nEvidence", style="bold"), table]
    if (units := results.get("units")) and "exactly_zero" not in verdict.evidence:
        moving = units.moving(len(units.step) - 1)
        if len(moving) < len(units.tensors):
            lines.append(
                Text(
                    f"at the end the gradient of {len(units.tensors) - len(moving)} of "
                    f"{len(units.tensors)} parameter tensors is exactly zero, all but "
                    f"{', '.join(moving) or 'none'}"
                )
            )
    if curvature := results.get("curvature"):
        lines.append(
            Text(
                f"at step {curvature.step[-1]} the Hessian's trace is {cell(curvature.trace[-1])} "
                f"and a step along the gradient, without momentum, lowers the loss up to a rate "
                f"of {cell(curvature.critical_step[-1])}"
            )
        )
    return Group(*lines)


def _tried(results: Mapping[str, Any]) -> RenderableType | None:
    found = results.get("interventions")
    if found is None or (found.escape is None and found.motion is None):
        return None
    if found.escape is not None:
        return Group(Text("\nTrained again", style="bold"), _escape(found.escape))
    return _motion(found.motion, results.get("connectivity"), results.get("curves"))


def _escape(found: Escape) -> RenderableType:
    table = _table(
        "runs", "loss at the end", f"below {cell(found.level)}", right=(1, 2, 3), first="from"
    )
    for start, words in _STARTS.items():
        for kind, what in _KINDS.items():
            same = [b for b in found.branches if (b.start, b.kind) == (start, kind)]
            if same:
                rates = ", ".join(f"{rate:g}" for rate in sorted({b.learning_rate for b in same}))
                losses = [b.end_loss for b in same]
                back = sum(loss <= found.level for loss in losses)
                table.add_row(
                    Text(f"{words}, η = {rates}{what}"),
                    str(len(losses)),
                    _range(losses),
                    f"{back} of {len(losses)}",
                )
    lines: list[RenderableType] = [table]
    lines += [Text(_again(one)) for one in found.again]
    lines += [Text(_control(one)) for one in found.controls]
    return Group(*lines)


def _again(found: Again) -> str:
    return (
        f"from {_STARTS[found.start]}, same rate, other orders: {found.away} of {found.count} left "
        f"(95 % interval of the probability: {found.low:.0%} to {found.high:.0%})"
    )


def _control(found: Control) -> str:
    exact = found.equal == found.steps
    which = f"all {found.steps}" if exact else f"the first {found.equal} of {found.steps}"
    rest = "" if exact else f", then within {found.difference:.2g} over the first epoch"
    return (
        f"control from {_STARTS[found.start]}: {which} batch losses are the run's to the bit{rest}"
    )


_STARTS = {
    "best": "the best weights",
    "before-onset": "before the onset",
    "end": "the end",
    "plateau": "a start on the plateau",
}
_KINDS = {
    "control": ", same order (control)",
    "other-order": ", other orders",
    "lower-rate": "",
    "rate": "",
    "plateau": "",
}


def _motion(
    found: Motion, between: Connectivity | None, curves: Curved | None
) -> RenderableType | None:
    table = _table("", right=(1,), first="Trained on, from step " + str(found.start_step))
    replicas, full = found.replicas, found.full_batch
    if replicas is not None:
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
    if between is not None:
        paths: dict[str, Pairs | Curved] = {
            "straight": between.line,
            "from floor to floor": between.polyline,
        }
        if between.matched is not None:
            paths["straight, units matched"] = between.matched
        if curves is not None:
            paths[f"straight, and along {curves.trained} trained curves"] = curves
        for way, pairs in paths.items():
            table.add_row(
                f"worst barrier between floors, {way}: error points, loss over the higher end's",
                f"{cell(pairs.error.max().item())}, {cell(pairs.ratio.max().item())}",
            )
    if found.lower is not None:
        table.add_row(
            "loss at the end of a tenth of the rate, from the end", cell(found.lower.end_loss)
        )
    return Group(Text(), table) if table.row_count else None


def _distances(results: Mapping[str, Any], copies: Copies) -> RenderableType:
    table = _table("d", "what it is", right=(1,), first="distance in weight space")
    spread = results.get("distances")
    if spread is not None:
        curve = spread.by_lag
        for place in sorted({0, len(curve.lag) // 2, len(curve.lag) - 1}):
            table.add_row(
                f"w_N to w_(N + {curve.lag[place]:.0f})",
                cell(float(curve.distance[place])),
                "root mean square over N",
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
    if functions := results.get("functions"):
        for row in (0, -2):
            differ = float(functions.disagreement[row, -1])
            if not math.isnan(differ):
                table.add_row(
                    f"w_{functions.step[row]} to w_{functions.step[-1]}",
                    f"{differ:.1%}",
                    f"share of {functions.data} predictions that differ, in function space",
                )
    lines: list[RenderableType] = [Text(), table]
    lines += [Text(caveat) for caveat in copies.caveats]
    return Group(*lines)


def _files(diagnosis: Diagnosis) -> Text:
    """Where everything is; paths in one piece, however long."""
    from landscape.diagnose.diagnosis import VERDICT
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


def _table(*columns: str, right: Sequence[int] = (), first: str = "") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for place, name in enumerate((first, *columns)):
        table.add_column(
            name, justify="right" if place in right else "left", no_wrap=place in right
        )
    return table


def _range(losses: Sequence[float]) -> str:
    low, high = min(losses), max(losses)
    return cell(low) if low == high else f"{cell(low)} to {cell(high)}"


def cell(value: Value, missing: str = "unknown") -> str:
    """A value in a table: three digits, and words for what isn't a number."""
    if value is None:
        return missing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "unknown"
    return f"{value:.3g}".replace("-", "−").replace("inf", "∞")
