"""What a scan costs beside a plain loop over its points, on several networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.plane.normalization import gaussian, normalized
from landscape.problem.models import resnet
from landscape.problem.problem import Problem
from landscape.problem.weights import Layout, buffers, flat, tied
from landscape.scan.speed.choosing import engine
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.trial import clock
from landscape.store.scans.records import Plane, Weights

SIZE = 51
BATCHES = (32, 64, 128, 256, 512, 1024, 5000)
ROUNDS = 12
"""So many turns of plain loop and scan after each other, of which each one's fastest counts."""
SECONDS = 2.0
"""How long a turn of the scan takes at least, unless the scan ends before."""
CLASSES = 10


@dataclass(frozen=True)
class BenchCase:
    """A network on synthetic data."""

    title: str
    model: Callable[[], nn.Module]
    shape: tuple[int, ...]
    samples: int
    classes: int = CLASSES


def _mlp(*widths: int, samples: int, activation: type[nn.Module] = nn.ReLU) -> BenchCase:
    def model() -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), activation()]
        return nn.Sequential(*layers[:-1])

    name = "" if activation is nn.ReLU else f", {activation.__name__}"
    title = f"MLP {'-'.join(map(str, widths))}{name}"
    return BenchCase(title, model, widths[:1], samples, widths[-1])


def _cnn() -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 7 * 7, CLASSES))


CASES: Mapping[str, BenchCase] = {
    "mlp": _mlp(784, 128, 64, 10, samples=5000),
    "cnn": BenchCase("CNN 1-16-32, 28×28", _cnn, (1, 28, 28), 5000),
    "resnet": BenchCase(
        "ResNet-20, 32×32",
        lambda: resnet((3, 32, 32), CLASSES, blocks=3, width=16),
        (3, 32, 32),
        1000,
    ),
    "mlp-one-hidden": _mlp(784, 64, 10, samples=5000),
    "mlp-gelu": _mlp(784, 128, 64, 10, samples=5000, activation=nn.GELU),
    "mlp-colour": _mlp(3072, 256, 128, 10, samples=2000),
    "mlp-wide": _mlp(784, 256, 256, 10, samples=2000),
    "mlp-narrow": _mlp(64, 32, 10, samples=1797),
    "mlp-digits": _mlp(64, 128, 128, 10, samples=1797),
    "mlp-tanh": _mlp(64, 64, 64, 10, samples=1797, activation=nn.Tanh),
    "mlp-table": _mlp(20, 64, 64, 2, samples=10_000),
}
MAIN = ("mlp", "cnn", "resnet")
"""What is measured unless others are named."""


@dataclass(frozen=True)
class BenchResult:
    """Milliseconds a point; the scan's hold all of a 51×51 grid's choosing."""

    case: BenchCase
    plain: float
    plain_how: str
    scan: float
    scan_how: str
    choosing: float
    """Seconds, of the whole grid."""
    timed: int
    """Points that the scan was timed on."""

    @property
    def ratio(self) -> float:
        """The scan's time as a share of the plain loop's."""
        return self.scan / self.plain


def run(names: Sequence[str] = MAIN) -> Iterator[BenchResult]:
    """Measure the cases, one after the other.

    Raises:
        LandscapeError: there is no such case.
    """
    if unknown := [name for name in names if name not in CASES]:
        raise LandscapeError(f"only must be some of {', '.join(CASES)}, got {', '.join(unknown)}")
    for name in names:
        yield measured(CASES[name])


def measured(case: BenchCase) -> BenchResult:
    """Time plain loop and scan in turn; both are extrapolated from some of the grid's points.

    The plain loop is `torch.inference_mode` over batches of data in memory with float64 losses,
    at its best batch size and memory format. On one thread its processor time counts, which other
    work on the machine leaves alone.
    """
    problem, now = made(case), clock(torch.device("cpu"))
    plane = _plane(problem)
    axis = np.linspace(-1, 1, SIZE)
    xy = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    plain = Plain(problem, plane)
    plain.choose()
    started = now()
    scan = engine(problem, plane, xy, Evaluation(device="cpu"))
    choosing, block = now() - started, scan.block
    scan.at_many(xy[:block])
    fastest = fastest_plain = math.inf
    timed = 0
    for _ in range(ROUNDS):
        fastest_plain = min(fastest_plain, plain.seconds())
        started, done = now(), 0
        while now() - started < min(SECONDS, plain.best * SIZE) or not done:
            first = done % (len(xy) - block)
            scan.at_many(xy[first : first + block])
            done += block
        fastest = min(fastest, (now() - started) / done)
        timed += done
    how = scan.strategy
    points = f"{how.points} points, " if how.points > 1 else ""
    return BenchResult(
        case=case,
        plain=1e3 * fastest_plain,
        plain_how=f"batches of {plain.batch}, {plain.layout}",
        scan=1e3 * (fastest + choosing / len(xy)),
        scan_how=f"{how.name}, {points}batches of {how.batch_size}",
        choosing=choosing,
        timed=timed,
    )


class Plain:
    """A loop over batches at one point, as one would write it."""

    def __init__(self, problem: Problem, plane: Plane) -> None:
        copy = tied(problem.model)
        self.model, self.vector = copy.model, copy.vector
        self.model.eval()
        assert isinstance(problem.train, tuple)
        inputs, self.targets = problem.train
        self.inputs = {"contiguous": inputs.contiguous()}
        if inputs.ndim == 4:
            self.inputs["channels_last"] = inputs.to(memory_format=torch.channels_last)
        self.origin = torch.from_numpy(plane.origin)
        self.directions = torch.from_numpy(plane.directions)
        self.batch, self.layout = 0, ""
        self._now = clock(torch.device("cpu"))
        self.best = math.inf

    def choose(self) -> None:
        """Find the best batch size and memory format."""
        found = {}
        for layout in self.inputs:
            for batch in BATCHES:
                if batch <= len(self.targets):
                    self.batch, self.layout = batch, layout
                    found[batch, layout] = min(self.seconds() for _ in range(2))
        self.batch, self.layout = min(found, key=found.__getitem__)
        self.best = found[self.batch, self.layout]

    def seconds(self) -> float:
        """How long one point takes: the best of three."""
        times = []
        for number in range(3):
            started = self._now()
            self.loss(0.1 * number, -0.2)
            times.append(self._now() - started)
        return min(times)

    @torch.inference_mode()
    def loss(self, x: float, y: float) -> float:
        """The mean loss at a point."""
        self.vector.copy_(self.origin + x * self.directions[0] + y * self.directions[1])
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(self.targets), self.batch):
            outputs = self.model(self.inputs[self.layout][start : start + self.batch])
            targets = self.targets[start : start + self.batch]
            total += functional.cross_entropy(outputs.double(), targets, reduction="sum")
        return float(total) / len(self.targets)


def made(case: BenchCase) -> Problem:
    """The case's network, freshly initialized, on normal inputs with random classes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = case.model()
        inputs: Tensor = torch.randn(case.samples, *case.shape)
        targets = torch.randint(case.classes, (case.samples,))
    return Problem(model, (inputs, targets))


def _plane(problem: Problem) -> Plane:
    origin: Weights = flat(problem.model).numpy()
    records = Layout.of(problem.model).to_records()
    directions = [
        normalized(draw, origin, records, include_1d=False)
        for draw in gaussian(len(origin), seed=0)
    ]
    return Plane(
        kind="random",
        origin=origin,
        directions=np.stack(directions).astype(np.float32),
        labels=("random direction", "random direction"),
        unit="filter-normalized units",
        buffers=buffers(problem.model),
    )
