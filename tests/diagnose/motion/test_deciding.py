"""What is said to decide a movement without a name: how much training, its price, the call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.diagnose.evidence import LongReplicas, Rows
from landscape.diagnose.motion import deciding
from landscape.diagnose.motion.naming import name_motion
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.trainings import Replicas
from landscape.store.verdicts import Remedy

from .. import planted_motions as planted
from .. import planted_outcomes as outcomes
from ..planted_parts import changed

LIMITS = Thresholds()


@pytest.fixture(scope="module")
def walk():
    """A walk of 2,048 steps in one of 16, alone."""
    found = planted.evidence(planted.walk(0.0), count=1)[0]
    return changed(found, replicas=None)


def test_replicas_are_counted_and_priced_in_the_runs_own_training(walk):
    moved = replace(walk.measured.diffusion, dimension=3.0)
    last = int(walk.rows.step[-1])
    # 15 dimensions, 3 in each of five movements: the run's own and four replicas.
    assert deciding.enough(moved, LIMITS) == 4
    assert deciding.enough(replace(moved, dimension=2.0), LIMITS) == 7
    assert deciding.enough(replace(moved, dimension=0.1), LIMITS) == deciding.MOST
    moved = replace(moved, dimension=2.0)
    text, remedy = deciding.would_tell("dimensions", walk, moved, LIMITS)
    assert text == (
        f"; no replicas were run, 7 of 2,048 steps, {7 * 2048 / last:.2g} times its training, "
        "would tell more"
    )
    assert remedy == deciding.INTERVENE
    short = changed(walk, replicas=Replicas(4, 1.0, half_cosine=0.1, steps=1024))
    text, remedy = deciding.would_tell("replicas", short, moved, LIMITS)
    assert text.startswith("; replicas ran 1,024 of its window's 2,048 steps, 7 of 2,048 steps, ")
    per_epoch = short.setup.steps_per_epoch
    assert remedy == Remedy("diagnose", {"epochs": -(-2048 // per_epoch)})


def test_what_brings_numbers_of_a_movement_that_could_not_be_measured(walk):
    asked = changed(walk, diffusion=None)
    parts = Remedy("diagnose", {"only": ("distances", "diffusion")})
    assert deciding.would_measure(asked, LIMITS) == ("diffusion was not measured", parts)
    tried = replace(asked, failed=("diffusion",))
    first, last = int(walk.rows.step[0]), int(walk.rows.step[-1])
    text, remedy = deciding.would_measure(tried, LIMITS)
    window = last - (last - round((last - first) / 2) + round((last - first) / 2) // 16)
    assert text == "its movement could not be measured"
    assert remedy == Remedy("train", {"record": window // 64})
    # A rate that changed to the end leaves no window; of its last half there are steps enough.
    cooled = replace(tried, setup=replace(tried.setup, constant_from=last - 1))
    text, remedy = deciding.would_measure(cooled, LIMITS)
    assert text == f"its window, from step {last:,} on, is too short to read a motion from"
    assert remedy == Remedy("diagnose", {"after": (first + last) // 2})
    rows = Rows(np.arange(60), walk.rows.train_loss[:60])
    few = replace(tried, rows=rows)
    assert deciding.would_measure(few, LIMITS)[1] == Remedy("train", {"steps": 256})
    assert deciding.would_measure(replace(tried, weights_finite=False), LIMITS)[1] is None


def test_what_was_timed_is_said_and_asked_for(walk):
    timed = replace(walk, longer=LongReplicas(5, 300.0, 120.0))
    text, remedy = deciding.would_tell("dimensions", timed, walk.measured.diffusion, LIMITS)
    assert text.endswith(", would tell more, about 5 min where 2 min were allowed")
    assert remedy == Remedy("diagnose", {"budget": 360})


def test_what_no_replica_tells(walk):
    moved = walk.measured.diffusion
    escaped = replace(walk, places={"onset": 0})
    said = f"; {deciding.NOTHING}: after an escape no replicas are run"
    assert deciding.would_tell("replicas", escaped, moved, LIMITS) == (said, None)
    steps = 2 * int(walk.rows.step[-1])
    longer = f"; a training twice as long, of {steps:,} steps, has twice the window to tell by"
    call = Remedy("train", {"steps": steps})
    assert deciding.would_tell("time", walk, moved, LIMITS) == (longer, call)
    many = changed(walk, replicas=Replicas(16, 1.0, half_cosine=0.1, steps=moved.steps))
    said = f"; 16 replicas as long as its window weren't enough{longer}"
    assert deciding.would_tell("dimensions", many, moved, LIMITS) == (said, call)
    assert deciding.would_tell("", walk, moved, LIMITS) == (f"; {deciding.NOTHING}", None)


def test_of_what_can_not_move_any_more_the_question_is_moot(walk):
    end = int(walk.rows.step[-1])
    dead = replace(outcomes.DEAD, step=end)
    still = changed(replace(walk, places={"end": end}), states={"end": dead})
    assert still.is_for_good
    found = name_motion(still, LIMITS)
    assert (found.name, found.remedy) == ("undetermined", None)
    assert found.items["motion_undetermined_because"].value == deciding.MOOT
    # What the movement would be named by is no evidence then.
    assert "half_cosine" in name_motion(walk, LIMITS).items
    assert "half_cosine" not in found.items
    decaying = replace(still, setup=replace(still.setup, weight_decay=1e-4))
    assert not decaying.is_for_good


def test_floors_and_bent_paths(walk):
    moved, bare = walk.measured.diffusion, changed(walk, connectivity=None)
    said = "; trainings down to floors below its snapshots would tell"
    assert deciding.would_tell("floors", bare, moved, LIMITS) == (said, deciding.INTERVENE)
    pairs = walk.measured.connectivity.count * (walk.measured.connectivity.count - 1) // 2
    said = f"; one for each pair that needs it, up to {pairs} times 600 steps, would tell"
    assert deciding.would_tell("curves", walk, moved, LIMITS) == (said, deciding.BENT)
    assert deciding.would_tell("floors", walk, moved, LIMITS)[1] == deciding.BENT
