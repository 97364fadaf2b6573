"""A scan in sentences: for figures, captions and the terminal, in the same words and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from landscape.quantities import counted, duration, number, percent
from landscape.store.provenance import is_typed
from landscape.store.scans import rises
from landscape.store.scans.attributes import CORESET
from landscape.store.scans.certificates import FACTOR, Certificate
from landscape.store.scans.records import DROPS, STILL, Floats, Path, Plane, Point, Scan
from landscape.store.scans.widths import Width, ends_called
from landscape.store.trajectories.trajectory import BATCH_SPIKE, Event
from landscape.store.typed import rebuilt

AGREES = 0.1
"""Beyond this relative difference of plane and true loss, the plane says little about a point."""
ARC = 0.95
"""Correlation with cosines above which a path on its principal components may be a random walk."""
SQUARE = float(np.sin(np.radians(0.5)))
"""Cosine of two directions below which they count as being at right angles."""
DISTANCE = "distance in weight space"
MEASURES = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "train_accuracy": "training accuracy",
    "validation_accuracy": "validation accuracy",
}
EXPLAINED = {
    "gradient_norm": "gradient norm",
    "sharpness": "sharpness (the Hessian's largest eigenvalue)",
    "convexity": "|smallest / largest Hessian eigenvalue| (0 where convex)",
}
EVENTS = ("escape", "recovery", "spike", "plateau", "non-finite")
"""The events that figures show; of several at one step in this order."""
STRATEGIES = {
    "sequential": "one point after the other",
    "batched": "several points in one call",
    "shared": "the first layer once for all points",
    "shared+batched": "the first layer once for all points, several in one call",
    "folded": "BatchNorm folded into its layers",
    "folded+blocked": "BatchNorm folded into its layers, images laid out in blocks",
    "folded+fused": "BatchNorm folded into its layers, ReLU done with them",
}
"""How losses at many points were had, by the name that a scan stores."""
NAMED = 4
"""So many tensors are named, of more it says that there are others."""
NEVER_NEAR = "Interpolation was never near enough: every point is measured."
MOST = 2
"""So many stretches of one name are listed, more are counted."""
TRAINED_WITH = (
    ("lr", "learning rate"),
    ("momentum", "momentum"),
    ("weight_decay", "weight decay"),
    ("clip", "gradients clipped to norm"),
    ("ema", "average of the weights with"),
    ("batch_size", "batch"),
)

ROOT = "data_root"
"""A problem's setting that says where data lie."""


class BatchNormText(NamedTuple):
    """What is said of where a scan's BatchNorm statistics are from."""

    figure: str
    """Behind "BatchNorm statistics:", in small letters."""
    caption: str
    """A sentence."""
    full: str
    """Behind "BatchNorm statistics:", where there is room."""


BATCHNORM = {
    "saved": BatchNormText(
        "the origin's",
        "BatchNorm layers use the origin's running statistics.",
        "the origin's at every point",
    ),
    "recompute": BatchNormText(
        "re-estimated at every point",
        "BatchNorm statistics were estimated anew at every point.",
        "estimated anew at every point",
    ),
    "interpolate": BatchNormText(
        "interpolated",
        "BatchNorm statistics were interpolated along the axes.",
        "between those of the weights the plane goes through: means affine, variances in their "
        "logarithm",
    ),
}


UNSETTLED, HALF = 1.25, 4
"""A drift's run hadn't settled where its halves' median losses differ by more than this factor; of
fewer losses in a half nothing is said."""
UNEVEN = 5.0
"""From so many times on that one axis spans as much as the other, figures say so."""
IGNORING = "ignoring the input"
"""What the best constant output is called in figures and captions."""
SPECTRAL = {
    "saved": "Spectral norms are estimated with the origin's vectors: away from it they come out "
    "too small.",
    "recompute": "Spectral norms were computed anew at every point.",
    "interpolate": "Spectral norms were computed anew at every point.",
}


def describe(scan: Scan) -> list[str]:
    """Everything a reader of the scan must know, a sentence each."""
    sentences = [_where(scan), *_axes(scan), *moved(scan), _grid(scan), *_losses(scan)]
    for path in scan.paths:
        sentences += _path(scan, path)
    if normalizes(scan.plane):
        sentences.append(f"BatchNorm statistics: {_batchnorm(scan.plane).full}.")
    return [
        *sentences,
        *_spectral(scan.plane),
        *filter(None, [undropped(scan.settings)]),
        *remarks(scan),
        *filter(None, [uneven(scan), unsettled(scan)]),
        *overflowed(_events(scan)),
        *evaluated(scan.strategy, scan.evaluation_seconds, scan.provenance),
    ]


def device_of(provenance: Mapping[str, Any], how: Mapping[str, Any]) -> str:
    """What a scan was measured on, in files of older versions without its name; empty: unknown."""
    return str(provenance.get("device") or how.get("device") or "")


def evaluated(how: Mapping[str, Any], seconds: float, provenance: Mapping[str, Any]) -> list[str]:
    """How long the points took, by which strategy and on what; none where nothing was evaluated."""
    if "name" not in how:
        return []
    points = f"{how['points']} points at once, " if how.get("points", 1) > 1 else ""
    lanes = f"{how['lanes']} side by side, " if how.get("lanes", 1) > 1 else ""
    name = how["name"]
    device = device_of(provenance, how)
    on = f", on {device}" if device else ""
    known = f"{STRATEGIES[name]} ({name})" if name in STRATEGIES else name
    return [
        f"Losses evaluated in {duration(seconds)}: {known}, {points}{lanes}"
        f"batches of {how['batch_size']}{on}.",
        *([f"{note[0].upper()}{note[1:]}."] if (note := how.get("note")) else []),
    ]


def remarks(scan: Scan) -> list[str]:
    """What the figure itself doesn't show: widths, barriers, and how the path may mislead."""
    found = []
    if reason := scan.settings.get("extent_reason"):
        found.append(f"The grid reaches {reason}.")
    if decay := scan.settings.get("weight_decay"):
        found.append(f"Training losses include the weight decay, {number(decay)}/2 |w|².")
    # How losses were had where that is out of the ordinary, as the problem words it.
    found += scan.settings.get("objective", {}).get("notes", [])
    found += approximations(scan)
    if scan.spread is not None and scan.is_line:
        count = len(scan.spread.seeds)
        found.append(
            f"Curves: medians over {count} random directions; bands: their {ends_called(count)}."
        )
    return found + _results(scan)


