"""What a run, its landing and its motion may be called: a line each, with all that goes with it.

A new name is a line here and a rule that gives it: in the room `verdict` or in
`motion.naming`. Figures draw outcomes by this table too, without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from landscape.store.scans.sentences import IGNORING

UNDETERMINED = "undetermined"


class DecidedTerm:
    """A name with the evidence that it is given for."""

    decided_by: tuple[str, ...]

    def is_decided_by(self, name: str) -> bool:
        """Whether its rule looks at this piece of evidence."""
        return any(
            name.startswith(known) if known.endswith("_") else name == known
            for known in self.decided_by
        )


@dataclass(frozen=True)
class OutcomeTerm(DecidedTerm):
    """One outcome."""

    sentence: str
    """What it says of a run; ``{layers}``, ``{stuck_as}`` (what their units are: dead, say),
    ``{ends_at}`` (a level, or a loss that still falls), ``{at_step}`` (when it left or diverged, if
    that is known) and names of the evidence are filled in."""
    colour: str
    hatch: str = ""
    is_dark: bool = False
    """Whether its hatch and edge are white."""
    is_old: bool = False
    """Whether only earlier versions gave it: a spike, a catapult now stand beside the outcome."""
    decided_by: tuple[str, ...] = ()
    """The evidence that its rule looks at; a name that ends with "_" is all that begin so."""


@dataclass(frozen=True)
class MotionTerm(DecidedTerm):
    """One motion."""

    sentence: str
    """As an outcome's; ``{over}``: over how many steps."""
    is_still: bool = False
    """Whether the weights stay in one connected region,"""
    has_places: bool = False
    """and whether there are places that they are said to be at."""
    decided_by: tuple[str, ...] = ()
    """As an outcome's."""


