from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem import Evaluator, Problem, cross_entropy, half_square
from landscape.problem.evaluate import Measures, measure_samples
from landscape.problem.examine import objective
from landscape.problem.modes import evaluating
from landscape.problem.samples import Samples


def measured(model, data, loss=cross_entropy, *, batch_size: int, **options) -> Measures:
    how = objective(Problem(model, data, loss=loss))
    return measure_samples(model, Samples(data), how, batch_size=batch_size, **options)


SIZES = [1, 2, 7, 22, 23, 256]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["tensors", "dataset"])
def test_against_pytorch_on_all_samples_at_once(net, images, as_dataset, size, kind):
    data = images if kind == "tensors" else as_dataset(images)
    with evaluating(net), torch.no_grad():
        outputs = net(images[0]).double()
    loss = functional.cross_entropy(outputs, images[1]).item()
    found = measured(net, data, cross_entropy, batch_size=size)
    assert abs(found.loss - loss) <= 1e-6 * loss + 1e-9
    # A last partial batch of 1 or 2 counts by its samples, not as a whole batch.
    assert found.accuracy == pytest.approx((outputs.argmax(1) == images[1]).sum().item() / 23)


def test_first_few_samples(net, images):
    few = measured(net, images, cross_entropy, batch_size=4, at_most=6)
    first = (images[0][:6], images[1][:6])
    assert few == measured(net, first, cross_entropy, batch_size=4)
    everything = measured(net, images, cross_entropy, batch_size=4)
    assert measured(net, images, cross_entropy, batch_size=4, at_most=99) == everything


def test_model_stays_as_it_was(net, images, untouched):
    holds = untouched(net)
    measured(net, images, cross_entropy, batch_size=5)
    assert holds()


def test_modes_come_back_after_an_error(net, images, untouched):
    def fussy(outputs, targets):
        if (targets == targets[0]).all():
            raise ValueError("one class only")
        return cross_entropy(outputs, targets)

    how = objective(Problem(net, images, loss=fussy))
    holds = untouched(net)
    with pytest.raises(LandscapeError) as caught:
        measure_samples(net, Samples(images), how, batch_size=1)
    assert str(caught.value) == (
        "a problem's loss must run on its data, got ValueError: one class only on "
        f"float64 (1, 3); int64 (1,), at {__file__}:{fussy.__code__.co_firstlineno + 2}; "
        "LANDSCAPE_DEBUG=1 shows the traceback"
    )
    assert holds()


def test_dead_network_at_the_log_frequencies_has_their_entropy():
    """Zero weights and the bias ln pi: the loss is H(pi), to the last digits of float64."""
    classes = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    frequencies = np.array([0.5, 0.3, 0.2])
    model = nn.Linear(4, 3).double()
    with torch.no_grad():
        model.weight.zero_()
        model.bias.copy_(torch.from_numpy(np.log(frequencies)))
    problem = Problem(model, (torch.randn(10, 4, dtype=torch.float64), classes))
    loss = Evaluator(problem, batch_size=3).on_train(model).loss
    assert abs(loss + np.sum(frequencies * np.log(frequencies))) < 1e-12


def test_planted_tiny_losses_add_up():
    """Margins of 16 to 19, the mean of ln(1 + exp(-m)), below float32's resolution at 1."""
    margins = torch.arange(16.0, 20.0, 0.25)
    model = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0], [0.0]]))
    data = (margins[:, None], torch.zeros(16, dtype=torch.int64))
    truth = math.fsum(math.log1p(math.exp(-m)) for m in margins.tolist()) / 16
    found = measured(model, data, cross_entropy, batch_size=5)
    assert found.loss == pytest.approx(truth, rel=1e-7)
    assert found.accuracy == 1.0


def test_sequences():
    tokens = torch.randint(0, 5, (6, 3))
    model = nn.Sequential(
        nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 15), nn.Unflatten(1, (5, 3))
    )
    found = measured(model, (tokens, tokens), cross_entropy, batch_size=4)
    outputs = model(tokens).detach().double()
    by_token = functional.cross_entropy(outputs.transpose(1, 2).reshape(-1, 5), tokens.reshape(-1))
    assert found.loss == pytest.approx(by_token.item(), rel=1e-6)
    assert found.accuracy == pytest.approx((outputs.argmax(1) == tokens).double().mean().item())


def test_regression_has_no_accuracy():
    inputs = torch.randn(9, 2)
    model = nn.Linear(2, 1)
    found = measured(model, (inputs, torch.zeros(9, 1)), half_square, batch_size=4)
    outputs = model(inputs).detach().double().numpy()
    assert found.loss == pytest.approx(np.mean(outputs**2) / 2, rel=1e-6)
    assert math.isnan(found.accuracy)


def test_losses_that_are_not_finite_are_told():
    model = nn.Linear(1, 2)
    inputs = torch.tensor([[1.0], [float("inf")], [2.0]])
    found = measured(model, (inputs, torch.zeros(3, dtype=torch.int64)), batch_size=1)
    assert not math.isfinite(found.loss)


def test_evaluator_measures_each_data_set(net, images):
    other = (images[0][:4], images[1][:4])
    evaluator = Evaluator(Problem(net, images, other), batch_size=3)
    assert evaluator.on_train(net).loss == pytest.approx(
        measured(net, images, cross_entropy, batch_size=23).loss, rel=1e-6
    )
    assert evaluator.on_validation(net).loss == pytest.approx(
        measured(net, other, cross_entropy, batch_size=4).loss, rel=1e-6
    )


def test_no_validation_data(problem):
    found = Evaluator(problem).on_validation(problem.model)
    assert math.isnan(found.loss)
    assert math.isnan(found.accuracy)


def test_evaluating_gives_each_module_its_own_mode_back(net):
    modes = [module.training for module in net.modules()]
    assert len(set(modes)) == 2
    with evaluating(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == modes
