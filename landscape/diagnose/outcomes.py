"""What became of a sweep's runs: shares of outcomes by learning rate, with intervals."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from landscape.diagnose import siblings
from landscape.diagnose.binomial import interval
from landscape.diagnose.kept import VERDICT
from landscape.store import outcomes
from landscape.store.run import Run
from landscape.store.sweep import Sweep

LOSSES = ("train_loss", "validation_loss")


def of(sweep: Sweep) -> dict[str, Any]:
    """Read the verdicts of a sweep's runs; those without one are left out.

    ``runs`` has a line a run; ``groups`` one for each combination of settings apart from the
    seed, in order of the learning rate: how many runs, count and share of each outcome with its
    exact binomial interval (95 %), and median, lowest and highest last losses.
    """
    values = {str(entry["name"]): dict(entry["values"]) for entry in sweep.runs}
    runs = [
        found
        for run in siblings.ended(sweep)
        if (found := _line(run, values[run.name])) is not None
    ]
    by_settings: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        shared = {name: value for name, value in run["values"].items() if name != "seed"}
        by_settings.setdefault(json.dumps(shared), []).append(run)
    groups = [_group(json.loads(shared), members) for shared, members in by_settings.items()]
    groups.sort(key=lambda group: (group["learning_rate"] or 0.0, json.dumps(group["values"])))
    return {"sweep": sweep.record["id"], "runs": runs, "groups": groups}


def write(sweep: Sweep) -> dict[str, Any]:
    """Read the verdicts and write SWEEP/outcomes.json."""
    found = of(sweep)
    outcomes.save(sweep.folder, found)
    return found


def _line(run: Run, values: Mapping[str, Any]) -> dict[str, Any] | None:
    place = run.folder / VERDICT
    if not place.is_file():
        return None
    verdict = json.loads(place.read_text(encoding="utf-8"))
    trajectory = run.trajectory
    last = trajectory.row("final")
    settings = run.record["settings"] or {}
    return {
        "name": run.name,
        "values": dict(values),
        "learning_rate": settings.get("lr"),
        **{name: verdict[name] for name in ("verdict", "landing", "motion", "confidence")},
        **{name: _known(trajectory.measures[name][last]) for name in LOSSES},
    }


def _known(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


def _group(values: dict[str, Any], members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = Counter(str(member["verdict"]) for member in members)
    shares = {}
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        low, high = interval(count, len(members))
        shares[name] = {"count": count, "share": count / len(members), "low": low, "high": high}
    return {
        "values": values,
        "learning_rate": members[0]["learning_rate"],
        "count": len(members),
        "outcomes": shares,
        **{name: _spread([m[name] for m in members if m[name] is not None]) for name in LOSSES},
    }


def _spread(losses: Sequence[float]) -> dict[str, float] | None:
    if not losses:
        return None
    return {"median": float(np.median(losses)), "low": min(losses), "high": max(losses)}