def missing(scan: Scan) -> str:
    """What a run's scan still lacks when its grid is complete, in a word; empty: nothing."""
    # Paths come last.
    if not scan.complete or not scan.run_id or scan.paths:
        return ""
    if scan.spread is not None and not scan.spread.measured.all():
        return "directions"
    planes = 1 if scan.spread is None else len(scan.spread.seeds)
    radii = scan.findings.get("crossings", {}).get("radii", ())
    if rises.KEY in scan.settings and "width" not in scan.findings and len(radii) < planes:
        return "rays"
    return "path's losses"


def _results(scan: Scan) -> list[str]:
    """Widths and barriers, and how the path may mislead."""
    found = []
    if "width" in scan.findings:
        found.append(_width(rebuilt(Width, scan.findings["width"])))
    elif scan.complete and scan.spread is not None:
        found.append("Width r₀.₁: undetermined, the origin isn't on the grid or its loss infinite.")
    if "barrier" in scan.findings:
        found += _barrier(scan.findings["barrier"])
    elif scan.complete and scan.settings.get("between"):
        found.append("Barrier: undetermined, the two weights aren't both grid points.")
    if scan.settings.get("between") and scan.weights is not None and scan.weights.tensors:
        found.append(
            "The line's end has the second weights only in the tensors that move: it isn't that "
            "network, and the barrier isn't the one between the two."
        )
    for path in scan.paths:
        found += _nulls(scan, path)
    return found


def brief(scan: Scan) -> list[str]:
    """What is said as soon as a scan is done; `describe` says the rest."""
    found = list(scan.settings.get("objective", {}).get("notes", []))
    for path in scan.paths:
        text = f"{share(path)}{_dashed(scan, path)}"
        found.append(f"{text[0].upper()}{text[1:]}.")
    if scan.tolerance and scan.certificate is not None:
        found += interpolated_briefly(float(scan.measured.mean()), scan.certificate)
    else:
        found += approximations(scan)
    found += filter(None, [unsettled(scan)])
    return found + _results(scan) + overflowed(_events(scan))


def approximations(scan: Scan) -> list[str]:
    """A sentence on the subset of the samples, some on interpolation; none where all is exact."""
    found = []
    asked = scan.settings.get("samples")
    if asked is not None and not scan.tolerance:
        found.append(_subset(scan, asked))
    if scan.tolerance and scan.certificate is not None:
        few = scan.settings.get(CORESET)
        how = f" from there and from what {few} weighted samples say everywhere" if few else ""
        found += interpolated(float(scan.measured.mean()), scan.certificate, how)
    return found


def caption(scan: Scan) -> str:
    """A caption in two or three sentences, and in a paragraph of its own all there is to know.

    >>> import numpy as np
    >>> from landscape.store.scans.records import Plane
    >>> directions = np.eye(2, 3, dtype=np.float32)
    >>> plane = Plane("random", np.zeros(3, np.float32), directions, ("u", "v"), "some unit")
    >>> x = np.linspace(-1, 1, 11)
    >>> loss = 0.1 + x[:, None] ** 2 + 2 * x**2

    >>> text = caption(Scan(plane, x, x, {"train_loss": loss}, np.ones((11, 11), bool)))
    >>> text.partition(".")[0]
    'Training loss on the plane through the final weights (step 0) (x: u; y: v)'
    """
    return f"{ready(scan)}\n\n{details(scan)}"


def ready(scan: Scan, mistrust: str = "", names: Sequence[str] = ("training",)) -> str:
    """What a paper says beneath the figure: what is drawn, and how far to trust the path.

    ``mistrust`` says how a figure shows where not to, ``names`` which losses it shows.
    """
    shape = "line" if scan.is_line else "plane"
    losses, panels = " and ".join(names), ", a panel each," * (len(names) > 1)
    found = [f"{losses[0].upper()}{losses[1:]} loss{panels} on {_placed(scan)}."]
    found += filter(None, [uneven(scan)])
    moving = [path for path in scan.paths if np.isfinite(path.share_in_plane)]
    if len(moving) == 1 and scan.is_line:
        found.append(
            "Marks are weights of the training, projected: the line holds "
            f"{percent(moving[0].share_in_plane)} of its path's variance"
            f"{_beside_chance(scan, moving[0])}{_behind(mistrust)}."
        )
    elif moving and scan.path_is_a_dot:
        held = " and ".join(percent(path.share_in_plane) for path in moving)
        found.append(
            f"On it the training's path is a dot or little more: the plane holds {held} of its "
            f"variance{_beside_chance(scan, moving[0])} and shows what lies around these weights"
            f"{_behind(mistrust)}."
        )
    elif len(moving) == 1:
        held = f"{percent(moving[0].share_in_plane)} of its variance"
        found.append(
            f"The training's path is projected: the plane holds {held}"
            f"{_beside_chance(scan, moving[0])}{_behind(mistrust)}."
        )
    elif moving:
        shares = [percent(path.share_in_plane) for path in moving]
        found.append(
            f"The paths of {', '.join(path.name for path in moving)} are projected: the {shape} "
            f"holds {', '.join(shares)} of their variance{_behind(mistrust)}."
        )
    elif mistrust:
        found.append(f"{mistrust[0].upper()}{mistrust[1:]}.")
    if (lowest := scan.below_the_run()) is not None:
        found.append(below_the_run(lowest[0], f"on the {shape}"))
    if "validation" in names and not scan.is_line:
        found += filter(None, [lowest_validation(scan)])
    found += filter(None, [unsettled(scan)])
    return " ".join([*found, *overflowed(_events(scan))])


def course(step: NDArray[np.int64], loss: Floats, lowest: str = "lowest") -> str:
    """The first, the lowest and the last of a run's losses, with their steps; empty without any.

    >>> course(np.array([0, 10, 20]), np.array([2.3, 0.4, np.nan]))
    '2.3 at step 0, lowest 0.4 at step 10'
    """
    known = np.flatnonzero(np.isfinite(loss))
    if not len(known):
        return ""
    least = known[int(np.argmin(loss[known]))]
    names = dict.fromkeys((known[0], least, known[-1]), "") | {least: f"{lowest} "}
    return ", ".join(f"{word}{number(loss[k])} at step {step[k]:,}" for k, word in names.items())


def seen(scan: Scan) -> str:
    """What a plane's figure shows, for whoever doesn't see it: the lowest loss, then the path."""
    there = scan.measured & np.isfinite(scan.measures["train_loss"])
    found = [f"Training loss on {_placed(scan)}."]
    if there.any():
        low, high = (number(f(scan.measures["train_loss"][there])) for f in (np.min, np.max))
        found.append(f"It goes from {low}, the lowest measured, to {high}.")
    for path in scan.paths:
        whose = f"The path of {path.name}" if len(scan.paths) > 1 else "The training's path"
        run = course(path.step, path.true_loss)
        held = percent(path.share_in_plane)
        part = f"{held} of its variance lies in the plane" if path.share_in_plane >= 0 else ""
        if said := "; ".join(filter(None, (run, part))):
            found.append(f"{whose}: {said}.")
    return " ".join(found)


