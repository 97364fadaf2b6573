"""What the explorer's page holds of a valley: its columns, and what is known of each step."""

from __future__ import annotations

from typing import Any

import numpy as np

from landscape.draw.elements import episodes, strips
from landscape.draw.elements.columns import Columns
from landscape.draw.interactive.packing import packed, scaled
from landscape.draw.look import scale as scales
from landscape.draw.look.scale import Scale
from landscape.quantities import number
from landscape.store.scans import sentences, valley_sentences
from landscape.store.scans.attributes import named
from landscape.store.scans.valleys import Valley, WalkedPath
from landscape.store.scans.widths import ends, ends_called


def valley_values(valley: Valley) -> dict[str, Any]:
    """Return a valley as JSON values.

    Places along the path are those of the figure: `Columns`, a column being 1 wide. Scrubbed are
    the columns, so that ``steps`` are theirs; the run's own losses between them are in ``own``.
    """
    where, there = Columns.of(valley), valley.slices
    own = valley.walked()
    known = np.isfinite(own.loss)
    directions = valley.walls.shape[1]
    walls = [valley.wall(side, share) for side in (0, 1) for share in ends(directions)]
    return {
        "kind": "valley",
        "title": f"valley, {len(there.step)} slices across the path",
        "labels": [valley_sentences.ruler(valley), valley_sentences.across(valley, distance=False)],
        "unit": valley.unit,
        "y": valley.y.tolist(),
        "centre": valley.centre,
        "steps": there.step.tolist(),
        "left": where.left.tolist(),
        "gaps": np.flatnonzero(there.jumps).tolist(),
        "leaps": np.flatnonzero(there.leaps).tolist(),
        "lost": np.flatnonzero(there.lost).tolist(),
        "returned": there.returned.tolist(),
        "measured": None if valley.measured.all() else packed(valley.measured.ravel(), np.uint8),
        "measures": [_measure(valley, name) for name in _names(valley)],
        "own": {"x": packed(where.at(own.travelled)[known]), "loss": packed(own.loss[known])},
        "walls": packed(np.stack(walls, axis=1)),
        "widths": packed(np.stack(valley.widths(), axis=1)),
        "rise": {"by": valley.rise.by, "said": valley.rise.short},
        "spread": {"walls": ends_called(directions), "widths": ends_called(2 * directions)},
        "critical": packed(valley.critical_sharpness),
        "bounds": packed(valley.bounds),
        "length": packed(there.length),
        "stretches": strips.stretches(valley, where),
        "events": [
            {"name": event.name, "first": event.first, "last": event.last}
            for event in valley.events
            if event.name in episodes.COLOURS
        ],
        "points": _points(own, where),
        "paths": [],
        "constant": valley.constant_loss if np.isfinite(valley.constant_loss) else None,
        "facts": valley_sentences.remarks(valley),
        "caption": valley_sentences.caption(valley),
    }


def _names(valley: Valley) -> list[str]:
    """Losses and accuracies first, the training loss before all."""
    first = [name for name in sentences.MEASURES if name in valley.measures]
    return first + [name for name in valley.measures if name not in first]


def _measure(valley: Valley, name: str) -> dict[str, Any]:
    about = named(name)
    words = sentences.MEASURES.get(name, name.replace("_", " "))
    samples = valley.samples.get(about.role)
    errors = valley.errors.get(name)
    return {
        "name": name,
        "title": f"{words} ({samples:,} samples)" if samples else words,
        "short": words,
        "band": None,
        "error": None if errors is None else packed(errors.ravel()),
        **scaled(valley.measures[name], _scale(valley, name)),
    }


def _scale(valley: Valley, name: str) -> Scale:
    """Losses share the figure's scale, accuracies go from 0 to 1, others have their own."""
    kind = named(name).kind
    if kind == "accuracy":
        return Scale(0.0, 1.0, log=False, capped=False, rule="", constant=float("nan"))
    if kind == "loss":
        return scales.of_valleys([valley])
    return scales.through([valley.measures[name]], constant=float("nan"))


def _points(own: WalkedPath, where: Columns) -> list[dict[str, Any]]:
    """Start, best and end of all that is known of the run, with what the figure says of them."""
    x = where.at(own.travelled)
    return [
        {
            "name": name,
            "text": f"{name} {number(float(own.loss[row]))}, step {int(own.step[row]):,}",
            "step": int(own.step[row]),
            "x": float(x[row]),
            "loss": float(own.loss[row]),
        }
        for name, row in own.landmarks().items()
    ]
