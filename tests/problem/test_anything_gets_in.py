"""What people bring, case by case: each is measured as a plain PyTorch loop measures it."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset, StackDataset

from landscape import plane, scan, sgd
from landscape.errors import LandscapeError
from landscape.problem import (
    Evaluator,
    Layout,
    Problem,
    accuracy,
    cross_entropy,
    flat,
    half_square,
)
from landscape.problem.examine import verify


def mlp(out: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, out))


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def classes(*shape: int, count: int = 2) -> torch.Tensor:
    return torch.randint(0, count, shape, generator=torch.Generator().manual_seed(2))


def measured(problem: Problem):
    verify(problem)
    return Evaluator(problem, batch_size=10).on_train(problem.model)


def close(value: float, expected: torch.Tensor) -> bool:
    return value == pytest.approx(float(expected), rel=1e-5, abs=1e-7)


def test_labels_of_minus_100_do_not_count():
    x, y = draw(64, 4), classes(64)
    y[::3] = -100
    problem = Problem(mlp(), (x, y))
    found, outputs = measured(problem), problem.model(x)
    assert close(found.loss, functional.cross_entropy(outputs, y))
    assert close(found.accuracy, (outputs.argmax(1) == y)[y >= 0].float().mean())


def test_tokens_most_of_which_have_no_label():
    x, y = draw(30, 6, 4), classes(30, 6, count=5)
    y[draw(30, 6) > -0.5] = -100

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = mlp(5)

        def forward(self, tokens):
            return self.layers(tokens).mT

    problem = Problem(Tokens(), (x, y))
    found, outputs = measured(problem), problem.model(x)
    assert close(found.loss, functional.cross_entropy(outputs, y))
    assert close(found.accuracy, (outputs.argmax(1) == y)[y >= 0].float().mean())


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(ignore_index=255, reduction="none"),
        nn.CrossEntropyLoss(ignore_index=255),
        cross_entropy(ignore_index=255),
    ],
    ids=["module", "mean", "helper"],
)
def test_pixels_without_a_class_and_a_picture_with_none_at_all(loss):
    torch.manual_seed(0)
    model, x, y = nn.Conv2d(1, 3, 3, padding=1), draw(12, 1, 5, 5), classes(12, 5, 5, count=3)
    y[:, 0] = 255
    y[4] = 255
    problem = Problem(model, (x, y), loss=loss)
    found, outputs = measured(problem), model(x)
    assert close(found.loss, functional.cross_entropy(outputs, y, ignore_index=255))
    assert close(found.accuracy, (outputs.argmax(1) == y)[y < 255].float().mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_class_weights_in_float32_give_torchs_weighted_mean(smoothing):
    x, y, weight = draw(64, 4), classes(64), torch.tensor([1.0, 5.0])
    loss = nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)
    problem = Problem(mlp(), (x, y), loss=loss)
    assert close(measured(problem).loss, loss(problem.model(x), y))


def test_binary_cross_entropy_of_probabilities_with_float32_targets():
    x, y = draw(64, 4), classes(64, 1).float()
    model = nn.Sequential(mlp(1), nn.Sigmoid())
    problem = Problem(
        model,
        (x, y),
        loss=lambda outputs, targets: functional.binary_cross_entropy(
            outputs, targets, reduction="none"
        ),
    )
    assert close(measured(problem).loss, functional.binary_cross_entropy(model(x), y))


@pytest.mark.parametrize("weight", [None, torch.tensor([3.0])])
def test_logits_and_targets_with_one_column(weight):
    x, y = draw(64, 4), classes(64, 1).float()
    loss = nn.BCEWithLogitsLoss(reduction="none", pos_weight=weight)
    problem = Problem(mlp(1), (x, y), loss=loss)
    assert close(measured(problem).loss, loss(problem.model(x), y).mean())


class Output(NamedTuple):
    logits: torch.Tensor
    hidden: torch.Tensor | None = None


@pytest.mark.parametrize(
    ("wrapped", "logits"),
    [
        (lambda o: {"logits": o}, lambda found: found["logits"]),
        (lambda o: (o, o.sum(1)), lambda found: found[0]),
        (Output, lambda found: found.logits),
        (lambda o: [o], lambda found: found[0]),
    ],
    ids=["dict", "tuple", "namedtuple", "list"],
)
def test_a_loss_gets_what_the_model_gives(wrapped, logits):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = mlp()

        def forward(self, inputs):
            return wrapped(self.layers(inputs))

    x, y = draw(64, 4), classes(64)
    problem = Problem(
        Wrapped(),
        (x, y),
        loss=lambda outputs, targets: cross_entropy(logits(outputs), targets),
        measures={"accuracy": lambda outputs, targets: accuracy(logits(outputs), targets)},
    )
    found, outputs = measured(problem), logits(problem.model(x))
    assert close(found.loss, functional.cross_entropy(outputs, y))
    assert close(found.accuracy, (outputs.argmax(1) == y).float().mean())


class Auxiliary(nn.Module):
    """Gives a second head's outputs in training only."""

    def __init__(self):
        super().__init__()
        self.layers, self.second = mlp(), nn.Linear(4, 2)

    def forward(self, inputs):
        outputs = self.layers(inputs)
        return (outputs, self.second(inputs)) if self.training else outputs


