"""What a run, a sweep or a scan holds, as plain values; NaN stays NaN, missing is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from landscape.errors import LandscapeError
from landscape.store import analysis, verdicts
from landscape.store import run as run_folder
from landscape.store.best import best_known
from landscape.store.run import Run
from landscape.store.scans import rises, scanfile, valley_sentences
from landscape.store.scans.attributes import named
from landscape.store.scans.records import Scan
from landscape.store.scans.sentences import device_of, missing
from landscape.store.scans.valleys import Valley
from landscape.store.scans.widths import Width
from landscape.store.sources import load_scanned
from landscape.store.sweep_folder import Sweep
from landscape.store.trajectories.trajectory import MEASURES, Trajectory
from landscape.store.typed import rebuilt

COPIED = (
    *("id", "created", "command", "versions", "status", "settings", "record", "steps_per_epoch"),
    *("samples", "parameters", "threads", "device", "steps", "optimizer", "notes"),
)
OF_THE_PROBLEM = (
    *("kind", "function", "path", "settings", "seed", "train_samples", "label_noise"),
)


def of_run(run: Run) -> dict[str, Any]:
    """Settings, status, snapshots, losses, verdict and scans of a run.

    Losses are those that training logged over all data: at the start, where the training loss was
    lowest, and at the end. ``best`` is of all recorded weights, once a scan has measured the
    losses along its path. ``error`` says why the trajectory can't be read, if it can't.
    """
    record = run.record
    found: dict[str, Any] = {"kind": "run", "folder": str(run.folder), "name": run.name}
    found |= {name: record.get(name) for name in COPIED}
    problem = record.get("problem", {})
    found["problem"] = {name: problem.get(name) for name in OF_THE_PROBLEM}
    found["frozen"] = frozen(problem)
    dtypes = {one.get("dtype", "float32") for one in problem.get("parameters", ())}
    found["dtypes"] = sorted(dtypes)
    found |= {"snapshots": None, "losses": None, "best": None, "events": None}
    found["error"] = None
    scans = {path.stem: _opened(path) for path in run.scans}
    try:
        found |= _recorded(run, {n: one for n, one in scans.items() if not isinstance(one, str)})
    except LandscapeError as error:
        found["error"] = str(error)
    found["verdict"] = _verdict(run) if found["error"] is None else None
    drawn_before = figures_before_curvature(run)
    found["scans"] = [
        _scan(name, scan) | {"drawn_before_diagnosis": name in drawn_before}
        for name, scan in scans.items()
    ]
    return found


def figures_before_curvature(run: Run) -> list[str]:
    """The valleys whose figures were drawn before a diagnosis measured curvature, by name.

    Of all figures of scans they alone show what a diagnosis measures: curvature, as marks.
    """
    times = analysis.measured_at(run.folder)
    if not (known := [times[part] for part in ("curvature", "sharpness") if part in times]):
        return []
    drawn: dict[str, float] = {}
    for file in run.figures.glob("*-valley.*"):
        scan = file.name.rpartition("-valley.")[0].removesuffix("-valley.caption")
        drawn[scan] = max(drawn.get(scan, 0.0), file.stat().st_mtime)
    latest = datetime.fromisoformat(max(known)).timestamp()
    return [path.stem for path in run.scans if drawn.get(path.stem, latest) < latest]


SAID = ("1.3", "2.1")
"""The answers that a summary has: what happened, and whether it stays."""


def _verdict(run: Run) -> dict[str, Any] | None:
    """What was diagnosed, None where nothing was; ``error`` says why it can't be read.

    ``fits``: whether the recording still ends where it did; None where that isn't known.
    """
    try:
        found = verdicts.read(run.folder)
    except LandscapeError as error:
        return {"error": str(error)}
    if found is None:
        return None
    said: dict[str, Any] = {
        name: found[name] for name in ("verdict", "motion", "landing", "confidence")
    }
    said["answers"] = [each for each in found.get("answers", ()) if each["question"] in SAID]
    there = (run.folder / "trajectory.h5").is_file()
    said["read_at"] = verdicts.read_at(found)
    said["fits"] = verdicts.fits(found, run.trajectory) if there else False
    return said | {"error": None}


def frozen(problem: Mapping[str, Any]) -> dict[str, int]:
    """How many tensors of a run's problem are frozen, and how many numbers these are."""
    tensors = {k: one for k, one in problem.get("constants", {}).items() if ":" not in k}
    numbers = (int(np.prod(one["shape"])) for one in tensors.values())
    return {"tensors": len(tensors), "parameters": sum(numbers)}


