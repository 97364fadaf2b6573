"""A weighted sum of losses on several data: each term measured by itself, the sum from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.errors import LandscapeError
from landscape.problem.objective import LOSS, PENALTY, Floats, Objective, Ratio
from landscape.problem.samples import Batch


@dataclass(frozen=True, eq=False)
class TermsObjective(Objective):
    """Σ_k c_k L_k: batches say which terms they are of, and give the ratio of each.

    The sum of the ratios is taken when the sums over all batches are there (`completed`): a sum of
    ratios is no ratio.
    """

    terms: Mapping[str, tuple[Objective, float]] = field(default_factory=dict)
    """How each is measured, and its weight c_k."""

    @property
    def names(self) -> tuple[str, ...]:
        """The sum first, then each term before its weight, and the penalty."""
        return (LOSS, *(f"{LOSS}_{name}" for name in self._shown))

    @property
    def _shown(self) -> tuple[str, ...]:
        return (*self.terms, *([PENALTY] if self.penalty is not None else []))

    @property
    def rich(self) -> str:
        """Why only the plain loop can evaluate this."""
        return "the problem is a sum of terms"

    @property
    def record(self) -> dict[str, Any]:
        """What a file says of how values were had: the weights, and what is special of each."""
        found = {
            "batch_size": self.fixed,
            "terms": {name: self.weights[name] for name in self._shown},
        }
        special = {name: how.record for name, (how, _) in self.terms.items() if how.record}
        return found | ({"of_terms": special} if special else {})

    @property
    def notes(self) -> tuple[str, ...]:
        """The same in sentences, for whoever reads a figure."""
        parts = " + ".join(f"{self.weights[name]:g} × {name}" for name in self._shown)
        own = [
            f"Term {name}: {note}" for name, (how, _) in self.terms.items() for note in how.notes
        ]
        return (f"The loss is {parts}.", *own)

    def run(self, model: nn.Module, batch: Batch) -> Any:
        """Run the model on a batch of each term that there is one of."""
        return {
            name: self.terms[name][0].run(model, inner) for name, inner in batch.content.items()
        }

    def batch_loss(self, model: nn.Module, batch: Batch) -> Ratio:
        """The sum of the terms' ratios over a batch of each, with its graph."""
        return self.summed(self.parts(model, batch))

    def parts(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms' ratios over a batch of each, before their weights, with their graphs."""
        found = {}
        for name, inner in batch.content.items():
            with naming(name):
                found[name] = self.terms[name][0].batch_loss(model, inner).mean()
        penalty = self.penalised(model)
        return found if penalty is None else {**found, PENALTY: penalty}

    def summed(self, parts: Mapping[str, Tensor]) -> Ratio:
        """What `parts` gave as one loss."""
        weighted = [self.weights[name] * part for name, part in parts.items()]
        return Ratio(torch.stack(weighted).sum().reshape(1), None, whole=True)

    @property
    def weights(self) -> Mapping[str, float]:
        """c_k of each term; the penalty's is 1."""
        return {**{name: weight for name, (_, weight) in self.terms.items()}, PENALTY: 1.0}

    def counted(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """What all samples of each term count together."""
        found = dict.fromkeys(self.terms, 0.0)
        for batch in batches:
            for name, inner in batch.content.items():
                found[name] += self.terms[name][0].counted(model, [inner])[LOSS]
        return found

    def share(self, model: nn.Module, batch: Batch, counts: Mapping[str, float]) -> Tensor:
        """What a batch adds to the loss over all data, with its graph."""
        shares = []
        for name, inner in batch.content.items():
            how, weight = self.terms[name]
            with how.seeded(inner):
                found = how.batch_loss(model, inner)
            total = counts[name] or 1.0
            shares.append(weight * found.a.sum() / total)
            penalty = self.penalised(model) if name == self._first else None
            if penalty is not None:
                # Each of its batches brings its part of what is there once.
                shares.append(penalty * found.counts().sum() / total)
        return torch.stack(shares).sum()

    def values(self, model: nn.Module, batch: Batch) -> dict[str, Ratio]:
        """The terms that the batch is of; the others add nothing."""
        nothing = torch.zeros(1, dtype=torch.float64)
        found = dict.fromkeys(self.names, Ratio(nothing, nothing))
        for name, inner in batch.content.items():
            with naming(name):
                ratio = self.terms[name][0].values(model, inner)[LOSS]
            found[f"{LOSS}_{name}"] = ratio
            if self.penalty is not None:
                alone = ratio._replace(a=torch.zeros_like(ratio.a)).raised(self.penalised(model))
                found[f"{LOSS}_{PENALTY}"] = alone
        return found

    @property
    def _first(self) -> str:
        return next(iter(self.terms))

    def completed(self, found: Floats) -> Floats:
        """The values (V, K) with the sum in its place."""
        weights = np.array([self.weights[name] for name in self._shown])[:, None]
        parts = weights * found[1 : 1 + len(weights)]
        return np.concatenate([parts.sum(0, keepdims=True), found[1:]])


@contextmanager
def naming(term: str) -> Iterator[None]:
    """Say which term it was."""
    try:
        yield
    except LandscapeError as error:
        raise LandscapeError(f"term {term}: {error}") from error
