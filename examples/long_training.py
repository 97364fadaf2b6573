"""Once no further improvement comes: does SGD stay near a minimum, or explore?

Trains at a fixed learning rate for long, in regimes that differ in one thing each, and diagnoses
every run: how far it moves, beside how far copies with permuted units and other seeds are; where
other batch orders lead; and whether the places it visits are connected.

    python examples/long_training.py runs/long-training --seeds 3
    python examples/long_training.py runs/long-training --only longest,resnet,fashion-cnn,tanh

One to four minutes a run; the same command goes on where it stopped. docs/science.md tells what
came of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiment import Trial, arguments, carry_out, chosen

from landscape.sgd import Settings

EPOCHS = 400


def trial(settings: Settings, **changes: Any) -> Trial:
    """Its interventions last as long as the window that the motion is read from, half the run."""
    return Trial(settings, again=settings.epochs // 2, **changes)


def base(*, noise: float = 0.2, **changes: Any) -> Trial:
    """Noisy labels keep the gradients noisy, weight decay lets the norm settle."""
    standard = {"lr": 0.1, "weight_decay": 0.005, "batch_size": 32, "epochs": EPOCHS}
    return trial(Settings(**standard | changes), model="mlp", label_noise=noise)


SLOW = 1000
"""Epochs of those that take longer to settle: weights decay at a rate of lr times weight decay."""
TRIALS: Mapping[str, Trial] = {
    "noise-decay": base(epochs=SLOW),
    "plain": base(weight_decay=0.0, noise=0.0),
    "decay": base(noise=0.0, epochs=SLOW),
    "noise": base(weight_decay=0.0),
    "momentum": base(lr=0.01, momentum=0.9, epochs=SLOW),
    "small-rate": base(lr=0.02, epochs=2 * SLOW),
    "large-rate": base(lr=0.4),
    "small-batch": base(batch_size=8),
    "large-batch": base(batch_size=256, epochs=3 * SLOW),
    "momentum-same-rate": base(momentum=0.9),
}
OTHERS: Mapping[str, Trial] = {
    "longest": base(lr=0.4, epochs=2 * SLOW),
    "resnet": trial(
        Settings(lr=0.2, weight_decay=0.01, epochs=600),
        model="resnet20",
        options={"width": 4},
        samples=400,
        label_noise=0.2,
    ),
    "fashion-cnn": trial(
        Settings(lr=0.1, weight_decay=0.01, epochs=240),
        model=f"{Path(__file__).parent / 'fashion.py'}:part",
        options={"depth": 2, "width": 4},
        samples=1000,
        label_noise=0.2,
    ),
    "tanh": trial(
        Settings(lr=0.2, weight_decay=0.005, batch_size=32, epochs=80),
        model=f"{Path(__file__).parent / 'networks.py'}:tanh",
        label_noise=0.2,
    ),
}
"""A longer one, other architectures, and one whose data must be there: with ``--only``."""


def main(
    folder: Path, *, seeds: int = 1, only: Sequence[str] | None = None, quick: bool = False
) -> None:
    trials = chosen({**TRIALS, **OTHERS}, only or list(TRIALS), quick)
    carry_out(folder, trials, seeds=seeds, curve=True)


if __name__ == "__main__":
    given = arguments("Long trainings at a fixed learning rate.", "runs/long-training")
    main(given.folder, seeds=given.seeds, only=given.only, quick=given.quick)
