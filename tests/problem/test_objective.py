"""Every kind of problem against a plain loop of PyTorch, in each place that measures its loss."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, WeightedRandomSampler

from landscape import scan
from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.problem import Evaluator, Problem, accuracy, cross_entropy
from landscape.problem.examine import objective, verify
from landscape.problem.objective import ratio
from landscape.problem.weights import flat
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import Training
from landscape.store.scans.records import Plane

COUNT = 21
"""Samples; no multiple of any batch."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.randn(COUNT, 4, generator=generator())
Y = torch.randint(0, 2, (COUNT,), generator=generator(1))
IGNORED = torch.where(torch.arange(COUNT) % 3 == 0, -100, Y)
IDS = torch.randint(0, 11, (COUNT, 5), generator=generator(2))
MASK = torch.rand(COUNT, 5, generator=generator(3)) < 0.6
MASK[:, 0] = True
TOKENS = torch.where(MASK, IDS, -100)
WEIGHTS = torch.tensor([1.0, 5.0])


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


class Encoder(nn.Module):
    """A mean over masked embeddings; gives a dict, as transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 6), nn.Linear(6, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        hidden = (self.embed(ids) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return {"logits": self.head(hidden.tanh())}


class Tagger(nn.Module):
    """Logits (B, C, T) of tokens (B, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 6), nn.Linear(6, 11)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embed(ids).tanh()).transpose(1, 2)


