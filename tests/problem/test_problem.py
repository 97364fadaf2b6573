from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem import Problem, Source, cross_entropy, half_square, vary
from landscape.problem.samples import Samples, length


def test_model_must_be_a_module(images):
    with pytest.raises(LandscapeError) as caught:
        Problem(functional.relu, images)
    assert str(caught.value) == "a problem's model must be a torch.nn.Module, got function"


def test_model_must_have_parameters(images):
    with pytest.raises(LandscapeError) as caught:
        Problem(nn.Flatten(), images)
    assert str(caught.value) == ("a problem's model must have parameters, got a model without any")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_script_is_refused_with_what_to_give(images):
    inner = nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(4, 2)))
    with pytest.raises(LandscapeError) as caught:
        Problem(inner, images)
    assert str(caught.value) == (
        "a problem's model must be a torch.nn.Module in Python, got one of torch.jit; give the "
        "module that was scripted or traced"
    )


@pytest.mark.parametrize("rate", [0.1, 0.25, 1.0])
def test_label_noise_has_its_share_exactly(rate):
    targets = torch.randint(0, 7, (1000,), generator=torch.Generator().manual_seed(1))
    problem = Problem(nn.Linear(1, 7), (torch.zeros(1000, 1), targets))
    noisy = vary(problem, label_noise=rate).train[1]
    assert (noisy != targets).sum() == rate * 1000
    assert noisy.min() >= 0
    assert noisy.max() <= 6
    assert noisy.dtype == targets.dtype


def test_label_noise_leaves_ignored_labels_alone():
    targets = torch.arange(90) % 3
    targets[::2] = -100
    noisy = vary(Problem(nn.Linear(1, 3), (torch.zeros(90, 1), targets)), label_noise=0.2).train[1]
    assert (noisy[::2] == -100).all()
    assert (noisy != targets).sum() == 9
    assert noisy[1::2].min() >= 0


def test_label_noise_spreads_over_the_other_classes():
    targets = torch.full((6000,), 2)
    targets[0] = 3  # Four classes; nearly all are of class 2.
    noisy = vary(Problem(nn.Linear(1, 4), (torch.zeros(6000, 1), targets)), label_noise=1.0)
    counts = noisy.train[1].bincount().tolist()
    assert counts[2] <= 1
    for other in (0, 1, 3):
        assert counts[other] == pytest.approx(2000, abs=150)  # Four standard deviations.


def test_variations_are_the_same_at_every_call(problem):
    torch.manual_seed(1)
    first = vary(problem, train_samples=11, label_noise=0.5)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second = vary(problem, train_samples=11, label_noise=0.5)
    assert torch.equal(first.train[0], second.train[0])
    assert torch.equal(first.train[1], second.train[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_problem_itself_does_not_change(problem, images):
    kept = images[1].clone()
    varied = vary(problem, train_samples=20, label_noise=0.5)
    assert torch.equal(problem.train[1], kept)
    assert varied.validation is problem.validation
    assert varied.model is problem.model


@pytest.mark.parametrize("count", [1, 9, 23])
def test_fewer_training_samples(net, images, as_dataset, count):
    fewer = vary(Problem(net, images), train_samples=count)
    from_dataset = vary(Problem(net, as_dataset(images)), train_samples=count)
    assert length(fewer.train) == length(from_dataset.train) == count
    inputs, targets = Samples(from_dataset.train).take(torch.arange(count))
    assert torch.equal(inputs, fewer.train[0])
    # Each is one of the images, with its own class, in their order.
    places = [int((images[0] == image).flatten(1).all(1).nonzero()) for image in inputs]
    assert places == sorted(set(places))
    assert torch.equal(targets, images[1][places])
    if count == 9:
        assert places != list(range(9))


def test_source_remembers_the_variation(net, images):
    problem = Problem(net, images, source=Source("builtin", "a:b"))
    varied = vary(problem, train_samples=9, label_noise=0.25)
    assert varied.source == Source("builtin", "a:b", train_samples=9, label_noise=0.25)
    assert vary(problem).source == problem.source
    # One after the other too.
    assert vary(vary(problem, train_samples=9), label_noise=0.25).source == varied.source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_samples": 0}, "train samples must be between 1 and the 23 there are, got 0"),
        ({"train_samples": 24}, "train samples must be between 1 and the 23 there are, got 24"),
        ({"label_noise": -0.1}, "label noise must be a share between 0 and 1, got -0.1"),
        ({"label_noise": 1.5}, "label noise must be a share between 0 and 1, got 1.5"),
        (
            {"label_noise": float("nan")},
            "label noise must be a share between 0 and 1, got nan",
        ),
    ],
)
def test_unfit_variations_are_refused(problem, options, message):
    with pytest.raises(LandscapeError) as caught:
        vary(problem, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            torch.zeros(4, 1),
            "label noise needs one integer class a sample, "
            "got targets of torch.float32 and shape (4, 1)",
        ),
        (torch.zeros(4, dtype=torch.int64), "label noise needs at least 2 classes, got 1"),
    ],
)
def test_label_noise_needs_classes(targets, message):
    with pytest.raises(LandscapeError) as caught:
        vary(Problem(nn.Linear(1, 2), (torch.zeros(4, 1), targets)), label_noise=0.5)
    assert str(caught.value) == message


def test_label_noise_needs_tensors(net, images, as_dataset):
    with pytest.raises(LandscapeError) as caught:
        vary(Problem(net, as_dataset(images)), label_noise=0.5)
    assert str(caught.value) == (
        "label noise needs training data in tensors, got a Dataset; change its labels yourself"
    )