def test_outputs_that_training_alone_has():
    x, y = draw(64, 4), classes(64)

    def loss(outputs, targets):
        if isinstance(outputs, tuple):
            return cross_entropy(outputs[0], targets)[0] + cross_entropy(outputs[1], targets)[0]
        return cross_entropy(outputs, targets)

    problem = Problem(Auxiliary(), (x, y), loss=loss)
    assert close(measured(problem).loss, functional.cross_entropy(problem.model.eval()(x), y))
    settings = sgd.Settings(lr=0.1, epochs=1, batch_size=64)
    [_, step] = sgd.steps(problem, settings)
    outputs = problem.model.train()(x)
    both = sum(functional.cross_entropy(one, y) for one in outputs)
    assert close(step.scalars["batch_loss"], both)


def test_outputs_that_a_loss_cannot_take_in_training_are_found_before_it():
    problem = Problem(Auxiliary(), (draw(64, 4), classes(64)))
    with pytest.raises(LandscapeError, match=r"^a problem's loss must run on its data, got "):
        verify(problem)


class Two(nn.Module):
    """Words with a mask, by these names or in this order."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.out = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, ids, mask):
        there = mask[..., None]
        return self.out((self.words(ids) * there).sum(1) / there.sum(1))


IDS, MASK, LABELS = classes(40, 6, count=9), (draw(40, 6) > -1).float(), classes(40)
MASK[:, 0] = 1


class Items(Dataset):
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return len(LABELS)

    def __getitem__(self, index):
        return self.make(IDS[index], MASK[index], LABELS[index])


def three(items):
    ids, mask, labels = (torch.stack(part) for part in zip(*items, strict=True))
    return (ids, mask), labels


def by_name(items):
    ids, mask, y = (torch.stack([item[name] for item in items]) for name in ("ids", "mask", "y"))
    return {"ids": ids, "mask": mask}, y


@pytest.mark.parametrize(
    ("data", "collate"),
    [
        (({"ids": IDS, "mask": MASK}, LABELS), None),
        (((IDS, MASK), LABELS), None),
        (Items(lambda ids, mask, y: ({"ids": ids, "mask": mask}, y)), None),
        (Items(lambda ids, mask, y: (ids, mask, y)), three),
        (Items(lambda ids, mask, y: {"ids": ids, "mask": mask, "y": y}), by_name),
    ],
    ids=["dict", "tuple", "dict items", "triples", "dicts"],
)
def test_batches_of_any_make(data, collate):
    problem = Problem(Two(), data, collate=collate)
    assert close(measured(problem).loss, functional.cross_entropy(problem.model(IDS, MASK), LABELS))


def test_sequences_of_different_lengths_need_a_collate():
    lines = [draw(3 + k % 4, 4) for k in range(20)]
    ragged = StackDataset(lines, classes(20))
    problem = Problem(nn.Sequential(nn.Flatten(), nn.Linear(24, 2)), ragged)
    with pytest.raises(LandscapeError) as caught:
        verify(problem)
    assert "collate" in str(caught.value)
    assert "\n" not in str(caught.value)

    def padded(items):
        kept = torch.stack([functional.pad(line, (0, 0, 0, 6 - len(line))) for line, _ in items])
        return kept, torch.stack([label for _, label in items])

    problem = Problem(problem.model, ragged, collate=padded)
    inputs, labels = padded(list(ragged))
    assert close(measured(problem).loss, functional.cross_entropy(problem.model(inputs), labels))


def test_pictures_that_are_no_tensors_need_a_collate():
    from PIL import Image

    pixels = (draw(10, 4, 4) * 40 + 100).clamp(0, 255).byte()
    pictures = StackDataset([Image.fromarray(one.numpy()) for one in pixels], classes(10))
    problem = Problem(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), pictures)
    with pytest.raises(LandscapeError) as caught:
        verify(problem)
    assert "collate" in str(caught.value)

    def read(items):
        arrays = [torch.from_numpy(np.array(picture)).float() / 255 for picture, _ in items]
        return torch.stack(arrays), torch.stack([label for _, label in items])

    problem = Problem(problem.model, pictures, collate=read)
    outputs = problem.model(pixels.float() / 255)
    assert close(measured(problem).loss, functional.cross_entropy(outputs, classes(10)))


def test_items_that_change_belong_into_augment():
    class Noisy(Dataset):
        def __len__(self):
            return 64

        def __getitem__(self, index):
            return torch.randn(4), 0

    problem = Problem(mlp(), Noisy())
    message = (
        "an item of the training data must be the same each time it is read, item 0 isn't: "
        "random changes belong into augment=, which training alone uses"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        verify(problem)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["dropout", "noise"])
def test_random_numbers_in_eval_mode_are_the_same_at_every_point(kind, seed, recorded):
    class Random(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = mlp()

        def forward(self, x):
            x = functional.dropout(x, 0.01) if kind == "dropout" else x + torch.randn_like(x)
            return self.layers(x)

    torch.manual_seed(seed)
    problem = Problem(Random(), (draw(64, 4), classes(64)), batch_size=16)
    verify(problem)
    assert problem.facts is not None
    assert problem.facts.random
    evaluator = Evaluator(problem)
    first = evaluator.on_train(problem.model).loss
    torch.manual_seed(99)
    assert evaluator.on_train(problem.model).loss == first


@pytest.mark.parametrize("context", [True, False], ids=["enable_grad", "textbook"])
def test_a_loss_that_takes_derivatives_of_its_inputs(context):
    points = draw(40, 1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def residual(model, x):
        with torch.set_grad_enabled(context or torch.is_grad_enabled()):
            x = x.clone().requires_grad_()
            u = model(x)
            (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        return (slope + u).square()

    problem = Problem(model, points, objective=residual)
    assert close(measured(problem).loss, residual(model, points).mean())
    settings = sgd.Settings(lr=0.1, epochs=1, batch_size=40)
    [_, step] = sgd.steps(problem, settings)
    assert close(step.scalars["batch_loss"], residual(model, points).mean())


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_layers_are_trained(reentrant):
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = mlp()

        def forward(self, x):
            hidden = self.layers[0](x)
            return self.layers[2](checkpoint(self.layers[1], hidden, use_reentrant=reentrant))

    x, y = draw(64, 4), classes(64)
    problem, plain = Problem(Checkpointed(), (x, y)), Problem(mlp(), (x, y))
    settings = sgd.Settings(lr=0.1, epochs=1, batch_size=16)
    assert close(measured(problem).loss, functional.cross_entropy(plain.model(x), y))
    ours, theirs = (list(sgd.steps(one, settings))[-1].weights for one in (problem, plain))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", ["random", "hessian"])
def test_negative_losses_have_planes(kind, recorded):
    """A Gaussian's negative log-likelihood with a small deviation is below zero."""

    def likelihood(outputs, targets):
        return half_square(outputs, targets) * 100 - 3.0

    x = draw(64, 4)
    problem = Problem(mlp(1), (x, x[:, :1] / 2), loss=likelihood)
    weights = [p.detach().reshape(-1) for p in problem.model.parameters()]
    trajectory = recorded(problem, [torch.cat(weights).numpy()] * 2)
    view = plane.random(trajectory) if kind == "random" else plane.hessian(problem, trajectory)
    result = scan.grid(problem, view, trajectory, size=5, extent="auto")
    expected = (likelihood(problem.model(x), x[:, :1] / 2)).mean()
    assert close(float(result.measures["train_loss"][2, 2]), expected)