class Wave(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def decay(model: nn.Module, x: Tensor) -> Tensor:
    """The residual of u' = −u, as textbooks write it: without any context."""
    x = x.requires_grad_()
    u = model(x)
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return (slope + u).square().squeeze(1)


def with_context(model: nn.Module, x: Tensor) -> Tensor:
    with torch.enable_grad():
        return decay(model, x)


def contrast(model: nn.Module, batch: Tensor) -> tuple[Tensor, int]:
    """InfoNCE: each sample against all of its batch."""
    z = functional.normalize(model(batch), dim=1)
    return functional.cross_entropy(z @ z.T / 0.5, torch.arange(len(z))), len(z)


def by_logits(outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
    return functional.cross_entropy(outputs["logits"], targets, reduction="none")


def labelled(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    outputs = model(batch["ids"], batch["mask"])
    return functional.cross_entropy(outputs["logits"], batch["labels"], reduction="none")


@dataclass(frozen=True)
class Case:
    """A problem and, from its model in float64, the loss that its framework's own loop has."""

    made: Callable[[], Problem]
    truth: Callable[[nn.Module], Tensor]


def _nce(model: nn.Module) -> Tensor:
    parts = [contrast(model, part) for part in torch.split(X.double(), 8)]
    return sum(loss * size for loss, size in parts) / COUNT


def _bce(model: nn.Module) -> Tensor:
    return functional.binary_cross_entropy(model(X.double()).sigmoid(), Y.double()[:, None])


def _batches(model: nn.Module) -> Tensor:
    pairs = zip(torch.split(X.double(), 5), torch.split(IGNORED, 5), strict=True)
    return torch.stack([functional.cross_entropy(model(x), y) for x, y in pairs]).mean()


def _masked(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    return (outputs - targets).square(), targets.sign().clamp(min=0)


def _masked_truth(model: nn.Module) -> Tensor:
    targets = X[:, :2].double()
    chosen = targets > 0
    return (model(X.double())[chosen] - targets[chosen]).square().mean()


PROBS = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
CASES = {
    "ignored labels": Case(
        lambda: Problem(mlp(), (X, IGNORED)),
        lambda model: functional.cross_entropy(model(X.double()), IGNORED),
    ),
    "ignored tokens": Case(
        lambda: Problem(Tagger(), (IDS, TOKENS)),
        lambda model: functional.cross_entropy(model(IDS), TOKENS),
    ),
    "another ignored label": Case(
        lambda: Problem(
            mlp(),
            (X, torch.where(IGNORED < 0, 255, IGNORED)),
            loss=nn.CrossEntropyLoss(ignore_index=255, reduction="none"),
        ),
        lambda model: functional.cross_entropy(model(X.double()), IGNORED),
    ),
    "class weights": Case(
        lambda: Problem(mlp(), (X, IGNORED), loss=cross_entropy(weight=WEIGHTS)),
        lambda model: functional.cross_entropy(model(X.double()), IGNORED, WEIGHTS.double()),
    ),
    "class weights of torch's module": Case(
        lambda: Problem(mlp(), (X, Y), loss=nn.CrossEntropyLoss(weight=WEIGHTS)),
        lambda model: functional.cross_entropy(model(X.double()), Y, WEIGHTS.double()),
    ),
    "float32 constants": Case(
        lambda: Problem(
            mlp(),
            (X, Y),
            loss=lambda o, t: functional.cross_entropy(o, t, weight=WEIGHTS, reduction="none"),
        ),
        lambda model: functional.cross_entropy(
            model(X.double()), Y, WEIGHTS.double(), reduction="none"
        ).mean(),
    ),
    "BCE with logits of (B, 1)": Case(
        lambda: Problem(
            nn.Linear(4, 1), (X, Y.float()[:, None]), loss=nn.BCEWithLogitsLoss(reduction="none")
        ),
        _bce,
    ),
    "BCE of probabilities": Case(
        lambda: Problem(
            nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()),
            (X, Y.float()[:, None]),
            loss=lambda o, t: functional.binary_cross_entropy(o, t, reduction="none"),
        ),
        lambda model: functional.binary_cross_entropy(model(X.double()), Y.double()[:, None]),
    ),
    "weighted positions": Case(
        lambda: Problem(mlp(), (X, X[:, :2]), loss=_masked),
        _masked_truth,
    ),
    "dict in, dict out": Case(
        lambda: Problem(Encoder(), ({"ids": IDS, "mask": MASK}, Y), loss=by_logits),
        lambda model: functional.cross_entropy(model(IDS, MASK)["logits"], Y),
    ),
    "tuple in": Case(
        lambda: Problem(Encoder(), ((IDS, MASK), Y), loss=by_logits),
        lambda model: functional.cross_entropy(model(IDS, MASK)["logits"], Y),
    ),
    "items of a Dataset": Case(
        lambda: Problem(
            Encoder(),
            [({"ids": i, "mask": m}, y) for i, m, y in zip(IDS, MASK, Y, strict=True)],
            loss=by_logits,
        ),
        lambda model: functional.cross_entropy(model(IDS, MASK)["logits"], Y),
    ),
    "collate": Case(
        lambda: Problem(
            Encoder(),
            [(i.tolist(), m, int(y)) for i, m, y in zip(IDS, MASK, Y, strict=True)],
            loss=by_logits,
            collate=lambda items: (
                {
                    "ids": torch.tensor([item[0] for item in items]),
                    "mask": torch.stack([item[1] for item in items]),
                },
                torch.tensor([item[2] for item in items]),
            ),
        ),
        lambda model: functional.cross_entropy(model(IDS, MASK)["logits"], Y),
    ),
    "DataLoader": Case(
        lambda: Problem(mlp(), DataLoader(list(zip(X, IGNORED, strict=True)), batch_size=4)),
        lambda model: functional.cross_entropy(model(X.double()), IGNORED),
    ),
    "objective on a dict": Case(
        lambda: Problem(Encoder(), {"ids": IDS, "mask": MASK, "labels": Y}, objective=labelled),
        lambda model: functional.cross_entropy(model(IDS, MASK)["logits"], Y),
    ),
    "derivatives of the inputs": Case(
        lambda: Problem(Wave(), X[:, :1], objective=decay),
        lambda model: decay(model, X[:, :1].double().clone()).mean(),
    ),
    "derivatives in a context": Case(
        lambda: Problem(Wave(), X[:, :1], objective=with_context),
        lambda model: decay(model, X[:, :1].double().clone()).mean(),
    ),
    "a loss of whole batches": Case(
        lambda: Problem(mlp(), X, objective=contrast, batch_size=8),
        _nce,
    ),
    "the mean over batches": Case(
        lambda: Problem(mlp(), (X, IGNORED), reduction="batch", batch_size=5),
        _batches,
    ),
}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    torch.manual_seed(0)
    return CASES[request.param]


def truth(case: Case, problem: Problem, weights: Tensor) -> tuple[float, np.ndarray]:
    """Loss and gradient in float64, by a plain loop on a model that nothing else touches."""
    model = copy.deepcopy(problem.model).double().eval()
    nn.utils.vector_to_parameters(weights.double(), model.parameters())
    loss = case.truth(model)
    slopes = torch.autograd.grad(loss, list(model.parameters()))
    return float(loss), torch.cat([slope.reshape(-1) for slope in slopes]).numpy()


@pytest.mark.parametrize("size", [1, 4, 100])
def test_evaluator(case, size):
    problem = case.made()
    verify(problem)
    expected, _ = truth(case, problem, flat(problem.model))
    found = Evaluator(problem, batch_size=size).on_train(problem.model).loss
    assert found == pytest.approx(expected, rel=1e-5)


def test_scan(case):
    """At the centre and at a corner, and the plane's own origin weights."""
    problem = case.made()
    weights = flat(problem.model).numpy()
    directions = np.random.default_rng(0).standard_normal((2, len(weights))).astype(np.float32) / 4
    found = scan.grid(problem, Plane("random", weights, directions, ("a", "b"), "x"), size=3)
    for (i, j), place in {(1, 1): weights, (2, 0): weights + directions[0] - directions[1]}.items():
        expected, _ = truth(case, problem, torch.from_numpy(place))
        assert found.measures["train_loss"][i, j] == pytest.approx(expected, rel=2e-5)


def test_gradient_and_hessian(case):
    """The gradient; and products by differences of gradients in float64."""
    problem = case.made()
    hessian = Hessian(problem, dtype=torch.float64, batch_size=4)
    weights = flat(problem.model).double()
    loss, gradient = hessian.gradient()
    expected, slope = truth(case, problem, weights)
    # A loss with float32 constants is one in float32.
    close = 1e-5 if objective(problem).facts.loss_dtype == "float32" else 1e-9
    assert loss == pytest.approx(expected, rel=close)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=close)
    direction = np.random.default_rng(1).standard_normal(len(weights))
    ahead, behind = (
        truth(case, problem, weights + sign * 1e-4 * torch.from_numpy(direction))[1]
        for sign in (1, -1)
    )
    difference = (ahead - behind) / 2e-4
    np.testing.assert_allclose(hessian @ direction, difference, rtol=0, atol=max(1e-5, 10 * close))


@pytest.mark.parametrize("name", [name for name in CASES if "batches" not in name])
def test_a_step_over_all_samples_has_the_measured_loss(name):
    torch.manual_seed(0)
    problem = CASES[name].made()
    training = Training(problem, Settings(lr=0.1, batch_size=COUNT))
    loss = training.loss(torch.arange(COUNT))
    expected, slope = truth(CASES[name], problem, flat(problem.model))
    found = torch.autograd.grad(loss, list(training.model.parameters()))
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    found = torch.cat([part.reshape(-1) for part in found])
    np.testing.assert_allclose(found.numpy(), slope, rtol=0, atol=1e-5)


def test_a_step_of_a_loss_of_batches_is_the_batchs():
    torch.manual_seed(0)
    problem = CASES["a loss of whole batches"].made()
    training = Training(problem, Settings(lr=0.1, batch_size=6))
    chosen = torch.arange(3, 9)
    expected, _ = contrast(problem.model, X[chosen])
    assert float(training.loss(chosen).detach()) == pytest.approx(float(expected.detach()))


def test_what_is_known_of_each():
    how = {name: objective(case.made()) for name, case in CASES.items()}
    rungs = {name: one.facts.rung for name, one in how.items() if one.facts.rung != "inference"}
    assert rungs == {"derivatives of the inputs": "grad", "derivatives in a context": "no_grad"}
    fixed = {name: one.fixed for name, one in how.items() if one.fixed}
    assert fixed == {"a loss of whole batches": 8, "the mean over batches": 5}
    in_float32 = [name for name, one in how.items() if one.facts.loss_dtype == "float32"]
    assert in_float32 == [
        "float32 constants",
        "objective on a dict",
        "derivatives of the inputs",
        "derivatives in a context",
        "a loss of whole batches",
    ]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            lambda each: each if len(each) == 8 else (each.mean(), 1.0),
            "a loss must be one of samples, or one of batches, not both",
        ),
        (
            lambda each: each if len(each) == 8 else (each, torch.ones(len(each))),
            "a loss must return (losses, weights) for every batch or for none, got weights for "
            "some",
        ),
    ],
    ids=["means", "weights"],
)
def test_a_loss_that_returns_otherwise_for_other_batches(loss, message):
    """Than for the eight samples that the problem is tried out on."""

    def own(outputs, targets):
        return loss(functional.cross_entropy(outputs, targets, reduction="none"))

    problem = Problem(mlp(), (X, Y), loss=own)
    with pytest.raises(LandscapeError) as caught:
        Hessian(problem) @ np.ones(len(flat(problem.model)))
    assert str(caught.value) == message


