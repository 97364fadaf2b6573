"""Time one picture by several tools: ``python docs/make_peers.py FOLDER [SIZE [ROUNDS]]``.

The table in docs/peers.md. Each tool is installed into a folder of its own within FOLDER, beside
the torch that is here, and runs in a process of its own, on one thread, in turn with the others,
ROUNDS times (3); the fastest counts. What is timed is the processor's time, so that other work
matters little. Every tool evaluates the same network (trained here for 40 epochs) on the
same training samples at SIZE x SIZE points (51) of a random plane; imports aren't counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from landscape.store import read

CASES = {
    "MLP on two moons": ("mlp", "moons"),
    "CNN on digits": ("cnn", "digits"),
}
PINNED = {
    "loss-landscapes": ("loss-landscapes==3.0.6",),
    "Landscaper": (
        *("landscaper==1.3.1", "topopy==1.0.4", "nglpy==1.1.7", "gudhi==3.13.0"),
        *("treelib==1.8.0", "coloraide==8.13.1", "drawsvg==2.4.2", "tqdm", "pandas"),
    ),
    "loss-landscape-anim": ("loss-landscape-anim==0.1.10", "importlib_resources==7.1.0"),
}
"""What is installed for a tool; torch, numpy and the like are this environment's."""
OURS = ("landscape, every point", "landscape, to 1 %")


def installed(folder: Path, tool: str) -> Path:
    """The folder that a tool is imported from."""
    target = folder / tool
    if not target.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*pip, str(target), *PINNED[tool]], check=True)
    return target


def trained(folder: Path, model: str, data: str) -> Path:
    """The run whose last weights every tool looks at."""
    run = folder / f"{model}-{data}"
    if not (run / "trajectory.h5").is_file() or not read(run).is_done:
        words = ["train", "--model", model, "--data", data, "-o", str(run), "--overwrite"]
        command = [sys.executable, "-m", "landscape_cli", *words, "-q"]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return run


def timed(folder: Path, tool: str, case: str, size: int) -> dict[str, Any]:
    """What a process of its own says: seconds and loss range, or why the tool doesn't run."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if tool in PINNED:
        path = [str(installed(folder, tool)), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    run = trained(folder, *CASES[case])
    words = [sys.executable, __file__, "--alone", tool, str(run), str(size)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def alone(tool: str, run: Path, size: int) -> dict[str, Any]:
    """Time a tool in this process."""
    import numpy as np
    import torch

    from landscape.sgd import problem_of

    torch.set_num_threads(1)
    opened = read(run)
    problem = problem_of(opened)
    weights = opened.trajectory.row_weights(opened.trajectory.row("final"))
    torch.nn.utils.vector_to_parameters(torch.from_numpy(weights), problem.model.parameters())
    problem.model.eval()
    draw = {
        "loss-landscapes": loss_landscapes,
        "Landscaper": landscaper,
        "loss-landscape-anim": loss_landscape_anim,
        OURS[0]: lambda problem, size: ours(problem, opened, size, 0.0),
        OURS[1]: lambda problem, size: ours(problem, opened, size, 0.01),
    }[tool](problem, size)
    begun = time.process_time()
    losses, evaluated = draw()
    seconds = time.process_time() - begun
    losses = np.asarray(losses)
    assert losses.shape == (size, size)
    return {"seconds": seconds, "evaluated": evaluated, "lowest": float(losses.min())}


Drawn = tuple[Any, int]
"""Losses on the grid, and how many of them were evaluated."""


def loss_landscapes(problem: Any, size: int) -> Callable[[], Drawn]:
    """The plane of loss-landscapes, filter-normalized, on all training samples at once."""
    import loss_landscapes
    import torch
    from loss_landscapes.metrics import Loss
    from torch.nn.functional import cross_entropy

    inputs, targets = problem.train
    metric = Loss(cross_entropy, inputs, targets)

    def draw() -> Drawn:
        with torch.no_grad():
            losses = loss_landscapes.random_plane(
                problem.model, metric, 1, size, normalization="filter", deepcopy_model=True
            )
        return losses, size * size

    return draw


def landscaper(problem: Any, size: int) -> Callable[[], Drawn]:
    """Landscaper's plane along two random directions."""
    import torch
    from landscaper.compute import compute_loss_landscape
    from torch.nn.functional import cross_entropy

    torch.manual_seed(0)
    directions = [[torch.randn_like(p) for p in problem.model.parameters()] for _ in range(2)]

    def scalar(model: Any, data: Any) -> float:
        return cross_entropy(model(data[0]), data[1]).item()

    def draw() -> Drawn:
        losses, _ = compute_loss_landscape(
            *(problem.model, problem.train, directions, scalar, size, 1.0, 2), device="cpu"
        )
        return losses, size * size

    return draw


def loss_landscape_anim(_problem: Any, _size: int) -> Callable[[], Drawn]:
    """It trains models of its own making: whether it can be imported is all that is tried."""
    import loss_landscape_anim

    raise SystemExit(f"{loss_landscape_anim.__name__} takes no model that is trained already")


def ours(problem: Any, opened: Any, size: int, tolerance: float) -> Callable[[], Drawn]:
    """A random plane by `scan.grid`, filter-normalized; choosing a strategy is counted."""
    from dataclasses import replace

    from landscape import plane, scan

    chosen = plane.random(opened.trajectory, parameters=problem.layout.to_records())
    only = replace(problem, validation=None)

    def draw() -> Drawn:
        made = scan.grid(only, chosen, size=size, tolerance=tolerance)
        return made.measures["train_loss"], int(made.measured.sum())

    return draw


def main(folder: Path, size: int, rounds: int) -> None:
    """Print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    print(f"| {size} × {size} points, seconds of one core | " + " | ".join(CASES) + " |")
    print("|---|" + "---|" * len(CASES))
    tools = (*PINNED, *OURS)
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for _ in range(rounds):
        for case in CASES:
            for tool in tools:
                found = timed(folder, tool, case, size)
                known = best.get((tool, case))
                if known is None or found.get("seconds", 0) < known.get("seconds", 0):
                    best[tool, case] = found
    for tool in tools:
        cells = [said(best[tool, case], size) for case in CASES]
        print(f"| {tool} | {' | '.join(cells)} |")


def said(found: dict[str, Any], size: int) -> str:
    """A cell of the table."""
    if "error" in found:
        return f"doesn't run here: {found['error']}"
    share = "" if found["evaluated"] == size * size else f" ({found['evaluated']:,} evaluated)"
    return f"{found['seconds']:.2f}{share}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:  # one timing, in a process of its own
        print(json.dumps(alone(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        parser = argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        parser.add_argument("size", metavar="SIZE", type=int, nargs="?", default=51)
        parser.add_argument("rounds", metavar="ROUNDS", type=int, nargs="?", default=3)
        given = parser.parse_args()
        main(given.folder, given.size, given.rounds)
