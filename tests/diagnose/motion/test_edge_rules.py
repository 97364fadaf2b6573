"""When a run is said to train at the edge of stability, and what is told after an escape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from landscape.curvature.bounds import bounds
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion import naming
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.whole import StateAtStep as State

from .. import planted_outcomes as planted

LIMIT = bounds(0.1).full_batch
EDGE = ("edge-of-stability",)


def run(*shares: float, batch: int = 32, error: float = 0.0, first: int = 500) -> Evidence:
    """Sharpness as shares of its bound, at steps from ``first`` on, of a run of 1000 steps."""
    base = planted.learned(0, 0.0)
    setup = replace(base.setup, batch_size=batch, samples=1000)
    full = batch == 1000
    states = tuple(
        State(
            first + 100 * number,
            lambda_max=share * LIMIT if full else 1.0,
            batch_sharpness=1.0 if full else share * LIMIT,
            batch_sharpness_error=error * LIMIT,
        )
        for number, share in enumerate(shares)
    )
    return at_steps(replace(base, setup=setup), *states, end=states[-1].step)


def at_steps(evidence: Evidence, *states: State, **places: int) -> Evidence:
    measured = replace(evidence.measured, **planted.parts.parts(states))
    return replace(evidence, measured=measured, places=places)


def judged(evidence: Evidence) -> tuple[str, ...]:
    return naming.judge_edge(evidence, Thresholds())[0]


@pytest.mark.parametrize("batch", [32, 1000])
@pytest.mark.parametrize(
    ("shares", "at_edge"),
    [
        ((0.95, 1.05), True),
        ((1.05, 0.5, 0.95), True),
        ((0.5, 0.5), False),
        ((0.5, 1.0), False),
        ((3.0, 3.0), False),
    ],
)
def test_it_hovers_at_the_bound_late_in_the_run(shares, at_edge, batch):
    assert judged(run(*shares, batch=batch)) == (EDGE if at_edge else ())
    clipped = run(*shares, batch=batch)
    assert judged(replace(clipped, setup=replace(clipped.setup, clipped=True))) == ()


def test_early_steps_and_other_rates_do_not_count():
    assert judged(run(1.0, 1.0, 0.5, first=300)) == ()
    late = run(1.0, 1.0)
    assert judged(late) == EDGE
    assert judged(replace(late, setup=replace(late.setup, constant_from=550))) == ()


def test_the_error_of_batch_sharpness_counts():
    assert judged(run(1.0, 1.0, error=0.04)) == EDGE
    assert judged(run(1.0, 1.0, error=0.06)) == ()


def test_the_formula_is_that_of_the_momentum():
    found = run(0.5)
    plain = naming.judge_edge(found, Thresholds())[1]
    assert "(2+2β)/η" in plain["sharpness"].meaning
    setup = replace(found.setup, momentum=0.9, nesterov=True)
    nesterov = naming.judge_edge(replace(found, setup=setup), Thresholds())[1]
    for name in ("sharpness", "batch_sharpness"):
        assert "(2+2β)/((1+2β)η)" in nesterov[name].meaning
    assert nesterov["sharpness"].threshold == pytest.approx(3.8 / 2.8 / 0.1)


def test_after_an_escape_the_onset_is_told_and_the_landing_is_not():
    found = run(1.0, 1.0)
    onset = State(450, lambda_max=30.0, batch_sharpness=18.0, batch_sharpness_error=2.0)
    escaped = at_steps(found, onset, found.state("end"), **found.places, onset=450)
    also, items = naming.judge_edge(escaped, Thresholds())
    assert also == ()
    assert set(items) == {"sharpness_onset", "batch_sharpness_onset"}
    assert (items["sharpness_onset"].value, items["sharpness_onset"].threshold) == (30.0, LIMIT)
    assert items["batch_sharpness_onset"].value == 18.0
    assert "± 2 at step 450, before it left" in items["batch_sharpness_onset"].meaning
    for value, error, side in (
        (100.0, 2.0, "above: beyond both bounds"),
        (100.0, 45.0, "above: between the bounds, or within two of its errors: open"),
        (0.5, 0.1, "below: stable"),
        (0.5, 1e3, "below: within two of its errors: open"),
    ):
        measured = replace(onset, batch_sharpness=value, batch_sharpness_error=error)
        same = at_steps(found, measured, found.state("end"), **found.places, onset=450)
        [item] = [naming.judge_edge(same, Thresholds())[1]["batch_sharpness_onset"]]
        assert item.side == side
    changed = replace(escaped, setup=replace(escaped.setup, constant_from=460))
    assert naming.judge_edge(changed, Thresholds()) == ((), {})