def test_a_batch_in_which_nothing_counts_is_a_step_without_gradient():
    nothing = torch.full((COUNT,), -100)
    training = Training(Problem(mlp(), (X, nothing)), Settings(lr=0.1, batch_size=4))
    before = training.weights.clone()
    scalars, taken = training.step(0, 0.1)
    assert taken
    assert scalars["batch_loss"] == 0
    assert torch.equal(training.weights, before)


def test_further_values():
    """Each as the loss is one, beside it; accuracy leaves out what the loss does."""
    wrong = lambda o, t: (1 - (o.argmax(1) == t).double(), (t >= 0).double())  # noqa: E731
    problem = Problem(mlp(), (X, IGNORED), measures={"accuracy": accuracy, "error": wrong})
    found = Evaluator(problem, batch_size=4).on_train(problem.model)
    with torch.no_grad():
        right = (problem.model(X).argmax(1) == IGNORED)[IGNORED >= 0].double().mean()
    assert found.accuracy == pytest.approx(float(right))
    assert found.further == {"error": pytest.approx(1 - float(right))}
    own = Problem(
        Encoder(),
        {"ids": IDS, "mask": MASK, "labels": Y},
        objective=labelled,
        measures={"hits": lambda m, b: m(b["ids"], b["mask"])["logits"].argmax(1) == b["labels"]},
    )
    found = Evaluator(own, batch_size=4).on_train(own.model)
    with torch.no_grad():
        hits = (own.model(IDS, MASK)["logits"].argmax(1) == Y).double().mean()
    assert found.further == {"hits": pytest.approx(float(hits))}
    assert np.isnan(found.accuracy)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            torch.zeros(3),
            "a loss must return one value a sample, shape (4,) or (4, ...) for a batch of 4, got "
            'shape (3,); use reduction="none", or return (value, weight) for one of the batch',
        ),
        (
            0.5,
            "a loss must return one value a sample, shape (4,) or (4, ...) for a batch of 4, got "
            'float; use reduction="none", or return (value, weight) for one of the batch',
        ),
        (
            (torch.zeros(4), torch.zeros(3)),
            "the weights of a loss must be of its shape (4,), got (3,)",
        ),
        (
            (torch.zeros(4), torch.tensor([1.0, -2.0, 0.0, 1.0])),
            "the weights of a loss must be at least 0, got -2",
        ),
        (
            (torch.zeros(4), torch.tensor([1.0, torch.nan, 0.0, 1.0])),
            "the weights of a loss must be at least 0, got nan",
        ),
    ],
)
def test_what_a_loss_may_not_return(found: Any, message: str):
    with pytest.raises(LandscapeError) as caught:
        ratio(found, 4)
    assert str(caught.value) == message


