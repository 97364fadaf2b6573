"""An own model, own data and an own training loop, with any optimizer.

The function `waves` is also a problem for the command line::

    landscape train --problem examples/own_loop.py:waves --set width=32 --lr 0.1 -o runs/waves
"""

from argparse import ArgumentParser
from pathlib import Path

import torch
from torch import nn

from landscape import plane, scan, sgd
from landscape.problem import Problem, half_square


def waves(width: int = 64, samples: int = 400) -> Problem:
    """Regression: y = sin 3x on [-1, 1], by a small tanh network."""
    inputs = torch.linspace(-1, 1, samples)[:, None]
    targets = torch.sin(3 * inputs)
    model = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))
    return Problem(
        model,
        train=(inputs[::2], targets[::2]),
        validation=(inputs[1::2], targets[1::2]),
        loss=half_square,
    )


def main(folder: Path, *, steps: int = 500, size: int = 31) -> None:
    torch.manual_seed(0)
    problem = waves()
    model = problem.model
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    inputs, targets = problem.train

    with sgd.watch(folder, problem, optimizer, record="log+50") as watch:
        for _ in range(steps):
            loss = (model(inputs) - targets).square().mean() / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.record(loss)

    trajectory = watch.run.trajectory
    result = scan.grid(problem, plane.random(trajectory), trajectory, size=size)
    losses = result.measures["train_loss"]
    print(f"loss {losses[size // 2, size // 2]:.4g} at the centre, {losses.max():.4g} at most")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default="runs/own-loop")
    main(parser.parse_args().folder)
