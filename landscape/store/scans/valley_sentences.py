"""A valley in sentences: for its figure, its caption and the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from landscape.quantities import counted, number, percent
from landscape.store.scans import sentences
from landscape.store.scans.valleys import FAR, MOSTLY, NEAR, TRACKED, TURNED, Valley
from landscape.store.scans.widths import ends_called

SOURCES = (
    "After the loss on the path (Goodfellow et al. 2015, arXiv:1412.6544), around it (Xing et al. "
    "2018, arXiv:1802.08770) and along critical sharpness (arXiv:2601.16979); surfaces blended "
    "along a path (Liu 2026) or decoded by an autoencoder (NeuroVisualizer) join what was measured "
    "apart, this doesn't."
)
FURTHER = {
    "gradient_norm": "the gradient's norm",
    "sharpness": "the Hessian's largest eigenvalue",
    "convexity": "|smallest / largest eigenvalue|, 0 where the loss is convex",
}
"""What may have been measured along the columns beside losses and accuracies."""
LISTED = 12
"""So many columns are listed."""
SPACED = {
    "movement": "equal ways gone in weight space",
    "steps": "equal numbers of steps",
    "rows": "equal numbers of recorded weights",
}


def across(valley: Valley, *, distance: bool) -> str:
    """The name of the axis across the path."""
    kind = "sharpest" if valley.across == "sharpest" else "across"
    unit = sentences.DISTANCE if distance else valley.unit
    short = {sentences.DISTANCE: "distance"}.get(unit, unit.replace(" units", ""))
    return f"{kind} ({short})"


def ruler(valley: Valley) -> str:
    """What the ruler beneath the columns counts."""
    return f"training step (columns at equal {valley.settings.get('spacing', 'movement')})"


def describe(valley: Valley) -> list[str]:
    """Everything a reader of the valley must know, a sentence or a line each."""
    there = valley.slices
    run = f" of run {valley.run_name}" if valley.run_name else ""
    first, last = int(there.step[0]), int(there.step[-1])
    return [
        f"A valley: the loss across the path{run} in {len(there.step)} columns, each through "
        f"recorded weights, from step {first:,} to {last:,}.",
        f"Columns: at {SPACED[valley.settings.get('spacing', 'movement')]}; {_gone(valley)}.",
        f"Across: {_direction(valley)}, {len(valley.y)} points from "
        f"{sentences.extent(valley.y)} {valley.unit}.",
        *remarks(valley),
        *sentences.overflowed(valley.events),
        *sentences.evaluated(valley.strategy, valley.evaluation_seconds, valley.provenance),
        *_table(valley),
    ]


def remarks(valley: Valley) -> list[str]:
    """What must be said beside the figure, a sentence each."""
    found, done = [], valley.finished_rows
    if done < len(valley.slices.step):
        found.append(f"Unfinished: {done} of {len(valley.slices.step)} columns are measured.")
    if reason := valley.settings.get("extent_reason"):
        found.append(f"It reaches {reason}.")
    if missing := valley.settings.get("from_snapshots"):
        found.append(
            f"Between {missing:,} pairs of recorded weights the steps' own ‖Δw‖ weren't recorded: "
            "their distance stands for the way gone, which depends on how often was recorded."
        )
    found += _breaks(valley)
    cosine = np.abs(valley.slices.cosine[np.isfinite(valley.slices.cosine)])
    if len(cosine):
        found.append(
            "|cosine| of the direction across with the path: "
            f"{number(float(np.median(cosine)), 2)} in the median, "
            f"{number(float(cosine.max()), 2)} at most; by chance "
            f"{number(float(np.sqrt(2 / np.pi / max(valley.parameters, 1))), 2)}."
        )
    found += _samples(valley)
    if valley.normalizes:
        found.append(
            "BatchNorm statistics: estimated anew at every point, so that y = 0 isn't the recorded "
            "loss."
            if valley.batchnorm == "recompute"
            else "BatchNorm statistics: each column's own, as recorded; at a high learning rate "
            "they lag behind what SGD saw."
        )
    found += filter(None, [sentences.undropped(valley.settings)])
    if _known(valley):
        found.append(_width(valley))
    if back := int((valley.slices.returned >= 0).sum()):
        found.append(
            f"At {'one column' if back == 1 else f'{back} columns'} it is back near earlier "
            f"weights: at most {percent(NEAR)} as far from an earlier column's as in between."
        )
    return found


def brief(valley: Valley) -> list[str]:
    """What is said as soon as a valley is done; `describe` says the rest."""
    done, found = valley.finished_rows, list[str]()
    if done < len(valley.slices.step):
        found.append(f"Unfinished: {done} of {len(valley.slices.step)} columns are measured.")
    if valley.certificate is not None:
        share = float(valley.measured.mean())
        found += sentences.interpolated_briefly(share, valley.certificate)
    else:
        found += _samples(valley)
    if _known(valley):
        found.append(_width(valley))
    return found + sentences.overflowed(valley.events)


def caption(valley: Valley) -> str:
    """A caption in three sentences, and in a paragraph of its own all there is to know."""
    return f"{ready(valley)}\n\n{details(valley)}"


def ready(valley: Valley) -> str:
    """What a paper says of it: what a column is, and what stands between two of them."""
    run = f"run {valley.run_name}" if valley.run_name else "a run"
    spaced = SPACED[valley.settings.get("spacing", "movement")]
    lowest, below = valley.below_the_run(), ""
    if lowest is not None:
        below = f" {sentences.below_the_run(lowest[0], 'in a column')}"
    return (
        f"Training loss across the path of {run}: each of the {len(valley.slices.step)} columns "
        f"goes through recorded weights along {_direction(valley)}, y = 0 the run itself. "
        f"Columns stand at {spaced}; nothing was measured between two.{below}"
    )


def seen(valley: Valley) -> str:
    """What its figure shows, for whoever doesn't see it: the run's loss, then the widths."""
    run = f"run {valley.run_name}" if valley.run_name else "a run"
    walked = valley.walked()
    found = [
        f"Training loss across the path of {run}, in {len(valley.slices.step)} columns.",
        f"The run's own loss: {sentences.course(walked.step, walked.loss)}.",
    ]
    return " ".join([*found, *([_width(valley)] if _known(valley) else [])])


def details(valley: Valley) -> str:
    """What was measured and how, what to mind, and what made it."""
    samples = valley.samples.get("train")
    parts = [
        f"Losses are means over {samples:,} training samples." if samples else "",
        f"Way gone: {_gone(valley)}.",
        _measured(valley),
        *remarks(valley),
        sentences.constant_output(valley.constant_loss),
        sentences.happened(valley.events),
        *sentences.overflowed(valley.events),
        "Widths in this unit aren't invariant: of different networks they compare only with care.",
        SOURCES,
        sentences.trained_as(valley.provenance.get("training", {})),
        *sentences.made_by(valley.provenance),
    ]
    return " ".join(part for part in parts if part)


def _direction(valley: Valley) -> str:
    if valley.across == "sharpest":
        return "the sharpest direction, tracked from column to column"
    how = valley.normalization
    scaled = "not normalized" if how == "none" else f"{how}-normalized in each column"
    return f"one Gaussian direction (seed {valley.seed}), {scaled}"


def _gone(valley: Valley) -> str:
    far = valley.slices.travelled
    typical = float(np.median(np.diff(far))) if len(far) > 1 else 0.0
    return f"Σ‖Δw‖ {number(float(far[-1]))} in all, about {number(typical)} between two"


def _measured(valley: Valley) -> str:
    shown = [text for name, text in FURTHER.items() if name in valley.measures]
    if not shown:
        return ""
    return f"Columns of {', '.join(shown)} (of the mean training loss) lie beneath them."


def _breaks(valley: Valley) -> Iterator[str]:
    there = valley.slices
    count = int(there.jumps.sum())
    if count:
        yield (
            f"{count} {'gap' if count == 1 else 'gaps'} between columns: the weights moved over "
            f"{FAR:g} times as far as between {percent(MOSTLY)} of the columns, or the direction "
            f"changed by over {percent(TURNED)}."
        )
    if (lost := int(there.lost.sum())) > 0:
        yield (
            f"At {counted(lost, 'column')} (triangles) no sharp direction goes on as the one before"
            f": the largest |cosine| is below {TRACKED:g}."
        )


def _samples(valley: Valley) -> Iterator[str]:
    asked = valley.settings.get("samples")
    if asked is not None and not valley.tolerance:
        yield f"Losses of {asked:,} random samples, the same ones everywhere, y = 0 among them."
    if valley.certificate is not None:
        share = float(valley.measured.mean())
        yield from sentences.interpolated(share, valley.certificate, " along their column alone")
    elif valley.tolerance and not valley.measured.all() and valley.complete:
        tested = f", tested at {valley.held_out:,} held-out points" if valley.held_out else ""
        yield (
            f"{percent(float(valley.measured.mean()))} of the points are measured, the others "
            f"interpolated along their column alone to {percent(valley.tolerance)}{tested}."
        )


def missing(valley: Valley) -> str:
    """What it still lacks when its columns are complete, in a word; empty: nothing."""
    there = (~np.isnan(valley.measures["train_loss"]) | valley.measured).all()
    return "rays" if there and not valley.complete else ""


def _known(valley: Valley) -> bool:
    return bool((~np.isnan(valley.width(0.5))).any())


def _width(valley: Valley) -> str:
    middle = valley.width(0.5)
    done = ~np.isnan(middle)
    steps = valley.slices.step[done]
    wide, narrow = int(middle[done].argmax()), valley.narrowest
    assert narrow is not None, "asked for where no width is known"
    least, most = (_radius(valley, radius) for radius in (middle[narrow], middle[done][wide]))
    found = f"{least} in every column"
    if least != most:
        found = (
            f"narrowest {least} at step {valley.slices.step[narrow]:,}, widest {most} at step "
            f"{steps[wide]:,}"
        )
    why = f", {valley.rise.why}" if valley.rise.why else ""
    return (
        f"Width r₀.₁ (loss {valley.rise.short} above the run's{why}, to "
        f"{percent(valley.precision)}, median over "
        f"{2 * valley.walls.shape[1]} rays): {found}, in {valley.unit}."
    )


def _radius(valley: Valley, radius: float) -> str:
    if np.isinf(radius):
        return f"beyond {number(float(np.abs(valley.y[[0, -1]]).max()))}"
    return f"below {number(valley.finest)}" if radius == 0 else number(radius)


def _table(valley: Valley) -> list[str]:
    """A dozen columns: step, loss, the width with its spread, critical sharpness."""
    if not _known(valley):
        return []
    rows = _listed(valley)
    some = len(rows) < len(valley.slices.step)
    which = f", {len(rows)} of {len(valley.slices.step)} columns" if some else ""
    low, middle, high = valley.widths()
    ends = ends_called(2 * valley.walls.shape[1])
    head = f"  {'step':>8} {'loss':>10} {'r₀.₁':>10} {ends:>23} {'critical sharpness':>20}"
    lines = [
        f"Width of the valley and critical sharpness along the run{which} (as a Hessian's "
        "eigenvalue: 2 over the smallest step along −∇L that raises the loss):",
        head,
    ]
    for k in rows.tolist():
        both = f"{_narrow(low[k])} to {_narrow(high[k])}"
        lines.append(
            f"  {valley.slices.step[k]:>8,} {_short(valley.loss[k]):>10} {_narrow(middle[k]):>10} "
            f"{both:>23} {_short(valley.critical_sharpness[k]):>20}"
        )
    return lines


def _listed(valley: Valley) -> NDArray[np.intp]:
    """Which columns are listed: the narrowest, that of the lowest loss, others evenly between."""
    known = np.flatnonzero(~np.isnan(valley.width(0.5)))
    losses = np.where(np.isfinite(valley.loss[known]), valley.loss[known], np.inf)
    told = {int(known[losses.argmin()]), *([] if valley.narrowest is None else [valley.narrowest])}
    for count in range(LISTED, 0, -1):
        even = known[np.linspace(0, len(known) - 1, count).round().astype(int)]
        if len(found := {*even.tolist(), *told}) <= LISTED:
            break
    return np.array(sorted(found))


def _narrow(radius: float) -> str:
    """A radius in a narrow column."""
    return "beyond" if np.isinf(radius) else "below" if radius == 0 else _short(radius)


def _short(value: float) -> str:
    return "-" if np.isnan(value) else number(value)
