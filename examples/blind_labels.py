"""Label the runs of blind_runs.py from raw losses, accuracies and activations alone.

    python examples/blind_labels.py runs/blind

Imports nothing of the diagnosis. Each run is read twice, once by its losses and once by its
accuracies; where the readings differ, or one of them can't tell, the label is ``ambiguous``. What
never learned is told apart by the activations of its last weights, with a plain forward pass.
Writes FOLDER/labels.csv.
"""

import csv
from collections.abc import Mapping

import numpy as np
import torch
from blind_runs import arguments, runs
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from landscape.problem import Problem
from landscape.problem.weights import load_buffers
from landscape.store import Run, read

TAIL = 10
"""A tenth of the rows is the end."""
LATE = 3
"""The last third is looked through for jumps."""


def label(run: Run, problem: Problem) -> dict[str, object]:
    """One run's label, with what it was read from."""
    trajectory = run.trajectory
    loss = trajectory.measures["train_loss"]
    accuracy = trajectory.measures["train_accuracy"]
    frequency = torch.bincount(problem.train[1]).double() / len(problem.train[1])
    constant = float(-(frequency * frequency.clamp(min=1e-300).log()).sum())
    if run.record["status"] == "non-finite" or np.isinf(loss).any():
        return _told("diverged", constant, loss)
    keep = np.isfinite(loss)
    rows, loss, accuracy = np.flatnonzero(keep), loss[keep], accuracy[keep]
    first = by_loss(loss, constant)
    second = by_accuracy(accuracy, float(frequency.max()))
    if first != second or first == "unclear":
        return _told("ambiguous", constant, loss, first=first, second=second)
    ends = {name: activations(run, problem, row) for name, row in (("start", 0), ("end", rows[-1]))}
    if first == "never":
        return _told(why_never(loss, constant, ends), constant, loss)
    landing = ""
    if first == "escaped":
        best = activations(run, problem, int(rows[loss.argmin()]))
        landing = where(best, ends["end"])
    return _told(first, constant, loss, landing=landing)


