"""Are independently trained networks connected, and how: beside the floors of one training?

Several seeds are trained with a rate that falls to zero, so that each ends on a floor, and one more
at a fixed rate, from whose snapshots floors are reached likewise. Between all of a kind: the worst
barrier on straight lines, after the units of one are permuted towards the other's (weight
matching), and along a trained Bézier curve.

    python examples/independent_minima.py
    python examples/independent_minima.py --only small --seeds 3

Some minutes; docs/science/complexity.md has the table and says what it means.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import networks
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from landscape.diagnose.connectivity import connectivity, curves
from landscape.diagnose.symmetry import symmetry
from landscape.problem import Problem
from landscape.sgd import Settings, steps
from landscape.store.measured.paths import PairBarriers

EPOCHS, FLOOR_EPOCHS, FLOORS = 30, 10, 4
"""Of a training; of the descent from a snapshot; snapshots, spread over the second half."""
SETTINGS = Settings(lr=0.1, momentum=0.9, batch_size=32, epochs=EPOCHS)
Weights = NDArray[np.float64]


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "small": lambda: networks.multilayer(64, 2, activation=nn.ReLU),
    "tanh": lambda: networks.multilayer(64, 2, activation=nn.Tanh),
    "normalized": lambda: networks.multilayer(64, 2, activation=nn.ReLU, normalized=True),
    "transformer": lambda: networks.Transformer(32, depth=2, heads=4, hidden=64),
    "large": lambda: networks.multilayer(1024, 2, activation=nn.ReLU),
    "large-normalized": lambda: networks.multilayer(1024, 2, activation=nn.ReLU, normalized=True),
}
"""On scikit-learn's digits, those of examples/networks.py."""


@dataclass(frozen=True)
class Row:
    """What lies between the networks of one kind."""

    network: str
    parameters: int
    between: str
    distance: float
    matched_distance: float
    line: PairBarriers
    matched: PairBarriers
    curve: list[float]
    """Error barriers along curves between neighbours, in points."""

    def cells(self) -> list[str]:
        """Of the table."""
        return [
            self.network,
            f"{self.parameters:,}",
            self.between,
            f"{self.distance:.1f}",
            f"{self.matched_distance:.1f}",
            _spread(_pairs(self.line.error)),
            _spread(_pairs(self.matched.error)),
            _spread(self.curve),
        ]


HEAD = [
    *("network", "parameters", "between", "distance", "matched"),
    *("line, points", "after matching", "along curves"),
]


def made(network: str, seed: int) -> Problem:
    """A network as a seed begins it."""
    torch.manual_seed(seed)
    return networks.on_digits(NETWORKS[network]())


def descended(problem: Problem, settings: Settings) -> Weights:
    """The weights at the end of a training whose rate falls to zero."""
    for step in steps(problem, replace(settings, schedule="cosine")):
        last = step
    return last.weights.double().numpy().copy()


def independent(network: str, seeds: int) -> Weights:
    """The floors that several seeds reach (seeds, P)."""
    found = [descended(made(network, seed), replace(SETTINGS, seed=seed)) for seed in range(seeds)]
    return np.stack(found)


def of_one(network: str, seed: int = 0) -> Weights:
    """The floors beneath one training at a fixed rate (FLOORS, P)."""
    problem = made(network, seed)
    total = SETTINGS.total_steps(len(problem.train[0]))
    wanted = np.linspace(total / 2, total, FLOORS).astype(int)
    found = []
    for step in steps(problem, replace(SETTINGS, seed=seed)):
        if step.step in wanted:
            model = made(network, seed).model
            model.load_state_dict(step.model.state_dict())
            # The descent begins at a tenth of the rate, and sees another order.
            cooler = replace(SETTINGS, lr=0.1 * SETTINGS.lr, epochs=FLOOR_EPOCHS, seed=seed + 1)
            found.append(descended(replace(problem, model=model), cooler))
    return np.stack(found)


def compared(network: str, between: str, floors: Weights) -> Row:
    """Lines and matched lines between all pairs, curves between neighbours."""
    problem = made(network, 0)
    found = connectivity.between(problem, floors, symmetry=symmetry.find(problem))
    measure = connectivity.measurer(problem)
    bent = [
        curves.connect(problem, *floors[k : k + 2], measure=measure).barrier.error
        for k in range(len(floors) - 1)
    ]
    assert found.matched is not None
    assert found.matched_distance is not None
    return Row(
        network,
        problem.layout.size,
        between,
        float(np.mean(_pairs(found.distance))),
        float(np.mean(_pairs(found.matched_distance))),
        found.line,
        found.matched,
        bent,
    )


def _pairs(values: NDArray[np.float64]) -> list[float]:
    return [float(v) for v in values[np.triu_indices(len(values), 1)]]


def _spread(values: Sequence[float]) -> str:
    """Mean and range."""
    return f"{np.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    """Print the table, a row as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=NETWORKS, nargs="+", default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=4)
    chosen = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for network in chosen.only:
        kinds = {
            f"{chosen.seeds} seeds": independent(network, chosen.seeds),
            f"{FLOORS} floors of one training": of_one(network),
        }
        for between, floors in kinds.items():
            print(f"| {' | '.join(compared(network, between, floors).cells())} |", flush=True)


if __name__ == "__main__":
    main()
