"""What tells runs whose units die from those whose don't, at equal η, β, B and network.

    python examples/what_kills.py runs/what-kills.csv --seeds 80

Trains one network (four hidden layers of 16 ReLUs on digits) from many seeds at one learning rate
at which about half of the runs lose a whole layer. At some epochs (landmarks) it measures of every
run that is still whole what may foretell its death; a run dies if a hidden layer is dead on all
data at its end. Dying runs and controls are compared at the same epoch: time tells nothing. Prints
by candidate the AUC: the probability that a run that will die has the larger value, ½ where it
tells nothing, with a bootstrapped interval of 95 %. As there are many candidates, one is large by
chance: the last lines say how often, with the labels shuffled, the largest is as far from ½.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.stats import rankdata
from torch import Tensor, nn

from landscape.problem import builtin

DEPTH, WIDTH, LR, MOMENTUM, BATCH, EPOCHS = 4, 16, 0.12, 0.9, 32, 40
LANDMARKS = (2, 5, 10)
"""Epochs after which candidates are measured."""
TOP = 5
"""Hessian eigenvectors that a step's displacement is measured along."""


class Run:
    """One training, with what its last epoch did."""

    def __init__(self, seed: int) -> None:
        problem = builtin("mlp", "digits", depth=DEPTH, width=WIDTH, seed=seed)
        self.model, (self.inputs, self.targets) = problem.model, problem.train
        self.linears = [m for m in self.model.modules() if isinstance(m, nn.Linear)]
        self.parameters = list(self.model.parameters())
        self.start = self.flat()
        self.optimizer = torch.optim.SGD(self.parameters, lr=LR, momentum=MOMENTUM)
        self.order = torch.Generator().manual_seed(seed)
        self.steps: list[Tensor] = []
        self.ratios: list[list[float]] = []
        self.losses: list[float] = []

    def flat(self) -> Tensor:
        """All parameters as one vector."""
        return torch.cat([p.detach().flatten() for p in self.parameters])

    def loss(self, chosen: Tensor | slice = slice(None)) -> Tensor:
        """Of some samples, or of all."""
        return nn.functional.cross_entropy(self.model(self.inputs[chosen]), self.targets[chosen])

    def epoch(self) -> None:
        """Train for one, noting losses, steps and their ratios to the weights."""
        self.steps, self.ratios, self.losses = [], [], []
        for chosen in torch.randperm(len(self.inputs), generator=self.order).split(BATCH):
            before = [layer.weight.detach().clone() for layer in self.linears]
            whole = self.flat()
            self.optimizer.zero_grad()
            loss = self.loss(chosen)
            loss.backward()
            self.optimizer.step()
            self.losses.append(float(loss.detach()))
            self.steps.append(self.flat() - whole)
            self.ratios.append(
                [
                    float((layer.weight - old).norm() / old.norm())
                    for layer, old in zip(self.linears, before, strict=True)
                ]
            )

    def activations(self) -> list[Tensor]:
        """Largest value over the data before each hidden unit's ReLU, a tensor a layer."""
        found: list[Tensor] = []
        hooks = [
            layer.register_forward_hook(lambda _m, _i, out: found.append(out.amax(0)))
            for layer in self.linears[:-1]
        ]
        with torch.no_grad():
            self.model(self.inputs)
        for hook in hooks:
            hook.remove()
        return found

    def dead(self) -> list[float]:
        """Share of dead units by hidden layer."""
        return [float((highest <= 0).double().mean()) for highest in self.activations()]