def _told(name: str, constant: float, loss: np.ndarray, **more: str) -> dict[str, object]:
    tail = loss[-max(5, len(loss) // TAIL) :]
    found = {"label": name, "landing": "", "first": "", "second": ""} | more
    return {**found, "constant": constant, "lowest": np.nanmin(loss), "end": np.median(tail)}


def by_loss(loss: np.ndarray, constant: float) -> str:
    """First reading: means over windows of the losses."""
    width = max(3, len(loss) // 20)
    means = np.convolve(loss, np.ones(width) / width, mode="valid")
    tail = loss[-max(5, len(loss) // TAIL) :]
    end = float(tail.mean())
    best = float(min(means.min(), end))
    if best > 0.9 * constant:
        lowest = float(loss.min())
        if lowest > 0.93 * constant:
            return "never"
        if lowest > 0.75 * constant:
            return "unclear"
        best = lowest
    late = level_at_end(loss[-len(loss) // LATE :]) > best + 0.25 * (constant - best)
    turns = int(np.abs(np.diff(late.astype(int))).sum())
    if 0.25 < late.mean() < 0.75 and turns >= 6:
        early, later = np.array_split(loss[-len(loss) // LATE :], 2)
        return "bouncing" if later.mean() > 0.9 * early.mean() else "unclear"
    lost = (end - best) / (constant - best)
    stays = (tail > (best + end) / 2).mean() > 0.8
    if stays and (lost > 0.3 or (lost > 0.1 and end > 3 * best)):
        return "escaped"
    return "learned" if lost < 0.1 and late.mean() < 0.25 else "unclear"


def level_at_end(late: np.ndarray) -> np.ndarray:
    """The rows as they would be had they not fallen: what falls while it is noisy doesn't jump."""
    early, later = np.array_split(late, 2)
    fall = min(0.0, float(np.median(later) - np.median(early))) / max(1, len(early))
    return np.asarray(late + fall * np.arange(len(late))[::-1])


def by_accuracy(accuracy: np.ndarray, chance: float) -> str:
    """Second reading: medians of the accuracies."""
    padded = np.pad(accuracy, 1, mode="edge")
    smooth = np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    end = float(np.median(accuracy[-max(5, len(accuracy) // TAIL) :]))
    best = float(smooth.max())
    way = best - chance
    if way < 0.1 * (1 - chance):
        # A single row may have seen it learn.
        if accuracy.max() - chance < 0.15 * (1 - chance):
            return "never"
        best = float(accuracy.max())
        way = best - chance
    late = -level_at_end(-accuracy[-len(accuracy) // LATE :]) < best - 0.25 * way
    turns = int(np.abs(np.diff(late.astype(int))).sum())
    if 0.25 < late.mean() < 0.75 and turns >= 6:
        return "bouncing"
    lost = best - end
    if lost > 0.3 * way or (lost > 0.06 and lost > 0.1 * way):
        return "escaped"
    return "learned" if lost < 0.1 * way and lost < 0.04 else "unclear"


def why_never(loss: np.ndarray, constant: float, ends: Mapping[str, Mapping[str, float]]) -> str:
    """What held back a run that never learned."""
    tail, end, start = loss[-len(loss) // 2 :], ends["end"], ends["start"]
    jumps = float(np.abs(np.diff(tail)).mean()) / constant
    if end["whole"] == 1 and end["spread"] < 1e-3:
        return "dead-plateau"
    if end["spread"] < 1e-3:
        return "initial-plateau" if start["spread"] < 1e-2 else "vanishing-signal"
    if jumps > 0.05:
        return "stuck-jumping"
    if jumps > 0.03:
        return "ambiguous"
    # Still: what came down to where it stays at its start doesn't fall.
    falls = tail[: len(tail) // 2].mean() - tail[len(tail) // 2 :].mean()
    if falls > 5 * np.abs(np.diff(tail)).mean() + 1e-4 * constant:
        return "too-slow"
    return "ambiguous"


def where(best: Mapping[str, float], end: Mapping[str, float]) -> str:
    """Where an escape led."""
    if end["spread"] < 1e-3 and end["whole"] == 1:
        return "dead-plateau"
    grown = end["largest"] - best["largest"]
    return "partial-collapse" if end["largest"] > 0.5 and grown > 0.1 else "elsewhere"


def activations(run: Run, problem: Problem, row: int) -> dict[str, float]:
    """Shares of units that do the same on all data, and how far outputs tell inputs apart."""
    trajectory, model = run.trajectory, problem.model
    vector_to_parameters(torch.from_numpy(trajectory.row_weights(row)), model.parameters())
    load_buffers(model, trajectory.buffers(row))
    stuck: list[float] = []

    def see(module: nn.Module, _: object, output: Tensor) -> None:
        units = output.transpose(0, 1).flatten(1)
        flat = (units == 0) if isinstance(module, nn.ReLU) else (units.abs() > 0.999)
        stuck.append(float(flat.all(1).double().mean()))

    hooks = [
        module.register_forward_hook(see)
        for module in model.modules()
        if isinstance(module, nn.ReLU | nn.Tanh)
    ]
    model.eval()
    with torch.no_grad():
        outputs = model(problem.train[0]).double()
    for hook in hooks:
        hook.remove()
    scale = float(outputs.square().mean().sqrt())
    spread = float(outputs.std(0).square().mean().sqrt()) / scale if scale else 0.0
    return {"whole": float(max(stuck) == 1), "largest": max(stuck), "spread": spread}


if __name__ == "__main__":
    options = arguments("Labels from raw losses and activations.", tasks=False)
    table = []
    for place, _, subject in runs(options.folder, options):
        table.append({"run": place.name, **label(read(place), subject)})
    with (options.folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
