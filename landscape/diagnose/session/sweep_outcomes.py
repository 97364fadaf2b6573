"""What became of a sweep's runs: shares of outcomes by learning rate, with intervals."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from landscape.diagnose.binomial import interval
from landscape.diagnose.session import siblings
from landscape.store import sweep_outcomes, verdicts
from landscape.store.run import Run
from landscape.store.sweep_folder import Sweep
from landscape.store.sweep_outcomes import LossSpan, Outcomes, OutcomeShare, SweptGroup, SweptRun


def tally(sweep: Sweep) -> Outcomes:
    """Count the verdicts of a sweep's runs; those without one are left out.

    A group has its runs' settings but the seed, groups are in order of the learning rate; its
    shares have exact binomial intervals (95 %).
    """
    values = {str(entry["name"]): dict(entry["values"]) for entry in sweep.runs}
    runs = [
        found
        for run in siblings.ended(sweep)
        if (found := _swept(run, values[run.folder.name])) is not None
    ]
    by_settings: dict[str, list[SweptRun]] = {}
    for run in runs:
        by_settings.setdefault(json.dumps(run.shared), []).append(run)
    groups = [_group(members) for members in by_settings.values()]
    groups.sort(key=lambda group: (group.learning_rate or 0.0, json.dumps(group.values)))
    name = sweep.folder.resolve().name
    return Outcomes(name, str(sweep.record["id"]), tuple(groups), tuple(runs))


def write(sweep: Sweep) -> Outcomes:
    """Count the verdicts and write SWEEP/outcomes.json."""
    found = tally(sweep)
    sweep_outcomes.save(sweep.folder, found)
    return found


def _swept(run: Run, values: Mapping[str, Any]) -> SweptRun | None:
    verdict = verdicts.read(run.folder)
    if verdict is None:
        return None
    trajectory = run.trajectory
    last = trajectory.row("final")
    train, validation = (
        _known(trajectory.measures[name][last]) for name in ("train_loss", "validation_loss")
    )
    settings = run.record["settings"] or {}
    return SweptRun(
        name=run.folder.name,  # a link's, not of what it leads to: so sweep.json calls it
        values=dict(values),
        learning_rate=settings.get("lr"),
        verdict=verdict["verdict"],
        landing=verdict["landing"],
        motion=verdict["motion"],
        confidence=verdict["confidence"],
        train_loss=train,
        validation_loss=validation,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _group(members: Sequence[SweptRun]) -> SweptGroup:
    counts = Counter(member.verdict for member in members)
    shares = {}
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        low, high = interval(count, len(members))
        shares[name] = OutcomeShare(count, count / len(members), low, high)
    return SweptGroup(
        values=members[0].shared,
        learning_rate=members[0].learning_rate,
        count=len(members),
        outcomes=shares,
        train_loss=_span([member.train_loss for member in members]),
        validation_loss=_span([member.validation_loss for member in members]),
    )


def _span(losses: Sequence[float | None]) -> LossSpan | None:
    known = [loss for loss in losses if loss is not None]
    return LossSpan(float(np.median(known)), min(known), max(known)) if known else None