ENDING = ("best_stretch", "end_loss", "best_share", "end_noises", "end_lost", "end_times")
"""What says whether a run ended near its best stretch or away from it."""
OTHER_RATES = ("lower_rate_from_", "rate_")
"""What other rates do, which tests an outcome."""
MOVEMENT = ("loss_change", "half_cosine", "ratio", "dimension", "replicas_")
"""What every movement of a settled loss is named by."""
OUTCOMES: dict[str, OutcomeTerm] = {
    "learned": OutcomeTerm(
        "It learned, to a logged loss of {best_loss}.",
        colour="#0072b2",
        decided_by=(*ENDING, "restless", "end_share", "accuracy_lost", "last_excursion_rows"),
    ),
    "noise-floor": OutcomeTerm(
        "It sits at {ends_at}; the noise of its batches keeps it up: a lower learning rate lowers "
        "it at once.",
        colour="#4d9fd0",
        hatch="..",
        decided_by=("lower_rate_gain", "lower_rate_share", "end_share", *ENDING),
    ),
    "spike-recovered": OutcomeTerm(
        "It learned to a logged loss of {best_loss}; the loss spiked and came back.",
        colour="#56b4e9",
        hatch="//",
        is_old=True,
    ),
    "catapult": OutcomeTerm(
        "It was catapulted: along the sharpest direction the loss rose and came back at a flatter "
        "place.",
        colour="#9ad4f5",
        hatch="xx",
        is_old=True,
    ),
    "suboptimal-plateau": OutcomeTerm(
        "It sits on a plateau at {ends_at}, alive, and a lower learning rate doesn't help.",
        colour="#009e73",
        hatch="--",
        decided_by=("siblings_share", "end_share", "lower_rate_gain", *ENDING),
    ),
    "too-slow": OutcomeTerm(
        "It never learned in this time: the loss falls, far too slowly.",
        colour="#e8e4c9",
        decided_by=("best_share", "rate_over_bound", "logit_spread", *OTHER_RATES),
    ),
    "initial-plateau": OutcomeTerm(
        "It never left the plateau around its initialization: no layer is dead, but the outputs "
        "hardly depend on the input.",
        colour="#f0e442",
        hatch="..",
        decided_by=("best_share", "logit_spread", "from_constant", *OTHER_RATES),
    ),
    "vanishing-signal": OutcomeTerm(
        "It never learned. No layer is dead, but the outputs have come to hardly depend on the "
        "input.",
        colour="#d9c722",
        hatch="oo",
        decided_by=("best_share", "logit_spread", "from_constant", *OTHER_RATES),
    ),
    "stuck-jumping": OutcomeTerm(
        "It never learned: the loss jumps about, and never went clearly below that of a constant "
        "output.",
        colour="#b8860b",
        hatch="||",
        decided_by=("best_share", "noise", "saturated_share", *OTHER_RATES),
    ),
    "bouncing": OutcomeTerm(
        "It learned, but the loss jumps about and holds no level.",
        colour="#e69f00",
        hatch="\\\\",
        decided_by=("excursions", "restless", "excursion_share"),
    ),
    "escaped": OutcomeTerm(
        "It learned to a logged loss of {best_loss}, then left that region of low loss{at_step} "
        "and stayed away, at {ends_at}.",
        colour="#d55e00",
        decided_by=(*ENDING, "control_from_", "left_again_from_", "stability_from_", *OTHER_RATES),
    ),
    "dead-plateau": OutcomeTerm(
        "It never learned. Units of {layers} are {stuck_as} on all data, and nothing that the "
        "outputs say of the input gets through.",
        colour="#7a2f1d",
        hatch="//",
        is_dark=True,
        decided_by=("best_share", "dead_layers", "saturated_share", "no_way_back", *OTHER_RATES),
    ),
    "diverged": OutcomeTerm(
        "It diverged: its loss, a gradient or a weight became NaN or infinite{at_step}.",
        colour="#1a1a1a",
        is_dark=True,
        decided_by=("finite",),
    ),
    "undetermined": OutcomeTerm(
        "What it did is undetermined: {undetermined_because}.",
        colour="#bdbdbd",
        decided_by=(*ENDING, "restless", "noise", "accuracy_lost", "lower_rate_gain", "run_steps"),
    ),
}
"""By name, from good to bad: shares of a sweep are stacked in this order."""
ALSO: dict[str, str] = {
    "early": "It had learned for less than an epoch when it left.",
    "bouncing": "Again and again it jumped up and came back.",
    "catapult": "Once it was catapulted: along the sharpest direction the loss rose and came back "
    "at a flatter place.",
    "overfitting": "It overfits: the validation loss has risen clearly from its minimum.",
    "noise-floor-raised": "The loss is above its best stretch, but a tenth of the rate leads as "
    "low from the last weights as from its lowest logged loss: it is hotter there, not elsewhere.",
    "accuracy-kept": "It isn't wrong more often than in its best stretch: the accuracy is as it "
    "was.",
    "ended-in-excursion": "It ended during one more excursion; such ones came back before.",
    "end-above-best": "The loss that it ends at is a little above its best stretch.",
    "little": f"It learned little: the loss has settled clearly below that of {IGNORING}, "
    "and close to it.",
    "saturated": "Units are saturated and the outputs huge.",
    "too-slow": "The loss falls, far too slowly.",
}
"""By what may stand beside an outcome, its sentence."""
LANDINGS: dict[str, str] = {
    "dead-plateau": "It landed on the plateau of networks that ignore their input: every unit of "
    "{layers} is {stuck_as}.",
    "partial-collapse": "It landed where many units of {layers} are {stuck_as}.",
    "elsewhere": "Where it landed units are alive.",
    "undetermined": "Whether units died where it landed was not measured.",
}
"""By name, the sentence on where an escape led."""
POINTS: dict[str, str] = {
    "slope": "No: around the last weights the loss is a slope, its gradient isn't near 0.",
    "flat": "No: around the last weights the loss is flat, its curvature is next to nothing.",
    "flat-valley": "No: a flat valley, not an isolated minimum. Around the last weights the loss "
    "is flat along at least one direction, and curves down along none that was found.",
    "saddle": "No: around the last weights the loss curves down along a direction.",
    "minimum": "Yes, as far as was looked: around the last weights the loss curves up along every "
    "direction.",
}
"""By name, the sentence on what surrounds the last weights; a landing is what the network does."""
MOTIONS: dict[str, MotionTerm] = {
    "still-descending": MotionTerm(
        "The loss still falls: what it does once settled can't be seen yet.",
        decided_by=("loss_change",),
    ),
    "rising": MotionTerm(
        "The loss rises over the last window.",
        decided_by=("loss_change",),
    ),
    "drifting": MotionTerm(
        "{over} the weights drift: the same way whatever the order of batches.",
        decided_by=MOVEMENT,
    ),
    "confined": MotionTerm(
        "{over} the weights stay near one place: within that time their distance to where they "
        "were no longer grows.",
        is_still=True,
        has_places=True,
        decided_by=(*MOVEMENT, "unconfined_below", "drift_below", "barrier_"),
    ),
    "mixed": MotionTerm(
        "{over} part of the movement is confined and part of it is not: of the squared "
        "displacement over half that time about {share_confined} is confined, {share_walk} a walk "
        "and {share_drift} a drift.",
        is_still=True,
        has_places=True,
        decided_by=(*MOVEMENT, "share_", "hops", "barrier_"),
    ),
    "wandering-in-valley": MotionTerm(
        "{over} the weights wander through a connected valley: other batch orders lead elsewhere, "
        "at no barrier.",
        is_still=True,
        has_places=True,
        decided_by=(*MOVEMENT, "hops", "barrier_"),
    ),
    "hopping-basins": MotionTerm(
        "{over} the weights hop between basins: barriers remain between the places they visit.",
        has_places=True,
        decided_by=(*MOVEMENT, "basins", "barrier_"),
    ),
    "undetermined": MotionTerm(
        "Whether it stays or wanders is undetermined: {motion_undetermined_because}.",
        decided_by=(*MOVEMENT, "unconfined_below", "hops", "barrier_"),
    ),
}
"""By name."""


def layers(names: Sequence[str]) -> str:
    """Layers as a sentence has them, in which a name mustn't be read as a word of it.

    >>> layers(["hidden"]), layers(["conv2", "hidden"]), layers(["0", "2", "4"])
    ('the layer hidden', 'the layers conv2 and hidden', 'the layers 0, 2 and 4')
    """
    first, last = ", ".join(names[:-1]), names[-1]
    return f"the layers {first} and {last}" if first else f"the layer {last}"