def start(problem: Problem) -> np.ndarray:
    """Its weights, as a trajectory has them."""
    return flat(problem.model).double().numpy()


def test_frozen_layers_are_constants(recorded):
    model = mlp()
    model[0].requires_grad_(False)
    problem = Problem(model, (draw(64, 4), classes(64)))
    assert Layout.of(model).size == 8 * 2 + 2
    trajectory = recorded(problem, [start(problem)] * 2)
    view = plane.random(trajectory, include_1d=True)
    assert view.directions.shape == (2, 18)
    result = scan.grid(problem, view, trajectory, size=3)
    moved = mlp()
    with torch.no_grad():
        corner = torch.from_numpy(view.origin - view.directions.sum(0))
        moved[2].weight.copy_(corner[:16].reshape(2, 8))
        moved[2].bias.copy_(corner[16:])
    expected = functional.cross_entropy(moved(draw(64, 4)), classes(64))
    assert close(float(result.measures["train_loss"][0, 0]), expected)


def test_an_adjacency_may_be_sparse(recorded):
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("edges", torch.eye(5).roll(1, 0).to_sparse())
            self.layers = mlp()

        def forward(self, x):
            return torch.sparse.mm(self.edges, self.layers(x[0])).T[None]

    x, y = draw(1, 5, 4), classes(1, 5)
    problem = Problem(Graph(), (x, y))
    expected = functional.cross_entropy(problem.model.layers(x[0]).roll(1, 0), y[0])
    assert close(measured(problem).loss, expected)
    trajectory = recorded(problem, [start(problem)] * 2)
    result = scan.grid(problem, plane.random(trajectory), trajectory, size=3)
    assert close(float(result.measures["train_loss"][1, 1]), expected)