def lowest_validation(scan: Scan) -> str:
    """The lowest validation loss measured on a plane, and the plane's where the run ends.

    Empty where none was measured; of the end nothing where it isn't within the grid.
    """
    losses = scan.measures.get("validation_loss", np.empty(0))
    there = np.isfinite(losses) & scan.measured if losses.size else np.zeros(0, bool)
    if not there.any():
        return ""
    lowest = number(float(losses[there].min()))
    said = f"Validation loss on the plane: {lowest} at the lowest measured point"
    ends = [scan.on_plane("validation_loss", one.xy) for one in scan.points if one.name == "end"]
    if len(ends) != 1 or not math.isfinite(ends[0]):
        return f"{said}."
    return f"{said}, {number(ends[0])} at the run's end."


def _events(scan: Scan) -> list[Event]:
    return [event for path in scan.paths for event in path.events]


def _beside_chance(scan: Scan, path: Path) -> str:
    """What a random plane holds on average, beside one that isn't random itself."""
    if all(label.startswith("random direction") for label in scan.plane.labels):
        return ""
    return f" (a random one would hold {percent(path.chance)})"


def _behind(mistrust: str) -> str:
    return f"; {mistrust}" if mistrust else ""


def spans(scan: Scan) -> str:
    """That one axis spans many times as much as the other; empty where it doesn't, or on a line.

    Both have to be distances in weight space: others aren't of one unit.
    """
    if scan.is_line or scan.plane.unit != DISTANCE:
        return ""
    x, y = (float(np.ptp(axis)) for axis in (scan.x, scan.y))
    (most, wide), (least, narrow) = sorted((("x", x), ("y", y)), key=lambda axis: -axis[1])
    if not wide > UNEVEN * narrow > 0:
        return ""
    return f"{most} spans {number(wide / narrow, 2)} times as much as {least}"


def uneven(scan: Scan) -> str:
    """The same as a sentence, and what it means for what is seen."""
    if not (said := spans(scan)):
        return ""
    return (
        f"Axis {said}, both in {DISTANCE}: how steep it is along one can't be compared by eye "
        "with the other."
    )


def unsettled(scan: Scan) -> str:
    """That the loss still fell, or rose, over the steps that a plane's drift is taken from.

    Their halves' losses are compared, those before and those from where the drift begins on: said
    where the medians differ by more than `UNSETTLED` and the middle half of either lies apart from
    that of the other. Empty on other planes, and with fewer than `HALF` known losses in a half.
    """
    begins = [point.step for point in scan.points if point.name == f"step {point.step:,}"]
    if scan.plane.kind != "drift" or len(scan.paths) != 1 or not begins:
        return ""
    [path], middle = scan.paths, begins[0]
    first = max(0, 2 * middle - scan.plane.origin_step)
    held = np.isfinite(path.true_loss) & (path.step >= first)
    halves = [held & (path.step < middle), held & (path.step >= middle)]
    if any(half.sum() < HALF for half in halves):
        return ""
    before, after = (np.quantile(path.true_loss[half], (0.25, 0.5, 0.75)) for half in halves)
    fell = before[0] > after[2] and before[1] > UNSETTLED * after[1]
    if not fell and not (after[0] > before[2] and after[1] > UNSETTLED * before[1]):
        return ""
    steps = [f"{path.step[half][0]:,} to {path.step[half][-1]:,}" for half in halves]
    return (
        f"The run hadn't settled: the median loss of its weights {'fell' if fell else 'rose'} from "
        f"{number(before[1])} (steps {steps[0]}) to {number(after[1])} (steps {steps[1]}), and the "
        f"drift holds that {'descent' if fell else 'rise'}."
    )


def below_the_run(loss: float, where: str) -> str:
    """That the best of all evaluated points isn't one of the run's."""
    return f"The lowest loss measured {where}, {number(loss)}, is below all of the run's own."


def ready_together(scans: Sequence[Scan], mistrust: str = "") -> str:
    """What a paper says beneath several planes side by side, as `ready` does of one."""
    found = [f"Training losses on one scale, on {'; on '.join(map(_placed, scans))}."]
    shares = [path.share_in_plane for scan in scans for path in scan.paths]
    shares = [share for share in shares if np.isfinite(share)]
    if shares:
        held = " to ".join(dict.fromkeys((percent(min(shares)), percent(max(shares)))))
        found.append(
            f"The trainings' paths are projected: the planes hold {held} of their variance"
            f"{_behind(mistrust)}."
        )
    return " ".join(found)


def _placed(scan: Scan) -> str:
    """Which plane or line it is, and what its axes are."""
    plane = scan.plane
    shape = "line" if scan.is_line else "plane"
    named = [f"{letter}: {label}" for letter, label in zip("xy", plane.labels, strict=False)]
    axes = f" ({'; '.join(named)})" if any(plane.labels) else ""
    if not plane.origin.size:
        return f"an imported {shape}{axes}"
    run = f" of run {scan.run_name}" if scan.run_name else ""
    return f"the {shape} through the {origin(plane)}{run}{axes}"


def details(scan: Scan) -> str:
    """What was measured where and how, how much it shows of the path, and what made it."""
    sentences = [_subject(scan), _named_axes(scan), *moved(scan), _extents(scan), _centre(scan)]
    sentences.append(constant_output(scan.constant_loss))
    for path in scan.paths:
        text = share(path)
        sentences += [f"{text[0].upper()}{text[1:]}.", happened(path.events)]
    sentences += scan.remarks
    if normalizes(scan.plane):
        sentences += [_batchnorm(scan.plane).caption, own_best(scan)]
    sentences += [*_spectral(scan.plane), undropped(scan.settings)]
    sentences.append(trained_as(scan.provenance.get("training", {})))
    return " ".join(text for text in (*sentences, *made_by(scan.provenance)) if text)


def small_print(scan: Scan) -> list[str]:
    """What a figure says in small letters beneath its panels, a line each."""
    plane = scan.plane
    facts = [f"origin: {origin(plane)}", scaling(plane)]
    if normalizes(plane):
        facts.append(f"BatchNorm statistics: {_batchnorm(plane).figure}")
    facts.append(skew(plane))
    joined = "; ".join(text for text in facts if text)
    joined = " ".join([*moved(scan), *_spectral(plane), joined]).strip()
    return [*(share(path) for path in scan.paths), *scan.remarks, joined]