def product(loss: Tensor, parameters: list[Tensor], vector: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient and Hessian-vector product."""
    grads = torch.autograd.grad(loss, parameters, create_graph=True)
    flat = torch.cat([g.flatten() for g in grads])
    second = torch.autograd.grad(flat @ vector, parameters)
    return flat.detach(), torch.cat([g.flatten() for g in second])


def sharp(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues of the full loss's Hessian, and their vectors."""
    size = len(run.start)

    def times(vector: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(np.ascontiguousarray(vector, np.float32).ravel())
        return product(run.loss(), run.parameters, given)[1].numpy().astype(np.float64)

    operator = LinearOperator((size, size), matvec=times, dtype=np.float64)
    return eigsh(operator, k=TOP, which="LA", tol=1e-2, ncv=14, v0=np.ones(size))


def batch_sharpness(run: Run) -> float:
    """E[g_B·H_B g_B]/E‖g_B‖² over every other of an epoch's batches."""
    order = torch.randperm(len(run.inputs), generator=torch.Generator().manual_seed(0))
    above, below = 0.0, 0.0
    for chosen in order.split(BATCH)[::2]:
        grads = torch.autograd.grad(run.loss(chosen), run.parameters)
        flat = torch.cat([g.flatten() for g in grads])
        curved = product(run.loss(chosen), run.parameters, flat)[1]
        above, below = above + float(flat @ curved), below + float(flat @ flat)
    return above / below


def candidates(run: Run) -> dict[str, float]:
    """What may foretell death, at the end of an epoch."""
    values, vectors = sharp(run)
    dead, highest = run.dead(), run.activations()
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(run.loss(), run.parameters)])
    along = torch.stack(run.steps).double().numpy() @ vectors
    ratios = np.array(run.ratios).mean(0)
    biases = [float(layer.bias.mean()) for layer in run.linears[:-1]]
    size = torch.stack([layer.weight.norm() for layer in run.linears])
    return {
        "loss": float(run.loss().detach()),
        "largest batch loss of the epoch": max(run.losses),
        "gradient norm": float(gradient.norm()),
        "λ_max": float(values.max()),
        "batch sharpness": batch_sharpness(run),
        "largest step along 5 sharp directions": float(np.linalg.norm(along, axis=1).max()),
        "largest step": float(torch.stack(run.steps).norm(dim=1).max()),
        "update over weight, first layer": float(ratios[0]),
        "update over weight, last hidden": float(ratios[-2]),
        "update over weight, most of any": float(ratios.max()),
        "dead units, first layer": dead[0],
        "dead units, last hidden": dead[-1],
        "dead units, most of any layer": max(dead),
        "mean bias, lowest of any layer": min(biases),
        "mean bias, last hidden": biases[-1],
        "bias growth": float(torch.cat([m.bias for m in run.linears[:-1]]).norm()),
        "weights' norm over that at the start": float(run.flat().norm() / run.start.norm()),
        "norm, largest of any layer": float(size.max()),
        "lowest of the units' highest inputs": min(float(h.max()) for h in highest),
    }


def train(seed: int) -> Iterator[dict[str, float]]:
    """A row a landmark at which no layer is dead yet."""
    run, rows = Run(seed), []
    died = 0
    for epoch in range(1, EPOCHS + 1):
        run.epoch()
        if max(run.dead()) == 1:
            died = epoch
            break
        if epoch in LANDMARKS:
            rows.append({"seed": seed, "landmark": epoch, **candidates(run)})
    for row in rows:
        yield {**row, "died": died}


def auc(values: np.ndarray, dying: np.ndarray) -> float:
    """Probability that a dying run has the larger value; ties count half."""
    count = int(dying.sum())
    ranks = rankdata(values)
    return float((ranks[dying].sum() - count * (count + 1) / 2) / (count * (len(dying) - count)))


def told(rows: list[dict[str, str]]) -> Iterator[str]:
    """The table: by candidate and landmark AUC and its interval."""
    random = np.random.default_rng(0)
    names = [name for name in rows[0] if name not in ("seed", "landmark", "died")]
    columns, notes = {}, []
    for landmark in LANDMARKS:
        chosen = [row for row in rows if int(row["landmark"]) == landmark]
        dying = np.array([int(row["died"]) > 0 for row in chosen])
        if not 5 <= dying.sum() <= len(dying) - 5:
            continue
        values = {name: np.array([float(row[name]) for row in chosen]) for name in names}
        found = {name: auc(values[name], dying) for name in names}
        for name in names:
            again = []
            while len(again) < 1000:
                some = random.integers(0, len(dying), len(dying))
                if 0 < dying[some].sum() < len(dying):
                    again.append(auc(values[name][some], dying[some]))
            low, high = np.quantile(again, [0.025, 0.975])
            columns[landmark, name] = f"{found[name]:.2f} ({low:.2f} to {high:.2f})"
        best = max(abs(value - 0.5) for value in found.values())
        chance = []
        for _ in range(1000):
            mixed = random.permutation(dying)
            chance.append(max(abs(auc(values[name], mixed) - 0.5) for name in names))
        share = float(np.mean(np.array(chance) >= best))
        notes.append(
            f"after epoch {landmark}: {dying.sum()} runs that die later, {(~dying).sum()} that "
            f"don't; by chance the best of {len(names)} is as far from ½ in {share:.1%}"
        )
    landmarks = sorted({landmark for landmark, _ in columns})
    yield "| candidate | " + " | ".join(f"after epoch {landmark}" for landmark in landmarks) + " |"
    yield "| --- |" + " --- |" * len(landmarks)
    for name in names:
        yield f"| {name} | " + " | ".join(columns[at, name] for at in landmarks) + " |"
    yield from notes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What tells dying runs from others.")
    parser.add_argument("file", type=Path, help="table of what was measured, added to")
    parser.add_argument("--seeds", type=int, default=80, help="how many (default: 80)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    known: list[dict[str, str]] = []
    if given.file.is_file():
        with given.file.open(newline="") as stream:
            known = list(csv.DictReader(stream))
    begun = {int(row["seed"]) for row in known}
    for number in range(given.seeds):
        if number in begun:
            continue
        rows = [{name: str(value) for name, value in row.items()} for row in train(number)]
        print(number, rows[-1]["died"] if rows else "died before the first landmark", flush=True)
        if not rows:
            continue
        known += rows
        with given.file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(known[0]))
            writer.writeheader()
            writer.writerows(known)
    print("\n".join(told(known)))
