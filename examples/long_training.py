"""Once no further improvement comes: does SGD stay near a minimum, or explore?

Trains at a fixed learning rate for long, in regimes that differ in one thing each, and diagnoses
every run: how far it moves, beside how far copies with permuted units and other seeds are; where
other batch orders lead; and whether the places it visits are connected.

    python examples/long_training.py runs/long-training --seeds 3

A minute or two a regime; the same command goes on where it stopped. docs/science.md tells what came
of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from experiment import Trial, arguments, carry_out, chosen

from landscape.sgd import Settings

BASE = Trial(
    Settings(lr=0.1, weight_decay=0.005, batch_size=32, epochs=400), model="mlp", label_noise=0.2
)
"""Noisy labels keep the gradients noisy, weight decay lets the norm settle."""


def base(**changes: float) -> Trial:
    """The base with other settings of SGD."""
    return replace(BASE, settings=replace(BASE.settings, **changes))


TRIALS: Mapping[str, Trial] = {
    "noise-decay": BASE,
    "plain": replace(base(weight_decay=0.0), label_noise=0.0),
    "decay": replace(BASE, label_noise=0.0),
    "noise": base(weight_decay=0.0),
    "momentum": base(lr=0.01, momentum=0.9),
    "small-rate": base(lr=0.02),
    "large-rate": base(lr=0.4),
    "small-batch": base(batch_size=8),
    "large-batch": base(batch_size=256),
    "momentum-same-rate": base(momentum=0.9),
}
OTHERS: Mapping[str, Trial] = {
    "longest": base(lr=0.4, epochs=2000),
    "digits-cnn": Trial(Settings(lr=0.1, epochs=80), options={"depth": 2}),
    "resnet": Trial(
        Settings(lr=0.1, weight_decay=0.005, epochs=60),
        model="resnet20",
        options={"width": 4},
        samples=400,
    ),
    "fashion-cnn": Trial(
        Settings(lr=0.1, weight_decay=0.005, epochs=60),
        data="fashion-mnist",
        options={"depth": 2, "width": 8},
        samples=500,
    ),
}
"""Longer ones, and one whose data must be there: with ``--only``."""


def main(
    folder: Path, *, seeds: int = 1, only: Sequence[str] | None = None, quick: bool = False
) -> None:
    trials = chosen({**TRIALS, **OTHERS}, only or list(TRIALS), quick)
    carry_out(folder, trials, seeds=seeds, epochs=1 if quick else 15)


if __name__ == "__main__":
    given = arguments("Long trainings at a fixed learning rate.", "runs/long-training")
    main(given.folder, seeds=given.seeds, only=given.only, quick=given.quick)