def extent(values: Floats) -> str:
    """The range of an axis: ``−1 to 1``."""
    return f"{number(float(values[0]))} to {number(float(values[-1]))}"


def unit(plane: Plane, axis: int) -> str:
    """What 1 on an axis is: its unit, and the distance in weight space where it differs."""
    if plane.unit == DISTANCE or not plane.directions.size:
        return plane.unit
    return f"{plane.unit}; 1 = {number(plane.norms[axis])} in weight space"


def axis(plane: Plane, axis: int) -> tuple[str, str]:
    """An axis' name and its unit in brackets, for two lines of a label."""
    return plane.labels[axis], f"({unit(plane, axis)})"


def measure(scan: Scan, name: str) -> str:
    """A panel's title: the measure and the samples behind it."""
    samples = scan.samples.get(scan.measure(name).role)
    words = title(scan, name)
    return f"{words} ({samples:,} samples)" if samples else words


def title(scan: Scan, name: str) -> str:
    """What a measure is called: ``validation accuracy``, ``training loss, residual``."""
    if name in MEASURES:
        return MEASURES[name]
    about = scan.measure(name)
    if about.term:
        return f"{MEASURES[f'{about.role}_loss']}, {about.term}"
    words = name.removeprefix(f"{about.role}_").replace("_", " ")
    of = {"train": "training ", "validation": "validation "}.get(about.role, "")
    unit = f" [{about.unit}]" if about.unit else ""
    return f"{of}{words}{unit}"


def marked(point: Point) -> str:
    """A marked point's legend entry: ``best (step 900)``."""
    step = f"step {point.step:,}"
    return point.name if point.name in (step, STILL) else f"{point.name} ({step})"


def still(scan: Scan, point: Point) -> list[str]:
    """What is said of weights without a run: that they are these, and their loss where known."""
    loss = scan.measured_loss(point.xy)
    return [point.name, f"loss {number(loss)}"] if math.isfinite(loss) else [point.name]


def share(path: Path) -> str:
    """How much of a path lies in the plane or on the line, beside what a random one holds."""
    name = f"path {path.name}" if path.name not in ("", "path") else "path"
    where = "line" if path.xy.shape[1] == 1 else "plane"
    off = path.distance_from_plane[np.isfinite(path.distance_from_plane)]
    far = float(off.max(initial=0.0))
    away = f", up to {number(far, 2)} away from it in weight space" if far > 0 else ""
    if not np.isfinite(path.share_in_plane):
        return f"{name}: does not move, so has no share in this {where}{away}"
    held = f"{name}: {percent(path.share_in_plane)} of its variance lies in this {where}"
    return f"{held} (chance {percent(path.chance)}){away}"


def _dashed(scan: Scan, path: Path) -> str:
    """Where a plane's figure draws a path dashed, if anywhere."""
    if scan.is_line or scan.path_is_a_dot or not off_the_plane(path)[0]:
        return ""
    return f"; dashed {where_off('the plane', [path])}"


def where_off(whose: str, shown: Sequence[Path]) -> str:
    """Where the weights' own loss isn't the plane's, and at what share of the paths' points."""
    counts = [off_the_plane(path) for path in shown]
    far, known = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    off = f"where {whose}'s loss is over {percent(AGREES)} off that of the weights themselves"
    return off + (f" (at {percent(far / known)} of {counted(known, 'point')})" if far else "")


def origin(plane: Plane) -> str:
    """Where the plane's origin is: ``final weights (step 4,500)``."""
    if not plane.origin.size:
        return "not in the imported file, nor are the directions"
    step, name = f"step {plane.origin_step:,}", plane.origin_name
    if name == "given":
        return "given weights"
    if name.isdigit():
        return f"weights at {step}"
    return f"weights {name} ({step})" if "@" in name else f"{name} weights ({step})"


def scaling(plane: Plane) -> str:
    """How directions were scaled and what they leave alone; empty where there is nothing to say."""
    if plane.kind == "imported" and plane.origin.size:
        return "" if plane.ignored == "none" else f"ignored of the directions: {plane.ignored}"
    if not any("random" in label for label in plane.labels):
        return ""
    how = plane.normalization
    scaled = f"random directions {'not normalized' if how == 'none' else f'{how}-normalized'}"
    return f"{scaled}, {plane.ignored} tensors left out" if plane.ignored != "none" else scaled


def moved(scan: Scan) -> list[str]:
    """A sentence on frozen tensors, one on those that alone move; none where all do."""
    weights = scan.weights
    if weights is None:
        return []
    found = []
    if weights.frozen_tensors:
        found.append(f"{trained(weights.trained, weights.frozen, weights.frozen_tensors)}.")
    if count := len(weights.tensors):
        numbers = f"{weights.moved:,} of P = {weights.trained:,} parameters"
        named = ", ".join(weights.tensors[:NAMED]) + (", ..." if count > NAMED else "")
        move = "tensor moves" if count == 1 else "tensors move"
        found.append(f"Only {count} {move}, {numbers}: {named}; the others stay the origin's.")
    return found


def trained(count: int, frozen: int, tensors: int) -> str:
    """How much of a network is trained: ``P = 12 trained of 340 parameters, 3 tensors frozen``."""
    kept = f"{tensors} tensor{'' if tensors == 1 else 's'} frozen"
    return f"P = {count:,} trained of {count + frozen:,} parameters, {kept}"


def undropped(settings: Mapping[str, Any]) -> str:
    """That dropout is off, of a model that has it and a scan that knows; else empty."""
    return "Dropout is off, as in evaluation." if settings.get(DROPS) else ""


def normalizes(plane: Plane) -> bool:
    """Whether the model has running statistics, as BatchNorm layers do."""
    return any("running_" in name for name in plane.buffers)


def made(plane: Plane) -> str:
    """How random directions came about, which draws them again; empty where none is random."""
    return f"seed {plane.seed}, {scaling(plane)}" if scaling(plane) else ""


def skew(plane: Plane) -> str:
    """Two axes drawn at right angles that aren't; empty where they are within half a degree.

    Empty as well where nobody knows the angle.
    """
    if not abs(plane.cosine) >= SQUARE:
        return ""
    degrees = np.degrees(np.arccos(np.clip(plane.cosine, -1, 1)))
    return f"axes drawn at right angles, their directions at {number(float(degrees))}°"


def bands(scan: Scan) -> tuple[str, ...]:
    """What dots and bands mean, for the small print; nothing where there are none."""
    if not scan.is_line:
        told = f"dots: interpolated, may be off by more than the {percent(scan.tolerance)} allowed"
        return (told,) if scan.uncertain.any() else ()
    if scan.spread is not None or not any((error > 0).any() for error in scan.errors.values()):
        return ()
    if scan.tolerance:
        return ("bands: where 95 % of the interpolated losses are",)
    return ("bands: two standard errors of the mean over the samples",)


