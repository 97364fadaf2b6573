from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.diagnose.symmetry import symmetry
from landscape.diagnose.symmetry.groups import (
    Group,
    Symmetry,
    UnitPlace,
    apply,
    apply_to_buffers,
    inverse,
    permute,
    unit_vectors,
)
from landscape.problem import Layout, Problem, builtin, flat
from landscape.problem.weights import buffers

from .. import models


def outputs(model: nn.Module, inputs: torch.Tensor, weights: np.ndarray, own: dict) -> torch.Tensor:
    """In float64, by PyTorch's own way to load a model."""
    network = copy.deepcopy(model).double().eval()
    nn.utils.vector_to_parameters(torch.from_numpy(weights), network.parameters())
    state = {name: torch.from_numpy(np.asarray(value)) for name, value in own.items()}
    network.load_state_dict(state, strict=False)
    with torch.no_grad():
        return network(inputs.double())


def test_the_groups_of_models_as_users_write_them(zoo):
    name, _, found = zoo
    if models.ZOO[name][1]:
        assert 0 <= found.deviation < 1e-12
    else:
        assert found.reason == "no units of the model can be told to be interchangeable"
    assert sorted(group.size for group in found.groups) == models.ZOO[name][1]


def test_every_group_alone_leaves_the_outputs_unchanged(zoo):
    _, problem, found = zoo
    weights = flat(problem.model).double().numpy()
    own = buffers(problem.model)
    inputs = problem.train[0]
    before = outputs(problem.model, inputs, weights, own)
    for group in found.groups:
        order = {group.name: np.roll(np.arange(group.size), 1)}
        moved = apply(found, order, weights)
        assert np.linalg.norm(moved - weights) > 0.01
        after = outputs(problem.model, inputs, moved, apply_to_buffers(found, order, own))
        torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-13)


def test_the_loss_stays_at_trained_statistics(zoo):
    _, problem, found = zoo
    weights = flat(problem.model).double().numpy()
    own = buffers(problem.model)
    order = found.draw(np.random.default_rng(5))
    moved, statistics = apply(found, order, weights), apply_to_buffers(found, order, own)
    inputs, targets = problem.train
    losses = [
        float(functional.cross_entropy(outputs(problem.model, inputs, *state), targets))
        for state in ((weights, own), (moved, statistics))
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-12)


@pytest.fixture(params=models.ZOO, scope="module")
def zoo(request):
    """A model with statistics from a batch of its own, and its symmetry."""
    model = models.made(request.param)
    problem = models.problem(model)
    with torch.no_grad():
        model.train()(3 * problem.train[0] + 1)
    return request.param, problem, symmetry.find(problem)


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("mlp", {"hidden1": 64, "hidden2": 64}),
        ("cnn", {**{f"conv{k}": 16 for k in (1, 2, 3, 4)}, "hidden": 64}),
    ],
)
def test_built_in_models(model, sizes):
    found = symmetry.find(builtin(model, "digits"))
    assert {group.name: group.size for group in found.groups} == sizes
    assert found.deviation < 1e-12


@pytest.mark.parametrize(("model", "blocks"), [("resnet20", 9), ("resnet56", 27)])
def test_residual_networks_share_the_units_of_a_third(model, blocks):
    found = symmetry.find(builtin(model, "digits", width=4))
    inner = [group for group in found.groups if group.name.endswith("conv1")]
    assert len(inner) == blocks
    assert len(found.groups) == blocks + 3
    stem = found["conv"]
    assert stem.size == 4
    shared = {place.tensor for place in stem.places}
    assert {f"third1.{k}.conv2.weight" for k in range(blocks // 3)} < shared
    assert {place.tensor for place in stem.statistics} >= {"bn.running_mean", "bn.running_var"}


def test_without_shortcuts_every_layer_has_its_own():
    found = symmetry.find(builtin("resnet20", "digits", width=4, shortcut=False))
    assert len(found.groups) == 19


def test_places_of_a_flattened_channel():
    found = symmetry.find(builtin("cnn", "digits", width=4))
    [columns] = [p for p in found["conv4"].places if p.tensor == "hidden.weight"]
    assert columns == UnitPlace("hidden.weight", axis=1, start=0, repeats=1, block=16)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (models.Undecided(), "the model's operations can't be traced: "),
        (models.made("sorted"), "no units of the model can be told to be interchangeable"),
        (nn.Sequential(nn.Flatten(), nn.Linear(32, 3)), "no units of the model"),
    ],
)
def test_a_model_without_groups_says_why(model, reason):
    found = symmetry.find(models.problem(model))
    assert found.groups == ()
    assert found.reason is not None
    assert found.reason.startswith(reason)
    assert "\n" not in found.reason


