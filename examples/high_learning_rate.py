"""What goes wrong at a high learning rate, why it doesn't come back, and can it happen at any?

Trains a CNN on digits so that it escapes, escapes late, dies at once, learns, and is too slow, and
diagnoses each: an escaped run is trained again from before, from after, and from a plateau.

    python examples/high_learning_rate.py runs/high-learning-rate --seeds 5
    python examples/high_learning_rate.py runs/high-learning-rate --seeds 2 \
        --only no-momentum,tanh,batchnorm,transformer,more-data

A minute or two for each escape; the same command goes on where it stopped. docs/science.md tells
what came of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiment import Trial, arguments, carry_out, chosen

from landscape.sgd import Settings

NETWORKS = Path(__file__).parent / "networks.py"
TRIALS: Mapping[str, Trial] = {
    "escape": Trial(Settings(lr=0.1, momentum=0.9, batch_size=32, epochs=40), options={"depth": 4}),
    "late-escape": Trial(
        Settings(lr=0.1, momentum=0.9, batch_size=32, epochs=40), options={"depth": 2}
    ),
    "jumping": Trial(Settings(lr=0.1, momentum=0.9, batch_size=8, epochs=20), options={"depth": 2}),
    "fine": Trial(Settings(lr=0.1, batch_size=32, epochs=40), options={"depth": 4}),
    "too-slow": Trial(Settings(lr=0.001, batch_size=32, epochs=40), options={"depth": 4}),
}
OTHERS: Mapping[str, Trial] = {
    "no-momentum": Trial(Settings(lr=0.7, batch_size=32), model="mlp", options={"depth": 4}),
    "tanh": Trial(
        Settings(lr=0.2, momentum=0.9, batch_size=32),
        model=f"{NETWORKS}:tanh",
        options={"depth": 4},
    ),
    "batchnorm": Trial(
        Settings(lr=0.5, momentum=0.9, batch_size=32),
        model=f"{NETWORKS}:normalized",
        options={"depth": 4},
        again=2,
    ),
    "transformer": Trial(
        Settings(lr=0.2, momentum=0.9, batch_size=32), model=f"{NETWORKS}:transformer", again=2
    ),
    "more-data": Trial(
        Settings(lr=0.1, momentum=0.9, batch_size=32, epochs=15),
        model="mlp",
        data="fashion-mnist",
        options={"depth": 4},
        samples=10_000,
        again=2,
    ),
}
"""Is it more than dead ReLUs at momentum 0.9? Each at a rate near where it breaks; ``--only``."""


def main(
    folder: Path, *, seeds: int = 1, only: Sequence[str] | None = None, quick: bool = False
) -> None:
    trials = chosen({**TRIALS, **OTHERS}, only or list(TRIALS), quick)
    carry_out(folder, trials, seeds=seeds)


if __name__ == "__main__":
    given = arguments("Trials at high learning rates.", "runs/high-learning-rate")
    main(given.folder, seeds=given.seeds, only=given.only, quick=given.quick)