def constant_output(loss: float) -> str:
    """The training loss of the best constant output; empty where nobody knows it.

    For classes that are equally frequent it is the logarithm of their number, which is said.
    """
    if not np.isfinite(loss):
        return ""
    said, classes = number(loss, 4), round(math.exp(min(loss, 20.0)))
    logarithm = f" (ln {classes})" if classes > 1 and number(math.log(classes), 4) == said else ""
    return f"{IGNORING.capitalize()}, a network has training loss {said}{logarithm} at best."


def training(settings: Mapping[str, Any]) -> str:
    """How a run was trained: ``adamw, learning rate 0.1, batch 32, seed 0``; SGD isn't named."""
    given = [(text, settings[key]) for key, text in TRAINED_WITH if settings.get(key)]
    parts = [f"{text} {number(float(value))}" for text, value in given]
    if settings.get("optimizer", "sgd") != "sgd":
        parts.insert(0, str(settings["optimizer"]))
    return ", ".join(parts + ([f"seed {settings['seed']}"] if "seed" in settings else []))


def trained_as(record: Mapping[str, Any]) -> str:
    """What was trained and how, in a sentence, by what of run.json is known; empty: nothing is.

    >>> problem = {"kind": "builtin", "settings": {"model": "cnn", "data": "digits", "depth": 2}}
    >>> trained_as({"problem": problem, "settings": {"lr": 0.1, "batch_size": 32, "seed": 0}})
    'Training: model cnn, data digits, depth 2, learning rate 0.1, batch 32, seed 0.'
    """
    own = record.get("optimizer")
    how = watched(own) if own else training(record.get("settings") or {})
    said = ", ".join(filter(None, (problem_named(record.get("problem") or {}), how)))
    return f"Training: {said}." if said else ""


def problem_named(problem: Mapping[str, Any]) -> str:
    """Which model and data, by name where they are built in, else the function that makes them.

    Empty of a problem made in Python. Files are named without their folders.
    """
    kind, settings = problem.get("kind"), problem.get("settings") or {}
    function = str(problem.get("function") or "")
    if kind == "builtin":
        parts = [f"{name} {_without_folder(settings[name])}" for name in settings if name != ROOT]
    elif kind in ("file", "module") and function:
        file = str(problem.get("path") or "").rpartition("/")[2]
        parts = [f"problem {file}:{function}" if file else f"problem {function}"]
        parts += [f"{name} {value}" for name, value in settings.items()]
    else:
        return ""
    if noise := problem.get("label_noise"):
        parts.append(f"{percent(float(noise))} of labels wrong")
    return ", ".join(parts)


def _without_folder(value: Any) -> str:
    """A setting in words: of ``npz:/folder/mine.npz`` the file alone."""
    text = str(value)
    return f"npz:{text.rpartition('/')[2]}" if text.startswith("npz:") else text


