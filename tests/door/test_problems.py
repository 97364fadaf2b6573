from __future__ import annotations

import copy
import inspect
import math
import pydoc
import re
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch.nn import functional

import landscape as ls
from landscape import problem as stage
from landscape.errors import LandscapeError
from landscape.plane.choice import PlaneChoice
from landscape.quantities import number
from landscape.scan.request import GridChoice
from landscape.scan.speed.options import Evaluation


def losses_by_hand(problem, scan):
    """Load every point's weights into a copy in float64, and take PyTorch's own mean."""
    model = copy.deepcopy(problem.model).double()
    inputs, targets = problem.train
    plane = scan.stored.plane
    found = np.empty(scan.loss.shape)
    axes = list(scan.axes.values())
    for place in np.ndindex(found.shape):
        weights = plane.origin.astype(float)
        for axis, k, direction in zip(axes, place, plane.directions, strict=True):
            weights = weights + axis[k] * direction
        torch.nn.utils.vector_to_parameters(torch.from_numpy(weights), model.parameters())
        found[place] = functional.cross_entropy(model(inputs.double()), targets).item()
    return found


@pytest.mark.parametrize("plane", ["random", "line", "hessian", "gradient", "sharpest"])
def test_every_plane_has_the_losses_of_its_weights(blobs, plane):
    before = copy.deepcopy(blobs.model.state_dict())
    scan = blobs.scan(plane, size=5, tolerance=0.0, precision="float64")
    np.testing.assert_allclose(scan.loss, losses_by_hand(blobs, scan), rtol=1e-6)
    after = blobs.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    weights = torch.nn.utils.parameters_to_vector(blobs.model.parameters())
    np.testing.assert_array_equal(scan.stored.plane.origin, weights.detach().numpy())


def test_it_is_what_the_stages_measure_of_a_run(blobs, tmp_path):
    run = ls.train(blobs, steps=1, lr=0.1, to=tmp_path / "run")
    options = {"size": "7x5", "seed": 3, "extent": 0.5}
    of_run = run.scan("random", at="0", **options)
    of_model = blobs.scan("random", **options)
    np.testing.assert_array_equal(of_model.loss, of_run.loss)
    np.testing.assert_array_equal(of_model.stored.measured, of_run.stored.measured)
    assert of_model.stored.findings == of_run.stored.findings


def test_batchnorm_keeps_the_statistics_that_the_model_has(blobs):
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5))
    model[1].running_mean += 3.0
    x, y = blobs.train
    scan = ls.look(model, (x, y), plane="line", size=3, tolerance=0.0)
    expected = functional.cross_entropy(model.eval()(x), y).item()
    assert scan.loss[1] == pytest.approx(expected, rel=1e-6)


def test_look_is_that_scan(blobs):
    one = ls.look(blobs.model, blobs.train, size=5)
    other = ls.Problem(blobs.model, blobs.train).scan("random", size=5)
    again = ls.look(ls.Problem(blobs.model, blobs.train), size=5)
    np.testing.assert_array_equal(one.loss, other.loss)
    np.testing.assert_array_equal(one.loss, again.loss)