def test_losses_by_name(images):
    assert Problem(nn.Linear(1, 1), images, loss="half_square").loss is half_square
    with pytest.raises(LandscapeError) as caught:
        Problem(nn.Linear(1, 1), images, loss="mse")
    assert str(caught.value) == (
        "a loss by its name is one of cross_entropy, half_square, got mse; did you mean "
        "half_square?"
    )


def test_an_option_by_another_name(images):
    with pytest.raises(LandscapeError) as caught:
        Problem(nn.Linear(1, 1), images, valid=images)
    assert str(caught.value) == (
        "a problem's options are model, train, validation, loss, objective, measures, collate, "
        "augment, batch_size, reduction, draws, draw, penalty, got valid; did you mean validation?"
    )


@pytest.mark.parametrize(
    ("arguments", "loss", "said"),
    [
        (
            ("half_square",),
            cross_entropy,
            "a problem's third argument is its validation data, got 'half_square'; give a loss by "
            "its name: loss=",
        ),
        (
            (half_square,),
            cross_entropy,
            "a problem's third argument is its validation data, got half_square; give a loss by "
            "its name: loss=",
        ),
        (
            (nn.MSELoss(),),
            cross_entropy,
            "a problem's third argument is its validation data, got MSELoss(); give a loss by its "
            "name: loss=",
        ),
        (
            (),
            nn.MSELoss,
            "a problem's loss must be a function, got the class MSELoss; give one of it: MSELoss()",
        ),
        (
            (),
            None,
            "a problem's loss must be a function, got None; landscape.problem has cross_entropy "
            "and half_square",
        ),
        (
            (),
            torch.zeros(99),
            "a problem's loss must be a function, got a Tensor; landscape.problem has "
            "cross_entropy and half_square",
        ),
    ],
)
def test_what_is_no_loss_or_stands_in_another_place(images, arguments, loss, said):
    with pytest.raises(LandscapeError, match=f"^{re.escape(said)}$"):
        Problem(nn.Linear(1, 1), images, *arguments, loss=loss)


def test_what_has_no_place_wants_its_name(images):
    with pytest.raises(LandscapeError) as caught:
        Problem(nn.Linear(1, 1), images, None, cross_entropy, len)
    assert str(caught.value) == (
        "a problem takes model, train, validation, loss without their names, got <built-in "
        "function len> behind; give what follows by its name, as objective="
    )


@pytest.mark.parametrize("role", ["objective", "penalty"])
def test_functions_are_no_names(images, role):
    with pytest.raises(LandscapeError) as caught:
        Problem(nn.Linear(1, 1), images, **{role: "half_square"})
    assert str(caught.value) == (
        f"a problem's {role} must be a function, got 'half_square'; landscape.problem has "
        "cross_entropy and half_square"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"measures": 3},
            "a problem's measures must be functions by name, got 3; for example "
            'measures={"accuracy": accuracy}',
        ),
        ({"measures": {"size": 3}}, "a measure must be a function, got 3 for size"),
        (
            {"measures": {3: abs}},
            "a measure's name must be small letters, digits and _, and none of those that files "
            "have, got 3",
        ),
        ({"collate": 3}, "collate must be a function, got 3"),
        ({"augment": "flip"}, "augment must be a function, got 'flip'"),
        ({"draw": 3}, "draw must be a function, got 3"),
        ({"reduction": "sum"}, "reduction must be one of sample, batch, got sum"),
        ({"batch_size": "8"}, "batch_size must be a whole number, got '8'"),
        ({"batch_size": True}, "batch_size must be a whole number, got True"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, got 2.5"),
        ({"batch_size": 2**63}, f"batch_size must be at most 2**63 - 1, got {2**63}"),
        ({"terms": 3}, "a problem's terms are set by those who make one, got 3; leave it out"),
        ({"notes": 3}, "a problem's notes are set by those who make one, got 3; leave it out"),
    ],
)
def test_options_of_wrong_types_are_refused(options, said):
    data = torch.zeros(5, 2), torch.zeros(5, dtype=torch.long)
    with pytest.raises(LandscapeError, match=f"^{re.escape(said)}$"):
        Problem(nn.Linear(2, 2), data, **options)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x.to_sparse(), "a sparse_coo one at inputs; take its .to_dense()"),
        (lambda x: x.to_sparse_csr(), "a sparse_csr one at inputs; take its .to_dense()"),
        (
            lambda x: x.to("meta"),
            "one on the device meta, without any at inputs; make it on a device that has memory",
        ),
        (
            lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
            "a quantized one at inputs; take its .dequantize()",
        ),
        (
            lambda x: torch.nested.nested_tensor(list(x)),
            "a nested one at inputs; give a list of items and collate=, which pads them",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_whose_rows_cant_be_taken_are_refused(change, said):
    data = change(torch.ones(5, 2)), torch.zeros(5, dtype=torch.long)
    expected = f"training data must be dense tensors that hold values, got {said}"
    with pytest.raises(LandscapeError, match=f"^{re.escape(expected)}$"):
        Problem(nn.Linear(2, 2), data)


def test_a_sums_parts_are_given_by_name():
    problem = Problem(nn.Linear(2, 2), (torch.zeros(5, 2), torch.zeros(5, dtype=torch.long)))
    for terms, measures, said in (
        (3, None, "a sum's terms must be given by name, got 3"),
        ({"a": (problem, 1.0)}, 3, "a sum's measures must be given by name, got 3"),
        ({"a": (problem, "x")}, None, "a term's weight must be a finite number, got x for a"),
        (
            {3: (problem, 1.0)},
            None,
            "a term's name must be small letters, digits and _, beginning with a letter, and not "
            "penalty, got 3",
        ),
    ):
        with pytest.raises(LandscapeError, match=f"^{re.escape(said)}$"):
            Problem.sum(terms, measures=measures)
