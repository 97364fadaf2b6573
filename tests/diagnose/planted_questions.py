"""An escaped and a long run of which everything was measured, to ask both questions of."""

from dataclasses import replace

import numpy as np

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion import distances
from landscape.store.measured.trainings import FullBatch, Interventions, Trained
from landscape.store.measured.weights import Copies, Nearest, Typical, WeightDistances
from landscape.store.measured.whole import StateAtStep as State

from . import planted_motions as motions
from . import planted_outcomes as outcomes
from . import planted_parts as parts

RATES = (1e-4, 1e-3, 0.01, 0.1, 1.0)


def escape() -> Evidence:
    """Five spikes, then dead; trained again from everywhere."""
    found = outcomes.spikes_then_dead(0, 0.9)
    onset = State(495, lambda_max=45.0, batch_sharpness=3.0, batch_sharpness_error=0.1)
    best = replace(outcomes.ALIVE, gradient_norm=0.3)
    states = {"start": outcomes.ALIVE, "best": best, "end": outcomes.DEAD, "onset": onset}
    branches = [*outcomes.tried(best=10, onset=2)]
    branches += [Trained("rate", "end", 995, rate, 2.3, 2.302, epochs=15) for rate in RATES]
    branches += [Trained("plateau", "plateau", 0, rate, 2.3, 2.3, constant=True) for rate in RATES]
    loss = found.rows.train_loss
    validation = loss + 0.05 + 0.002 * np.maximum(np.arange(len(loss)) - 60, 0)
    rows = replace(found.rows, validation_loss=validation)
    found = replace(found, rows=rows, siblings_share=0.9)
    return parts.changed(found, states=states, branches=tuple(branches))


def long() -> Evidence:
    """A walk through a valley, with its replicas, its floors and all distances."""
    found = motions.evidence(motions.walk(0.9), count=1)[0]
    alive = replace(outcomes.ALIVE, batch_sharpness=1.5, batch_sharpness_error=0.1)
    found = parts.changed(found, states=dict.fromkeys(("start", "best", "end"), alive))
    w = np.cumsum(np.random.default_rng(0).standard_normal((65, 50)), axis=0)
    apart = distances.between(w, 16 * np.arange(65))
    curve = distances.by_lag(apart)
    copies = Copies(
        nearest=200.0,
        by_layer={"hidden": Nearest((0, 1), 200.0)},
        nearest_is_exact=True,
        typical=Typical(4000.0, 100.0, 10, None),
        by_layer_typical={"hidden": 4000.0},
        hidden_norm=4000.0,
        twin=4100.0,
        twin_matched=2000.0,
        groups={"hidden": 8},
        reason=None,
        meanings={},
        caveats=(),
    )
    before = found.measured.interventions
    assert before is not None
    assert before.motion is not None
    trained = replace(
        before.motion,
        full_batch=FullBatch(100, 0.5, 1.5, 0.03, 0.05),
        lower=Trained("lower-rate", "end", 2048, 0.01, 0.05, 0.02),
    )
    return parts.changed(
        found,
        distances=WeightDistances(apart, curve, settled=curve, since=0),
        permutations=copies,
        interventions=Interventions(motion=trained),
    )


PLANTED = {"escape": escape, "long": long}