def said_in(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.slow
def test_a_picture_marks_the_weights_with_their_loss(blobs):
    scan = blobs.scan(size=5)
    inputs, targets = blobs.train
    with torch.no_grad():
        loss = functional.cross_entropy(blobs.model(inputs), targets).item()
    text = f"the weights\nloss {number(loss)}"
    for figure in (scan.contour(), scan.surface(renderer="matplotlib")):
        assert said_in(figure).count(text) == 1
        [small] = [said.get_text() for said in figure.texts if "seed" in said.get_text()]
        wanted = "seed 0, random directions filter-normalized, 1-D tensors left out"
        assert small.replace("\n", " ") == wanted
    line = blobs.scan("line", size=5)
    assert text.replace("\n", ", ") in said_in(line.curve())
    # Between grid points nobody knows it.
    assert "the weights" in said_in(blobs.scan(size=4).contour())


def test_look_takes_a_loss_by_its_name(blobs):
    x, _ = blobs.train
    model = torch.nn.Linear(4, 1)
    scan = ls.look(model, (x, x[:, :1]), loss="half_square", plane="line", size=3, tolerance=0.0)
    expected = (model(x) - x[:, :1]).square().mean().item() / 2
    assert scan.loss[1] == pytest.approx(expected, rel=1e-6)


def test_a_problem_of_the_stages_is_taken_as_it_is(blobs):
    plain = stage.builtin("mlp", "moons", width=4)
    held = ls.Problem.of(plain)
    assert (held.model, held.source) == (plain.model, plain.source)
    assert ls.Problem.of(held) is held
    total = ls.Problem.sum({"a": (blobs, 1.0), "b": (blobs, 0.5)})
    assert isinstance(total, ls.Problem)
    assert repr(total) == (
        "Problem(Sequential, 43 parameters, 50 training samples, 20 validation samples, "
        "1 a + 0.5 b)"
    )


def test_captions_say_that_there_is_no_run(blobs):
    caption = blobs.scan("line", size=3).caption
    assert caption.startswith("Training loss on the line through the given weights (x: random")
    assert "on a line through the given weights of a model, as they are." in caption


RECORDS = (PlaneChoice, GridChoice, Evaluation)
OPTIONS = [*sorted({one.name for kind in RECORDS for one in fields(kind)} - {"kinds"}), "exact"]
ABLE = "random, hessian, gradient, line, sharpest"


@pytest.mark.parametrize(
    ("plane", "options", "message"),
    [
        (
            "valley",
            {},
            f"a plane through weights without a run must be one of {ABLE}, got valley; "
            "train the problem and scan its run for others",
        ),
        (
            "random",
            {"at": "best"},
            "a problem without a run has only the weights that it has, got at best; leave it out",
        ),
        (
            "random",
            {"with_weight_decay": True},
            "with_weight_decay adds that of a run's steps, a problem without a run has none; "
            "give the problem a penalty",
        ),
        (
            "random",
            {"sise": 5},
            f"a scan's options are {', '.join(OPTIONS)}, got sise; did you mean size?",
        ),
    ],
)
def test_what_cant_be_is_refused(blobs, plane, options, message):
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        blobs.scan(plane, **options)


def test_look_is_told_what_is_missing(blobs):
    for arguments, more, message in (
        ((blobs.model,), {}, "a model is looked at on data, got none; give (inputs, targets)"),
        ((blobs, blobs.train), {}, "a problem has its own data, got data too; leave it out"),
        (
            (blobs.model, blobs.train),
            {"loss": "mse"},
            "a loss by its name is one of cross_entropy, half_square, got mse; did you mean "
            "half_square?",
        ),
        (
            (blobs.model, *blobs.train),
            {},
            "look takes model and data without their names, got a Tensor behind; inputs and "
            "targets are one argument, the pair (inputs, targets)",
        ),
        (
            (blobs.model, blobs.train, "cross_entropy"),
            {},
            "look takes model and data without their names, got 'cross_entropy' behind; give what "
            "follows by its name, as loss=",
        ),
    ):
        with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
            ls.look(*arguments, **more)


WAYS = pytest.mark.parametrize(
    "begin",
    [
        lambda problem, to: problem.scan("line", size=3),
        lambda problem, to: ls.look(problem, plane="line", size=3),
        lambda problem, to: ls.train(problem, steps=2, to=to),
        lambda problem, to: ls.watch(
            to, problem, torch.optim.SGD(problem.model.parameters(), 0.1), record="1"
        ),
    ],
    ids=["scan", "look", "train", "watch"],
)


@WAYS
def test_numbers_of_another_type_are_refused_before_anything_begins(begin, blobs, folder):
    inputs, targets = blobs.train
    with pytest.raises(LandscapeError) as caught:
        begin(ls.Problem(blobs.model, (inputs.double(), targets)), folder / "run")
    assert str(caught.value) == (
        "the inputs must be float32, as the model's weights are, got float64 "
        f"{(8, *inputs.shape[1:])}; give torch.as_tensor(inputs, dtype=torch.float32)"
    )
    assert not list(folder.iterdir())


@WAYS
def test_arrays_are_data(begin, blobs, folder):
    inputs, targets = blobs.train
    arrays = inputs.double().numpy(), targets.numpy()
    begin(ls.Problem(blobs.model, arrays), folder / "run")
    assert ls.look(blobs.model, arrays, plane="line", size=3).loss == pytest.approx(
        blobs.scan("line", size=3).loss
    )


@WAYS
def test_a_loss_that_is_a_mean_is_refused_before_anything_begins(begin, blobs, folder):
    # Of batches that differ in size, such a loss would give another mean than of all samples.
    def mean(outputs, targets):
        return functional.cross_entropy(outputs, targets, reduction="none").mean()

    with pytest.raises(LandscapeError) as caught:
        begin(ls.Problem(blobs.model, blobs.train, loss=mean), folder / "run")
    assert str(caught.value) == (
        "a loss must return one value a sample, shape (8,) or (8, ...) for a batch of 8, got a "
        'scalar; use reduction="none", or return (value, weight) for one of the batch'
    )
    assert not list(folder.iterdir())


def test_a_mean_with_its_count_is_that_of_all_samples(blobs):
    # 50 samples in batches of 32 and 18.
    def mean(outputs, targets):
        return functional.cross_entropy(outputs, targets), len(targets)

    whole = ls.Problem(blobs.model, blobs.train, loss=mean, batch_size=32)
    own = copy.deepcopy(blobs.model).double()
    inputs, targets = blobs.train
    expected = functional.cross_entropy(own(inputs.double()), targets).item()
    assert whole.scan("line", size=3).loss[1] == pytest.approx(expected, rel=1e-6)


def test_what_is_a_problems_is_said_to_look_with_what_to_call():
    def squares(model, batch):
        return model(batch).square().mean(1)

    net, x = torch.nn.Linear(3, 1), torch.randn(20, 3)
    with pytest.raises(LandscapeError) as caught:
        ls.look(net, x, objective=squares)
    assert str(caught.value) == (
        "look takes model, data, loss and a scan's options, got objective; give objective= to a "
        'problem and scan that: ls.Problem(model, data, objective=...).scan("random")'
    )
    found = ls.Problem(net, x, objective=squares).scan("random", size=3)
    assert found.loss[1, 1] == pytest.approx(net(x).square().mean().item(), rel=1e-6)


def test_weights_that_are_frozen_or_zero_are_told_what_works():
    net = torch.nn.Linear(3, 2)
    data = torch.randn(20, 3), torch.arange(20) % 2
    for plane in ("random", "line"):
        with pytest.raises(LandscapeError) as caught:
            ls.look(net.requires_grad_(False), data, plane=plane, size=3)
        assert str(caught.value) == (
            f"plane {plane} needs parameters to move, all of this model's are frozen; set "
            "requires_grad=True on those to look at"
        )
    for parameter in net.requires_grad_(True).parameters():
        torch.nn.init.zeros_(parameter)
    with pytest.raises(LandscapeError, match='take normalize="none" where weights are zero'):
        ls.look(net, data, size=3)
    assert ls.look(net, data, size=3, normalize="none").loss[1, 1] == pytest.approx(math.log(2))


def test_what_would_be_refused_in_training_is_not_looked_at():
    """Outputs (N, 1) against targets (N,) give a loss (N, N): no sample's own."""
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    net = torch.nn.Linear(3, 1)
    with pytest.raises(
        LandscapeError, match=r"^a sample's loss .* \(8, 1\) and targets \(8,\) are"
    ):
        ls.look(net, (x, x[:, 0]), loss=lambda outputs, targets: (outputs - targets) ** 2, size=3)
    own = torch.nn.Sequential(net, torch.nn.BatchNorm1d(1, track_running_stats=False))
    with pytest.raises(LandscapeError, match=r"^in eval mode a sample's outputs must not depend"):
        ls.look(own, (x, x[:, :1]), loss="half_square", size=3)


def test_its_signature_names_what_people_give():
    said = inspect.signature(ls.Problem)
    places = [one.name for one in said.parameters.values() if one.kind is not one.KEYWORD_ONLY]
    assert places == ["model", "train", "validation", "loss"]
    with pytest.raises(LandscapeError, match=f"are {', '.join(said.parameters)}, got losss"):
        ls.Problem(losss=1)
    assert said.parameters["batch_size"].default is None
    assert said.bind("a model", "data", loss="half_square").arguments["train"] == "data"
    assert "HeldProblem(model: " in pydoc.render_doc(ls.Problem)