def _recorded(run: Run, scans: Mapping[str, Scan | Valley]) -> dict[str, Any]:
    if not (run.folder / "trajectory.h5").is_file() and run.record["status"] == "running":
        return {}
    trajectory = run.trajectory
    steps, best = trajectory.step, best_known(run.id, trajectory, scans)
    return {
        "snapshots": {
            "count": len(steps),
            "first": int(steps[0]),
            "last": int(steps[-1]),
            "bytes": int(trajectory.size) * 4 * len(steps),
        },
        "losses": {
            name: _measures_at(trajectory, row, run) for name, row in _places(trajectory).items()
        },
        "best": None if best is None else asdict(best),
        "events": [asdict(event) for event in trajectory.events],
    }


def _places(trajectory: Trajectory) -> dict[str, int]:
    places = {"start": 0}
    for name, where in (("lowest_logged", "best"), ("end", "final")):
        try:
            places[name] = trajectory.row(where)
        except LandscapeError:  # nothing finite, nothing evaluated
            continue
    return places


def _measures_at(trajectory: Trajectory, row: int, run: Run) -> dict[str, Any]:
    """Step and full-data measures of one row; what the problem doesn't have is None."""
    found: dict[str, Any] = {"step": int(trajectory.step[row])}
    validated = run.record["problem"].get("validation_data") is not None
    for name in MEASURES:
        value = float(trajectory.measures[name][row])
        missing = np.isnan(value) and (
            named(name).kind == "accuracy" or (named(name).role == "validation" and not validated)
        )
        found[name] = None if missing else value
    return found


def _opened(file: Path) -> Scan | Valley | str:
    """A scan, or why it can't be read."""
    try:
        return load_scanned(file)
    except LandscapeError as error:
        return str(error)


def _missing(scan: Scan | Valley) -> str:
    return missing(scan) if isinstance(scan, Scan) else valley_sentences.missing(scan)


def _scan(name: str, scan: Scan | Valley | str) -> dict[str, Any]:
    if isinstance(scan, str):
        return {"name": name, "error": scan}
    return {
        "name": name,
        "plane": "valley" if isinstance(scan, Valley) else scan.plane.kind,
        "size": list(scan.measured.shape),
        "complete": scan.complete and not _missing(scan),
        "error": None,
    }


def difference(runs: Sequence[Run]) -> str:
    """What runs of different problems have not to be compared by, in a sentence; empty of one.

    Data and networks are known by their fingerprints, losses by the function that made them.
    """
    problems = [run.record["problem"] for run in runs]
    for names, text in DIFFERENCES.items():
        known = [tuple(problem.get(name) for name in names) for problem in problems]
        if None not in {one for each in known for one in each} and len(set(known)) > 1:
            return text
    return ""