class Random(nn.Module):
    """Draws in eval mode too: what a permutation does to it can't be checked."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(32, 6), nn.Linear(6, 3)

    def forward(self, inputs):
        hidden = torch.relu(self.first(inputs.flatten(1)))
        return self.head(hidden) + torch.rand(1)


def test_a_model_that_fails_the_check_has_no_groups():
    found = symmetry.find(models.problem(Random()))
    assert found.groups == ()
    assert found.reason.startswith("the permutations found must keep the outputs, they change them")
    assert found.deviation > 1e-3


@pytest.mark.parametrize("name", ["perceptron", "convolutional", "residual"])
def test_the_check_notices_a_wrong_group(name):
    problem = models.problem(models.made(name))
    found = symmetry.find(problem)
    for k, group in enumerate(found.groups):
        for place in range(len(group.places)):
            places = group.places[:place] + group.places[place + 1 :]
            wrong = Group(group.name, group.size, places, group.statistics)
            groups = (*found.groups[:k], wrong, *found.groups[k + 1 :])
            assert symmetry.check(problem, Symmetry(groups, found.layout)) > 1e-6
        if group.statistics:
            wrong = Group(group.name, group.size, group.places)
            assert symmetry.check(problem, Symmetry((wrong,), found.layout)) > 1e-6


def test_finding_changes_nothing():
    model = models.made("convolutional").train()
    before = copy.deepcopy(model.state_dict())
    symmetry.find(models.problem(model))
    assert all(module.training for module in model.modules())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_inputs_of_integers():
    model = nn.Sequential(
        nn.Embedding(7, 5), nn.Flatten(), nn.Linear(15, 4), nn.Tanh(), nn.Linear(4, 3)
    )
    data = (torch.arange(30).reshape(10, 3) % 7, torch.arange(10) % 3)
    found = symmetry.find(Problem(model, data))
    assert {group.name: group.size for group in found.groups} == {"0": 5, "2": 4}
    [columns] = [
        place for place in found["0"].places if place.axis == 1 and place.tensor == "2.weight"
    ]
    assert (columns.repeats, columns.block) == (3, 1)


def test_pytorchs_own_transformer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (4, 8)), nn.Linear(8, 8), layer)
    model = nn.Sequential(model, nn.AdaptiveAvgPool2d((1, 8)), nn.Flatten(), nn.Linear(8, 3))
    found = symmetry.find(models.problem(model))
    assert found.deviation < 1e-12
    # Heads, their dimensions and the wide layer; pooling is over positions and features alike.
    assert sorted(group.size for group in found.groups) == [2, 4, 16]


def test_the_inverse_undoes_a_permutation():
    found = symmetry.find(models.problem(models.perceptron(3)))
    generator = np.random.default_rng(0)
    one = found.draw(generator)
    weights = generator.standard_normal(found.layout.size)
    back = apply(found, inverse(one), apply(found, one, weights))
    np.testing.assert_array_equal(back, weights)


def test_a_place_with_repeats_and_blocks():
    tensors = {"w": np.arange(14)}
    permute(tensors, [UnitPlace("w", 0, 2, 2, 2)], 3, np.array([2, 0, 1]))
    assert tensors["w"].tolist() == [0, 1, 6, 7, 2, 3, 4, 5, 12, 13, 8, 9, 10, 11]


def test_unit_vectors_are_the_weights_in_and_out():
    model = models.perceptron(1, width=4, inputs=32)
    found = symmetry.find(models.problem(model))
    vectors = unit_vectors(found.groups[0], found, flat(model).numpy())
    _, into, _, out = model
    expected = torch.cat([into.weight, into.bias[:, None], out.weight.T], 1).detach().numpy()
    np.testing.assert_array_equal(vectors, expected)
    assert found.layout == Layout.of(model)


class Stubborn(nn.Module):
    """Works in float32 whatever it is asked for."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(32, 6), nn.Linear(6, 3)

    def forward(self, inputs):
        return self.head(torch.relu(self.first(inputs.flatten(1).float())))


def test_a_model_that_cannot_be_checked_has_no_groups():
    found = symmetry.find(models.problem(Stubborn()))
    assert found.groups == ()
    assert found.reason.startswith("the permutations can't be checked in float64: ")


def test_a_model_that_cannot_be_copied_says_so():
    model = models.perceptron(1)
    model.kept = model(torch.zeros(2, 32))
    found = symmetry.find(models.problem(model))
    assert found.reason.startswith("the model's operations can't be traced: it can't be copied: ")


def test_datasets_serve_as_well_as_tensors():
    problem = models.problem(models.perceptron(2))
    rows = torch.utils.data.TensorDataset(*problem.train)
    found = symmetry.find(Problem(problem.model, rows))
    assert [group.size for group in found.groups] == [6, 6]