def test_ratios_by_hand():
    values = torch.tensor([[1.0, 2.0], [3.0, float("nan")]])
    by_position = ratio((values, torch.tensor([[1.0, 3.0], [2.0, 0.0]])), 2)
    assert by_position.a.tolist() == [7.0, 6.0]
    assert by_position.counts().tolist() == [4.0, 2.0]
    assert float(by_position.mean()) == pytest.approx(13 / 6)
    by_sample = ratio((values[:, :1], torch.tensor([1.0, 3.0])), 2)
    assert float(by_sample.mean()) == pytest.approx((1 + 9) / 4)
    assert ratio(torch.tensor([1.0, 4.0]), 2).b is None
    whole = ratio((torch.tensor(2.0), 5), 7)
    assert (whole.a.tolist(), whole.counts().tolist(), whole.whole) == ([10.0], [5.0], True)


@pytest.mark.parametrize("name", ["loss", "Top5", "x", "f1_error", "train_f1", "sharpness", "1st"])
def test_names_that_files_have_are_refused(name):
    with pytest.raises(LandscapeError) as caught:
        Problem(mlp(), (X, Y), measures={name: accuracy})
    assert str(caught.value) == (
        "a measure's name must be small letters, digits and _, and none of those that files have, "
        f"got {name!r}"
    )


