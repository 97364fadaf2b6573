"""What a paper must say about a scan, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from landscape.draw import episodes, marks, uncertain, words
from landscape.store.history import History
from landscape.store.records import Path, Scan

BATCHNORM = {
    "saved": "BatchNorm layers use the origin's running statistics.",
    "recompute": "BatchNorm statistics were estimated anew at every point.",
    "interpolate": "BatchNorm statistics were interpolated along the axes.",
}


def caption(scan: Scan) -> str:
    """Return the caption: what was measured where and how, and how much it shows of the path."""
    sentences = [_subject(scan), _axes(scan), _grid(scan)]
    sentences += [text for text in (_centre(scan), _constant(scan)) if text]
    sentences += [_path(path) for path in scan.paths]
    sentences += [*scan.remarks, uncertain.sentence(scan)]
    sentences += [_batchnorm(scan), *_provenance(scan.provenance)]
    return " ".join(text for text in sentences if text)


def of_run(history: History) -> str:
    """Return a training's caption: which run it was, how it was trained, what happened."""
    identity = f" ({history.run_id})" if history.run_id else ""
    steps = f"{len(history.step):,} recorded steps, 0 to {history.step[-1]:,}"
    sentences = [f"Losses of run {history.name}{identity} over the full data at {steps}."]
    sentences += _training(history)
    known = np.flatnonzero(np.isfinite(history.measures["train_loss"]))
    if len(known):
        losses = history.measures["train_loss"]
        best = known[np.argmin(losses[known])]
        sentences.append(
            f"Training loss: {words.number(losses[known[0]])} at step "
            f"{history.step[known[0]]:,}, lowest {words.number(losses[best])} at step "
            f"{history.step[best]:,}, {words.number(losses[known[-1]])} at step "
            f"{history.step[known[-1]]:,}."
        )
    if np.isfinite(history.constant_loss):
        loss = words.number(history.constant_loss, 4)
        sentences.append(f"The best constant output has training loss {loss}.")
    sentences += [episodes.sentence(history.events), *_provenance(history.provenance)]
    return " ".join(text for text in sentences if text)


def made_from(history: History) -> str:
    """Return what any figure of a run says at the end: how it was trained, and with what."""
    return " ".join([*_training(history), *_provenance(history.provenance)])


def _training(history: History) -> list[str]:
    settings = words.training(history.settings)
    return [f"Training: {settings}."] if settings else []


def _subject(scan: Scan) -> str:
    plane = scan.plane
    run = f"run {scan.run_name}" if scan.run_name else "a run"
    identity = f" ({scan.run_id})" if scan.run_id else ""
    samples = " and ".join(
        f"{count:,} {'training' if name == 'train' else name}"
        for name, count in scan.samples.items()
    )
    where = "a line" if scan.is_line else f"a plane of kind {plane.kind}"
    if not plane.origin.size:
        return _imported(scan)
    mean = f" over {samples} samples" if samples else ""
    return f"Mean loss{mean} on {where} through the {words.origin(plane)} of {run}{identity}."


def _imported(scan: Scan) -> str:
    where = "a line" if scan.is_line else "a plane"
    source = scan.provenance.get("imported", "")
    directions = scan.provenance.get("directions", "")
    known = f" along the directions of {directions}" if directions else ""
    return (
        f"Mean loss on {where}{known}, imported{f' from {source}' if source else ''}: "
        "its weights are not in that file."
    )


def _axes(scan: Scan) -> str:
    plane = scan.plane
    names = "; ".join(
        f"{letter}: {plane.labels[k]} ({words.unit(plane, k)})"
        for k, letter in zip(range(len(plane.directions)), "xy", strict=False)
    )
    made = f"seed {plane.seed}, {words.directions(plane)}" if words.directions(plane) else ""
    crooked = words.angle(plane)
    return f"Axes: {'; '.join(text for text in (names, made, crooked) if text)}."


def _grid(scan: Scan) -> str:
    size, extents = f"{len(scan.x)}", f"x {words.extent(scan.x)}"
    if not scan.is_line:
        size, extents = f"{size} × {len(scan.y)}", f"{extents}, y {words.extent(scan.y)}"
    done = int(scan.measured.sum())
    left = "" if scan.complete else f", {done:,} of {scan.measured.size:,} of them measured"
    return f"Grid: {size} points, {extents}{left}."


def _centre(scan: Scan) -> str:
    # Half a rounding error off zero is still the origin.
    i = np.flatnonzero(np.isclose(scan.x, 0, atol=1e-12))
    j = np.array([0]) if scan.is_line else np.flatnonzero(np.isclose(scan.y, 0, atol=1e-12))
    if not len(i) or not len(j):
        return ""
    at = (i[0],) if scan.is_line else (i[0], j[0])
    texts = [
        f"{name.split('_', maxsplit=1)[0].replace('train', 'training')} "
        f"{words.number(float(scan.measures[name][at]))}"
        for name in marks.losses(scan)
    ]
    return f"Loss at the origin: {', '.join(texts)}."


def _constant(scan: Scan) -> str:
    if not np.isfinite(scan.constant_loss):
        return ""
    return f"The best constant output has training loss {words.number(scan.constant_loss, 4)}."


def _path(path: Path) -> str:
    text = words.share(path)
    happened = episodes.sentence(path.events)
    return " ".join(part for part in (f"{text[0].upper()}{text[1:]}.", happened) if part)


def _batchnorm(scan: Scan) -> str:
    if not words.normalizes(scan.plane):
        return ""
    mode = scan.plane.batchnorm
    return BATCHNORM.get(mode, f"BatchNorm statistics: {mode}.")


def _provenance(provenance: Mapping[str, Any]) -> list[str]:
    sentences = []
    if provenance.get("command"):
        sentences.append(f"Command: {provenance['command']}.")
    versions = provenance.get("versions")
    if isinstance(versions, Mapping) and versions:
        listed = ", ".join(f"{name} {version}" for name, version in versions.items())
        sentences.append(f"Versions: {listed}.")
    return sentences
