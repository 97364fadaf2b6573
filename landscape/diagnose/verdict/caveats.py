"""What may mislead about this run, and only what applies to it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion.estimates import is_sgd
from landscape.diagnose.motion.naming import NamedMotion
from landscape.diagnose.outcome_names import MOTIONS, layers
from landscape.diagnose.verdict.landing import dead_layers
from landscape.diagnose.verdict.outcome import NamedOutcome
from landscape.quantities import percent
from landscape.store.measured.weights import Diffusion
from landscape.store.scans.sentences import IGNORING


def of(evidence: Evidence, outcome: NamedOutcome, motion: NamedMotion) -> tuple[str, ...]:
    """The sentences, those on what was not measured first."""
    return (
        *evidence.absent,
        *_on_layers(evidence, outcome),
        *_on_loss(evidence),
        *_on_motion(evidence, outcome, motion),
    )


def _on_layers(evidence: Evidence, outcome: NamedOutcome) -> Iterator[str]:
    # Too late in the run for an escape, or one of several excursions.
    end = evidence.state("end")
    if end is not None and (dead := dead_layers(end)) and not outcome.layers:
        yield f"At the last weights every unit of {layers(dead)} is {end.stuck_as(dead)}."


def _on_loss(evidence: Evidence) -> Iterator[str]:
    if not math.isfinite(evidence.constant_loss):
        yield (
            f"The loss of {IGNORING} isn't known here: the first logged loss stands for it (L₀)."
        )
    if not is_sgd(evidence):
        setup = evidence.setup
        whats = [setup.optimizer] if setup.optimizer != "SGD" else []
        what = ", ".join(whats + ["gradients were clipped"] * setup.clipped)
        yield f"Criteria that are only plain SGD's (bounds, h*) are not applicable: {what}."
    if evidence.setup.constant_from > int(evidence.rows.step[0]):
        yield (
            "The learning rate changed: motion and bounds are those of the last constant one, from "
            f"step {evidence.setup.constant_from}."
        )


def _on_motion(evidence: Evidence, outcome: NamedOutcome, motion: NamedMotion) -> Iterator[str]:
    moved = evidence.measured.diffusion
    if outcome.name == "diverged":
        return
    if (
        evidence.setup.cross_entropy
        and evidence.setup.weight_decay == 0
        and _is_separable(evidence)
    ):
        yield (
            "Every training sample is classified correctly: cross-entropy then has no finite "
            "minimum and ‖w‖ grows like log t, a drift without noise."
        )
    if evidence.setup.scale_invariant:
        yield "Normalization layers make the loss blind to scale: norms may grow without effect."
    if moved is None or evidence.is_for_good:
        return
    if MOTIONS[motion.name].has_places and evidence.setup.weight_decay == 0:
        yield from _on_symmetries(evidence)
    if motion.name == "mixed" and not motion.connected:
        yield (
            "Slow hops between basins would look like the walk in the mixture: the barriers "
            "don't exclude them."
        )
    if motion.name == "confined":
        share = float(motion.items["drift_below"].value or 0)
        yield (
            f"A slow logarithmic drift beneath confinement, of up to {percent(share)} of MSD(T/2), "
            "can not be told from none here."
        )
    if MOTIONS[motion.name].is_still and moved.growth == "logarithmic":
        yield (
            "Displacement grows like log lag; a broad spectrum of curvatures looks the same as "
            "logarithmic diffusion."
        )
    yield from _on_distances(evidence, moved)
    yield from _on_trainings(evidence, motion, moved)
    if evidence.misses_twin:
        yield "No independently trained network to compare distances with."


def _on_distances(evidence: Evidence, moved: Diffusion) -> Iterator[str]:
    if moved.source == "snapshots" and _only_whole_epochs(evidence):
        yield (
            "Snapshots lie at whole epochs only, over which noise without replacement sums to "
            "zero: diffusion may be hidden."
        )
    if moved.source == "sketch":
        yield (
            "Displacements are estimated from sketches (each step's weights in few numbers): each "
            f"has an error of {percent(moved.distance_error)}."
        )
    if evidence.setup.momentum > 0:
        share = 1 / (1 - evidence.setup.momentum)
        yield f"Momentum makes steps resemble each other over about {share:.0f} of them."


def _on_trainings(evidence: Evidence, motion: NamedMotion, moved: Diffusion) -> Iterator[str]:
    replicas = evidence.measured.replicas
    if replicas is None and motion.name != "still-descending":
        others = any(b.kind == "other-order" for b in evidence.measured.branches)
        earlier = " (trainings with other orders of batches began before it left)" if others else ""
        yield (
            f"No replicas from the window that the motion is read from{earlier}: whether noise or "
            "drift moves the weights there rests on one run."
        )
    elif replicas is not None and 0 < replicas.steps < 0.75 * moved.steps:
        yield (
            f"Replicas ran for {replicas.steps} of the window's {moved.steps} steps: "
            "their ratio is that of the shorter time."
        )
    if evidence.measured.connectivity is None and motion.name != "still-descending":
        yield "No floors: barriers between the places it visits are not known."
    floors = evidence.measured.connectivity
    if motion.name == "hopping-basins" and floors and floors.symmetric is False:
        yield (
            "No interchangeable units were found in the model, so that nothing was matched; one "
            "basin may still be another's copy by a symmetry that wasn't found."
        )


def _on_symmetries(evidence: Evidence) -> Iterator[str]:
    ways = []
    if evidence.setup.rectified:
        ways.append("scaling a ReLU unit's inputs up and its outputs down")
    if evidence.setup.cross_entropy:
        ways.append("adding the same to all logits")
    if ways:
        yield (
            f"No minimum is isolated here: {' and '.join(ways)} changes no loss, so that places "
            "are places up to that."
        )


def _is_separable(evidence: Evidence) -> bool:
    accuracy = evidence.rows.train_accuracy
    if accuracy is None:
        return False
    finite = accuracy[np.isfinite(accuracy)]
    return len(finite) > 0 and float(finite[-1]) == 1.0


def _only_whole_epochs(evidence: Evidence) -> bool:
    moved = evidence.measured.diffusion
    if moved is None:
        return False
    step = evidence.rows.step
    inside = step[(step >= moved.first_step) & (step <= moved.last_step)]
    return bool((inside % max(1, evidence.setup.steps_per_epoch) == 0).all())