def agree(problems: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    """Whether none of these entries is known to differ between the problems of runs."""
    found = [{problem.get(name) for problem in problems} for name in names]
    return all(None in values or len(values) <= 1 for values in found)


DIFFERENCES: Mapping[tuple[str, ...], str] = {
    ("data",): "Different problems: their data differ. Losses, widths, curvature, learning "
    "coefficients and barriers don't compare; outcomes and motions do.",
    ("layout",): "Different networks on the same data: widths, curvature and barriers don't "
    "compare; losses, outcomes and motions do.",
    ("kind", "function"): "Problems that different functions make, of the same data and the same "
    "parameters: losses, widths, curvature and barriers compare only if the loss is one and the "
    "same.",
}
"""By what of their records differs, the gravest first, what that means for a comparison."""


def of_sweep(sweep: Sweep) -> dict[str, Any]:
    """A sweep's runs: values, lowest and last logged losses, width where scanned, steps, status."""
    return {
        "kind": "sweep",
        "folder": str(sweep.folder),
        "created": sweep.record["created"],
        "command": sweep.record["command"],
        "threads": sweep.record["threads"],
        "varied": list(sweep.record["varied"]),
        "runs": [_member(sweep, entry) for entry in sweep.runs],
    }


def _member(sweep: Sweep, entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {**entry, "status": "waiting", "steps": None, "width": None}
    found |= {f"{which}_{name}": None for which in ("lowest", "last") for name in MEASURES[:2]}
    folder = sweep.folder / str(entry["name"])
    if (folder / "run.json").is_file():
        try:
            run = run_folder.read(folder)
            found |= {"status": run.record["status"], "steps": run.record.get("steps")}
            found |= _losses(run)
            found["width"] = width_of(run)
        except LandscapeError as error:
            found["error"] = found["error"] or str(error)
    if found["error"] is not None:
        found["status"] = "failed"
    return found


def width_of(run: Run) -> dict[str, Any] | None:
    """The width around the run's weights, of the scan with the most random directions.

    Those around its last weights come first. ``step``: of the weights that it is around;
    ``at_last``: whether the run has none after them; ``scan``: which one measured it.
    """
    widths = [
        width | {"step": scanfile.origin_step(file), "scan": file.stem}
        for file in run.scans
        if (width := scanfile.findings(file).get("width"))
    ]
    if not widths:
        return None
    there = (run.folder / "trajectory.h5").is_file()
    last = int(run.trajectory.step[run.trajectory.row("final")]) if there else None
    every: list[dict[str, Any]] = [one | {"at_last": one["step"] == last} for one in widths]
    return max(every, key=lambda width: (width["at_last"], int(width["rays"])))


def of_step(width: Mapping[str, Any]) -> str:
    """What to say of a width, as `width_of` has it, that isn't of the run's last weights."""
    return "" if width["at_last"] else f"of step {width['step']:,}"


def widths_apart(widths: Sequence[Mapping[str, Any] | None]) -> str:
    """What to say beside widths, as `width_of` has them, that aren't at one rise."""
    return rises.apart(rebuilt(Width, width).level for width in widths if width is not None)


def _losses(run: Run) -> dict[str, Any]:
    if not (run.folder / "trajectory.h5").is_file():
        return {}
    trajectory = run.trajectory
    found: dict[str, Any] = {}
    end = _measures_at(trajectory, trajectory.row("final"), run)
    for name in MEASURES[:2]:
        values = trajectory.measures[name]
        known = values[~np.isnan(values)]
        found[f"lowest_{name}"] = float(known.min()) if len(known) else None
        found[f"last_{name}"] = end[name]
    return found


def of_scan(file: Path, scan: Scan) -> dict[str, Any]:
    """Plane, grid, range of losses and paths of a scan."""
    plane = scan.plane
    losses = scan.measures["train_loss"][scan.measured]
    losses = losses[np.isfinite(losses)]
    axes = [axis for axis in (scan.x, scan.y) if len(axis)]
    return {
        "kind": "scan",
        "file": str(file),
        "complete": scan.complete and not missing(scan),
        "missing": missing(scan),
        "plane": plane.kind,
        "origin_name": plane.origin_name,
        "origin_step": plane.origin_step,
        "seed": plane.seed,
        "normalization": plane.normalization,
        "batchnorm": plane.batchnorm,
        "unit": plane.unit,
        "device": device_of(scan.provenance, scan.strategy),
        "size": list(scan.measured.shape),
        "measured": int(scan.measured.sum()),
        "extent": [[float(axis[0]), float(axis[-1])] for axis in axes],
        "lowest": float(losses.min()) if len(losses) else None,
        "highest": float(losses.max()) if len(losses) else None,
        "run_id": scan.run_id,
        "run_name": scan.run_name,
        "evaluation_seconds": scan.evaluation_seconds,
        "paths": [
            {"name": path.name, "run_id": path.run_id, "share_in_plane": path.share_in_plane}
            for path in scan.paths
        ],
    }


def of_valley(file: Path, valley: Valley) -> dict[str, Any]:
    """A valley's rows, with what was measured of each."""
    there = valley.slices
    return {
        "kind": "valley",
        "file": str(file),
        "complete": valley.complete,
        "missing": valley_sentences.missing(valley),
        "across": valley.across,
        "seed": valley.seed,
        "normalization": valley.normalization,
        "batchnorm": valley.batchnorm,
        "unit": valley.unit,
        "device": device_of(valley.provenance, valley.strategy),
        "size": list(valley.measured.shape),
        "measured": int(valley.measured.sum()),
        "extent": [float(valley.y[0]), float(valley.y[-1])],
        "run_id": valley.run_id,
        "run_name": valley.run_name,
        "evaluation_seconds": valley.evaluation_seconds,
        "width_rise": asdict(valley.rise),
        "rows": {
            "step": there.step.tolist(),
            "travelled": there.travelled.tolist(),
            "length": there.length.tolist(),
            "cosine": there.cosine.tolist(),
            "overlap": there.overlap.tolist(),
            "train_loss": valley.loss.tolist(),
            "width_lower": valley.width(0.25).tolist(),
            "width": valley.width(0.5).tolist(),
            "width_upper": valley.width(0.75).tolist(),
            "critical_sharpness": valley.critical_sharpness.tolist(),
            "came_back_to": [int(there.step[k]) if k >= 0 else None for k in there.returned],
        },
    }