def test_an_objective_and_a_loss_are_refused():
    with pytest.raises(LandscapeError) as caught:
        Problem(mlp(), X, objective=contrast, loss=nn.MSELoss(reduction="none"))
    assert str(caught.value) == (
        "a problem's loss must be left out where there is an objective, got both"
    )


def test_what_a_dataloader_says():
    items = list(zip(X, Y, strict=True))
    sampler = WeightedRandomSampler([1.0] * COUNT, COUNT)
    loader = DataLoader(items, batch_size=6, sampler=sampler, drop_last=True)
    made = Problem(mlp(), loader)
    assert made.train is items
    assert made.batch_size == 6
    assert made.notes == (
        "the training DataLoader's WeightedRandomSampler isn't used: every sample counts alike, "
        "unless the loss gives weights",
        "the training DataLoader's drop_last isn't used: the last, smaller batch counts too",
    )
    assert Problem(mlp(), DataLoader(items, shuffle=True)).notes == ()


def test_validation_data_say_nothing_of_a_steps_batch():
    items = list(zip(X, Y, strict=True))
    assert Problem(mlp(), (X, Y), DataLoader(items, batch_size=6)).batch_size is None


def test_what_a_batch_sampler_says():
    items = list(zip(X, Y, strict=True))
    made = Problem(mlp(), DataLoader(items, batch_sampler=BatchSampler(range(COUNT), 5, True)))
    assert made.batch_size == 5
    assert made.notes[-1] == (
        "the training DataLoader's drop_last isn't used: the last, smaller batch counts too"
    )
    plain = BatchSampler(RandomSampler(items), 5, False)
    assert Problem(mlp(), DataLoader(items, batch_sampler=plain)).notes == ()
    uneven = BatchSampler(WeightedRandomSampler([1.0] * COUNT, COUNT), 5, False)
    assert Problem(mlp(), DataLoader(items, batch_sampler=uneven)).notes == (
        "the training DataLoader's WeightedRandomSampler isn't used: every sample counts alike, "
        "unless the loss gives weights",
    )