def optimizers(record: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each of the optimizers of somebody's own loop, as run.json has them: name and settings.

    >>> optimizers({"name": "Muon + AdamW", "lr": 0.05, "others": [{"name": "AdamW", "lr": 0.01}]})
    [('Muon', {'lr': 0.05}), ('AdamW', {'lr': 0.01})]
    """
    others = record.get("others", [])
    first = str(record["name"])
    if others:
        first = first.partition(" + ")[0]
    found = [(first, record), *((str(one["name"]), one) for one in others)]
    return [
        (name, {k: v for k, v in one.items() if k not in ("name", "others")}) for name, one in found
    ]


def watched(record: Mapping[str, Any]) -> str:
    """The same in short: ``Muon, learning rate 0.05; AdamW, learning rate 0.01``."""
    said = []
    for name, settings in optimizers(record):
        rate = settings.get("lr")
        of = f", learning rate {number(float(rate))}" if isinstance(rate, int | float) else ""
        said.append(name + of)
    return "; ".join(said)


def made_by(provenance: Mapping[str, Any]) -> list[str]:
    """The command and the versions of libraries that made something, as far as they are known."""
    sentences = []
    if command := str(provenance.get("command") or ""):
        about = "Command:" if is_typed(command) else "Made"
        sentences.append(f"{about} {command}.")
    versions = provenance.get("versions")
    if isinstance(versions, Mapping) and versions:
        listed = ", ".join(f"{name} {version}" for name, version in versions.items())
        sentences.append(f"Versions: {listed}.")
    return sentences


def overflowed(events: Iterable[Event]) -> list[str]:
    """A sentence on a training whose numbers overflowed; none where all stayed finite."""
    first = min((one.first for one in events if one.name == "non-finite"), default=None)
    if first is None:
        return []
    return [
        f"At step {first:,} the training's numbers were no longer finite: the losses and distances "
        "of its last weights are out of all proportion."
    ]


def event_names(events: Iterable[Event]) -> list[str]:
    """The names that occur, in the order in which they first happened."""
    known = [event for event in events if event.name in EVENTS]
    # What a recovery follows began before it, at the latest at the same step.
    known.sort(key=lambda one: (one.first, one.name == "recovery", EVENTS.index(one.name)))
    return list(dict.fromkeys(event.name for event in known))


def episodes(name: str, events: Iterable[Event], *, most: int = MOST) -> str:
    """When events of that name happened: ``plateau: steps 0–45, steps 743–1,800``.

    Over ``most`` of them aren't listed one by one. What of one belongs to another as well, and is
    drawn as that, is said: ``escape: steps 361–1,800 (of which 743–1,800 plateau)``, ``escape: step
    236, straight to a plateau``.
    """
    known = tuple(events)
    mine = sorted((event for event in known if event.name == name), key=lambda e: e.first)
    counted = f"{len(mine)} × {name}" if len(mine) > MOST else name
    if len(mine) > most:
        return f"{counted}: steps {mine[0].first:,} to {mine[-1].last:,}"
    return f"{counted}: " + ", ".join(_one(event, known) for event in mine)


def all_episodes(events: Iterable[Event], *, most: int = MOST) -> list[str]:
    """`episodes` of every name, spikes of batches last: no figure shows those."""
    known = tuple(events)
    names = event_names(known) + [BATCH_SPIKE] * any(one.name == BATCH_SPIKE for one in known)
    return [episodes(name, known, most=most) for name in names]


def happened(events: Iterable[Event]) -> str:
    """What happened when, in a sentence; empty without events."""
    known = tuple(events)
    every = "; ".join(episodes(name, known) for name in event_names(known))
    return f"Events: {every}." if every else ""


def _steps(event: Event) -> str:
    if event.first == event.last:
        return f"step {event.first:,}"
    return f"steps {event.first:,}–{event.last:,}"


def covered(event: Event, events: Iterable[Event]) -> list[tuple[int, int, str]]:
    """First step, last step and name of what of an event is drawn as others, later in `EVENTS`."""
    if event.name not in EVENTS:
        return []
    later = EVENTS[EVENTS.index(event.name) + 1 :]
    parts = [
        (max(one.first, event.first), min(one.last, event.last), one.name)
        for one in events
        if one.name in later
    ]
    return sorted(part for part in parts if part[0] < part[1])


def is_covered(event: Event, events: Iterable[Event]) -> bool:
    """Whether nothing of an event is left beside what others cover of it."""
    reached = event.first
    for first, last, _ in covered(event, events):
        if first <= reached:
            reached = max(reached, last)
    return event.first < event.last <= reached


def _one(event: Event, events: Iterable[Event]) -> str:
    """When an event happened, and what of it figures draw as others."""
    if is_covered(event, events) and {name for _, _, name in covered(event, events)} == {"plateau"}:
        return f"step {event.first:,}, straight to a plateau"
    inside = covered(event, events)
    if event.name == "recovery" and [a for a, *_ in inside] == [event.first] != [event.last]:
        # Its own part first: the way back begins at the spike's peak, which is drawn as the spike.
        [(peak, own, name)] = inside
        if own < event.last:
            own_part = _steps(replace(event, first=own))
            return f"{own_part} (on its way since step {peak:,}, within the {name})"
    return f"{_steps(event)}{_of_which(event, events)}"


def _of_which(event: Event, events: Iterable[Event]) -> str:
    """What of an event figures draw as others; empty where nothing."""
    inside = covered(event, events)
    if not inside:
        return ""
    if is_covered(event, events):
        return f" (all of it {_joined({name for _, _, name in inside})})"
    if len(inside) > MOST:
        return f" (of which {len(inside)} stretches {_joined({name for _, _, name in inside})})"
    return f" (of which {', '.join(f'{a:,}–{b:,} {name}' for a, b, name in inside)})"


def _joined(names: Iterable[str]) -> str:
    return " or ".join(sorted(names, key=EVENTS.index))


def _batchnorm(plane: Plane) -> BatchNormText:
    mode = plane.batchnorm
    return BATCHNORM.get(mode, BatchNormText(mode, f"BatchNorm statistics: {mode}.", mode))


def own_best(scan: Scan) -> str:
    """Why a plane may mark another step as best than other figures; empty where it doesn't."""
    best = [point for point in scan.points if point.name == "best"]
    if not (normalizes(scan.plane) and scan.plane.batchnorm == "recompute" and best):
        return ""
    return f"The best marked (step {best[0].step:,}) is that of losses with these statistics."


def _spectral(plane: Plane) -> list[str]:
    """What is said of spectral norm's vectors u and v, where the model has any."""
    names = set(plane.buffers)
    pairs = (name for name in names if name.endswith("_u") and f"{name[:-1]}v" in names)
    known = next(pairs, None) is not None and plane.batchnorm in SPECTRAL
    return [SPECTRAL[plane.batchnorm]] if known else []


# What `describe` says.


def _where(scan: Scan) -> str:
    plane = scan.plane
    if not plane.origin.size:
        return "A scan imported from a file that has no weights."
    shape = "line" if scan.is_line else "plane"
    run = f" of run {scan.run_name}" if scan.run_name else ""
    return f"A {shape} of kind {plane.kind} through the {origin(plane)}{run}."


def _axes(scan: Scan) -> list[str]:
    plane = scan.plane
    names = [f"{letter}: {label}" for letter, label in zip("xy", plane.labels, strict=False)]
    sentences = [f"Axes: {'; '.join(names)}; in {plane.unit}."]
    if plane.unit != DISTANCE and plane.directions.size:
        lengths = " and ".join(number(norm) for norm in plane.norms)
        sentences.append(f"1 on an axis is a distance of {lengths} in weight space.")
    if abs(plane.cosine) >= SQUARE:
        sentences.append(
            f"The directions aren't at right angles: their cosine is {number(plane.cosine, 2)}."
        )
    return sentences


def _grid(scan: Scan) -> str:
    size = " × ".join(map(str, scan.measured.shape))
    ends = " by ".join(extent(axis) for axis in (scan.x, scan.y) if len(axis))
    left = 0 if scan.complete else int((~scan.measured).sum())
    rest = f"; {left:,} points aren't measured yet" if left else ""
    return f"Grid: {size} points, {ends}{rest}."


def _losses(scan: Scan) -> list[str]:
    found = []
    for name in ("train_loss", "validation_loss"):
        # Extremes that weren't measured would be the interpolation's.
        values = scan.measures[name][scan.measured] if name in scan.measures else np.empty(0)
        if len(values) and not np.isnan(values).all():
            broken = int((~np.isfinite(values)).sum())
            rest = f", {broken:,} of {values.size:,} points not finite" if broken else ""
            interpolated = scan.certificate is not None and not scan.measured.all()
            where = "where measured" if interpolated else "on the grid"
            found.append(f"{MEASURES[name].capitalize()}: {_range(values)} {where}{rest}.")
    own = {name: title(scan, name) for name in sorted(scan.attributes.keys() - MEASURES.keys())}
    for name, words in {**own, **EXPLAINED}.items():
        values = scan.measures.get(name, np.empty(0))
        if np.isfinite(values).any():
            found.append(f"{words[0].upper()}{words[1:]}: {_range(values)}.")
    return [*found, *filter(None, [constant_output(scan.constant_loss)])]


def span(losses: Floats, certificate: Certificate | None) -> str:
    """From where to where a scan's training losses go, up to the cap that they are resolved to."""
    caps = {} if certificate is None else certificate.caps
    cap = caps.get("train_loss", math.inf)
    finite = losses[np.isfinite(losses)]
    if not len(finite) or finite.max() <= cap:
        return _range(losses)
    return f"{number(finite.min())} to above the cap ({number(cap, 4)})"


def _range(values: Floats) -> str:
    finite = values[np.isfinite(values)]
    return f"{number(finite.min())} to {number(finite.max())}" if len(finite) else "nowhere finite"


def _path(scan: Scan, path: Path) -> list[str]:
    name = _name(scan, path)
    if np.isnan(path.share_in_plane):
        return [f"{name} does not move."]
    shape = "line" if scan.is_line else "plane"
    found = [
        f"{name}: {percent(path.share_in_plane)} of its variance lies in this {shape}; a random "
        f"{shape} would hold {percent(path.chance)}."
    ]
    if scan.plane.kind == "pca" and np.isfinite(path.walk):
        found.append(
            f"Of a random walk as long, its first two principal components would hold "
            f"{percent(path.walk)}; of a straight drift, the first alone all."
        )
    away = path.distance_from_plane[np.isfinite(path.distance_from_plane)]
    if len(away):
        far = number(float(away.max()))
        found.append(f"Its points are up to {far} away from the {shape} in weight space.")
    known = np.isfinite(path.true_loss) & np.isfinite(path.plane_loss)
    if known.any():
        true, plane = path.true_loss[known], path.plane_loss[known]
        off, count = off_the_plane(path)
        found.append(
            f"At {off} of {count} points with both, the loss on the {shape} "
            f"is over {percent(AGREES)} off the loss of the weights themselves (median difference "
            f"{percent(float(np.median(np.abs(plane - true) / np.abs(true))))}): the path is "
            "dashed there."
        )
    if count := int(path.interpolated.sum()):
        found.append(
            f"At {count} of them the {shape}'s loss is interpolated to {percent(scan.tolerance)}, "
            "as the grid's is."
        )
    return found


def off_the_plane(path: Path) -> tuple[int, int]:
    """At how many of a path's points the plane's loss isn't theirs, and how many have both."""
    known = np.isfinite(path.true_loss) & np.isfinite(path.plane_loss)
    true, plane = path.true_loss[known], path.plane_loss[known]
    return int((np.abs(plane - true) > AGREES * np.abs(true)).sum()), int(known.sum())


def _name(scan: Scan, path: Path) -> str:
    return f"Path of {path.name}" if path.name and len(scan.paths) > 1 else "The path"


# What `remarks` says.


def _subset(scan: Scan, count: int) -> str:
    loss, error = scan.measures["train_loss"], scan.errors["train_loss"]
    known = np.isfinite(loss) & np.isfinite(error)
    size = np.maximum(np.abs(loss[known]), 1e-6)
    typical = percent(float(np.median(error[known] / size))) if known.any() else "unknown"
    return (
        f"Losses of {count:,} random samples, the same ones everywhere: standard error of the "
        f"training loss {typical} (median)."
    )


def interpolated(measured: float, certificate: Certificate, how: str = "") -> list[str]:
    """What a certificate says where a share of the points was measured, the others interpolated.

    What is promised; then how it was tested and what came out, first what hurts most: low losses
    that were taken for high ones. ``how`` follows "interpolated".
    """
    if not len(certificate.xy):
        return [] if certificate.attempts == 0 else [NEVER_NEAR]
    names = [name for name in ("train_loss", "validation_loss") if name in certificate.predicted]
    over = [n for n in names if n in certificate.caps and not certificate.below(n).any()]
    near = [name for name in names if name not in over and certificate.below(name).any()]
    found = [_hidden([n for n in near if n in certificate.caps], certificate)]
    found += [_off(name, certificate) for name in near]
    if over:
        found.append(_untested(over, certificate))
    found.append(_at_most(certificate))
    said = "; ".join(filter(None, found))
    return [f"{_promised(measured, certificate, how)}.", f"{_tested(certificate)}: {said}."]


def interpolated_briefly(measured: float, certificate: Certificate) -> list[str]:
    """What is promised, and at how many points it was tested."""
    if not len(certificate.xy):
        return interpolated(measured, certificate)
    tested = _tested(certificate)
    said = f"{tested[0].lower()}{tested[1:]}: {_within(certificate)}"
    return [f"{_promised(measured, certificate)}, {said}."]


def _promised(measured: float, certificate: Certificate, how: str = "") -> str:
    text = (
        f"{percent(measured)} of the points are measured, the others interpolated{how} to within "
        f"{percent(certificate.tolerance)} of the loss"
    )
    if certificate.caps:
        caps = " and ".join(dict.fromkeys(number(cap, 4) for cap in certificate.caps.values()))
        text += f" (above the cap, {caps}, to within a factor {number(FACTOR)})"
    return text


def _tested(certificate: Certificate) -> str:
    failed = certificate.attempts - 1
    tried = f" (after {counted(failed, 'test')} that failed more points were measured)" * (
        failed > 0
    )
    return f"Tested at {counted(len(certificate.xy), 'held-out random point')}{tried}"


def _hidden(names: Sequence[str], certificate: Certificate) -> str:
    """How many losses below the cap were taken to lie above it; empty without a cap."""
    if not names:
        return ""
    hidden = sum(certificate.hidden(name) for name in names)
    return (
        f"{hidden or 'none'} of those below the cap {'were' if hidden > 1 else 'was'} taken to lie "
        "above it"
    )


def _untested(over: Sequence[str], certificate: Certificate) -> str:
    """That losses lay above their cap at all held-out points, and why, where it is known."""
    whose = " and ".join(MEASURES[name] for name in over)
    expected = certificate.expected_below
    none = expected is not None and not expected.any()
    why = ", as every point where a loss below was expected is measured itself" if none else ""
    return (
        f"at all of them {whose} lay above the cap, so that interpolation below it was not "
        f"tested{why}"
    )


def _off(name: str, certificate: Certificate) -> str:
    """How far off a loss is at the held-out points, below its cap if it has one."""
    off = certificate.summary(name)
    of = "them" if name not in certificate.caps else f"the {int(off['below']):,} below the cap"
    return (
        f"the {MEASURES[name]} was off by {percent(off['mean'])} on average, and by at most "
        f"{percent(off['quantile95'])} at 95 % of {of}"
    )


def _at_most(certificate: Certificate) -> str:
    """What the held-out points say of all others."""
    # Of both regions that below the cap, which figures are about.
    name, part = certificate.strata()[0]
    where = {"all": "", "below": " expected below the cap", "above": " expected above the cap"}
    share = percent(1 - certificate.at_most(part))
    bound = f"with 95 % confidence at least {share} of all points{where[name]} are"
    return f"{_within(certificate)}; {bound}"


def _within(certificate: Certificate) -> str:
    """How many of the tests came out as promised: the bound behind it is no count of misses."""
    held, within = len(certificate.xy), certificate.within
    if held == 1:
        return f"it {'was' if within else 'was not'} as near as promised"
    how_many = "all of them" if within == held else f"{within:,} of the {held:,}"
    return f"{how_many} {'was' if within == 1 else 'were'} as near as promised"


def _nulls(scan: Scan, path: Path) -> list[str]:
    if scan.plane.kind != "pca" or not path.arc > ARC:
        return []
    return [
        f"{_name(scan, path)} looks like an arc, as every random walk does on its first two "
        f"principal components: its coordinates correlate by {number(path.arc, 2)} or more with a "
        "walk's cosines. The arc by itself is no evidence of a turn or a valley."
    ]


def _width(found: Width) -> str:
    def value(radius: float | None) -> str:
        word, known = found.bound(radius)
        return f"{word} {number(known)}".lstrip()

    sets = counted(found.rays // 2, "random direction")
    if found.beyond == found.rays:
        reach = number(found.reach)
        more = "" if found.planes > 1 else "; along others it may, --planes 10 tells"
        return (
            f"Width r₀.₁ is beyond {reach}: within {reach} {found.unit} the training loss rises by "
            f"{found.level.text} along none of {counted(found.rays, 'ray')} ({sets}){more}."
        )
    low, high = found.ends
    how = "measured" if found.finest is not None else "interpolated between grid points"
    text = (
        f"Width r₀.₁, where the training loss has risen by {found.level.text}: median "
        f"{value(found.median)}, {found.ends_called} {value(low)} and {value(high)} "
        f"{found.unit}, {how} over {found.rays} rays ({sets})"
    )
    if found.median_distance:
        distance = number(found.median_distance)
        text += f"; the median is a distance of {distance} in weight space"
    if found.planes == 1:
        text += "; other directions may give another width, --planes 10 tells"
    return f"{text}."


def _barrier(found: Mapping[str, Any]) -> list[str]:
    sentences = []
    for name, title in (("train", "training"), ("validation", "validation")):
        if f"{name}_nats" not in found:
            continue
        height = found[f"{name}_nats"]
        if height is None:
            sentences.append(f"Barrier of the {title} loss: undetermined, a loss isn't finite.")
            continue
        parts = [number(height)]
        if found[f"{name}_ratio"] is not None:
            parts.append(f"{number(found[f'{name}_ratio'])} times the larger end's loss")
        if found[f"{name}_error_points"] is not None:
            parts.append(f"{number(found[f'{name}_error_points'], 2)} error points")
        place = f", highest at {percent(found[f'{name}_at'])} of the way" if height > 0 else ""
        sentences.append(f"Barrier of the {title} loss along the line: {', '.join(parts)}{place}.")
    return sentences


# What `caption` says.


def _subject(scan: Scan) -> str:
    plane = scan.plane
    if not plane.origin.size:
        return _imported(scan)
    run = f"run {scan.run_name}" if scan.run_name else "a run"
    if plane.origin_name == "given":
        run = "a model, as they are"
    identity = f" ({scan.run_id})" if scan.run_id else ""
    samples = " and ".join(
        f"{count:,} {'training' if name == 'train' else name}"
        for name, count in scan.samples.items()
    )
    where = "a line" if scan.is_line else f"a plane of kind {plane.kind}"
    mean = f" over {samples} samples" if samples else ""
    return f"Mean loss{mean} on {where} through the {origin(plane)} of {run}{identity}."


def _imported(scan: Scan) -> str:
    where = "a line" if scan.is_line else "a plane"
    source = scan.provenance.get("imported", "")
    directions = scan.provenance.get("directions", "")
    known = f" along the directions of {directions}" if directions else ""
    return (
        f"Mean loss on {where}{known}, imported{f' from {source}' if source else ''}: "
        "its weights are not in that file."
    )


def _named_axes(scan: Scan) -> str:
    plane = scan.plane
    names = "; ".join(
        f"{letter}: {plane.labels[k]} ({unit(plane, k)})"
        for k, letter in zip(range(len(plane.directions)), "xy", strict=False)
    )
    return f"Axes: {'; '.join(text for text in (names, made(plane), skew(plane)) if text)}."


def _extents(scan: Scan) -> str:
    size, extents = f"{len(scan.x)}", f"x {extent(scan.x)}"
    if not scan.is_line:
        size, extents = f"{size} × {len(scan.y)}", f"{extents}, y {extent(scan.y)}"
    done = int(scan.measured.sum())
    left = "" if scan.complete else f", {done:,} of {scan.measured.size:,} of them measured"
    return f"Grid: {size} points, {extents}{left}."


LOSSES = ("train_loss", "validation_loss")
ACCURACIES = ("train_accuracy", "validation_accuracy")
FAR_APART = 10.0
"""So many times the training loss a validation loss is in need of a word."""


MOSTLY_RIGHT, POINTS = 0.8, 0.1
"""From such a validation accuracy on, and at most so far below the training's, none is far off."""


def far_apart(
    train: float, validation: float, *, accuracies: tuple[float, float] = (math.nan, math.nan)
) -> str:
    """Why a validation loss may be orders above the training loss; empty where it isn't.

    ``accuracies``: of training and validation, NaN where they aren't known.

    >>> far_apart(1.44, 1.6)
    ''
    >>> far_apart(1.44, 12370.0).partition(":")[0]
    'Validation loss is 8,590 times the training loss'
    >>> far_apart(2e-4, 0.1, accuracies=(1.0, 0.98)).partition(":")[0]
    'Validation loss is 500 times the training loss, which means little here'
    """
    if not 0 < FAR_APART * train <= validation < math.inf:
        return ""
    ratio = f"Validation loss is {number(validation / train)} times the training loss"
    fitted, right = accuracies
    if right >= max(MOSTLY_RIGHT, fitted - POINTS):
        return (
            f"{ratio}, which means little here: the network is right on {percent(right)} of the "
            f"validation samples, on {percent(fitted)} of the training samples."
        )
    return (
        f"{ratio}: the network "
        "fits the training samples and is far off on the others, since it learned those by heart "
        "or these are of another kind, as where inputs are scaled differently."
    )


def _centre(scan: Scan) -> str:
    # Half a rounding error off zero is still the origin.
    i = np.flatnonzero(np.isclose(scan.x, 0, atol=1e-12))
    j = np.array([0]) if scan.is_line else np.flatnonzero(np.isclose(scan.y, 0, atol=1e-12))
    if not len(i) or not len(j):
        return ""
    at = (i[0],) if scan.is_line else (i[0], j[0])
    texts = []
    for name in ("train_loss", "validation_loss"):
        if name == "train_loss" or not np.isnan(scan.measures.get(name, np.nan)).all():
            value = float(scan.measures[name][at])
            found = "NaN" if scan.measured[at] and np.isnan(value) else number(value)
            texts.append(f"{MEASURES[name].removesuffix(' loss')} {found}")
    train, validation = (
        float(scan.measures.get(n, scan.measures["train_loss"])[at]) for n in LOSSES
    )
    fitted, right = (
        float(scan.measures[n][at]) if n in scan.measures else math.nan for n in ACCURACIES
    )
    apart = far_apart(train, validation, accuracies=(fitted, right))
    return " ".join(filter(None, (f"Loss at the origin: {', '.join(texts)}.", apart)))