def test_complex_weights_keep_both_parts(recorded):
    class Waves(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.weight = nn.Parameter(torch.randn(4, 2, dtype=torch.complex64))

        def forward(self, x):
            return (x.to(torch.complex64) @ self.weight).abs()

    x, y = draw(64, 4), classes(64)
    problem = Problem(Waves(), (x, y))
    assert Layout.of(problem.model).size == 16
    trajectory = recorded(problem, [start(problem)] * 2)
    view = plane.random(trajectory, include_1d=True)
    result = scan.grid(problem, view, trajectory, size=3)
    corner = torch.from_numpy((view.origin + view.directions.sum(0)).astype(np.float32))
    weight = torch.view_as_complex(corner.reshape(4, 2, 2))
    expected = functional.cross_entropy((x.to(torch.complex64) @ weight).abs(), y)
    assert close(float(result.measures["train_loss"][2, 2]), expected)


def test_transposed_convolutions_are_normalized_by_output_filter(recorded):
    torch.manual_seed(0)
    model = nn.Sequential(nn.ConvTranspose2d(4, 2, 3), nn.Flatten(), nn.Linear(2 * 25, 2))
    problem = Problem(model, (draw(8, 4, 3, 3), classes(8)))
    view = plane.random(recorded(problem, [start(problem)] * 2))
    weight = model[0].weight.detach().numpy()
    for direction in view.directions:
        moved = direction[: weight.size].reshape(weight.shape)
        for out in range(2):
            expected = np.linalg.norm(weight[:, out])
            assert np.linalg.norm(moved[:, out]) == pytest.approx(expected, rel=1e-5)
