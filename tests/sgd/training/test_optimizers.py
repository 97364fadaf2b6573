"""The optimizers of `landscape train` against loops with torch's own classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from landscape.errors import LandscapeError
from landscape.sgd import Settings, steps
from landscape.sgd.training.optimizers import OPTIMIZERS

CASES = [
    ({"optimizer": "adam"}, torch.optim.Adam, {}),
    (
        {"optimizer": "adam", "beta1": 0.5, "beta2": 0.9, "eps": 1e-4, "weight_decay": 0.1},
        torch.optim.Adam,
        {"betas": (0.5, 0.9), "eps": 1e-4, "weight_decay": 0.1},
    ),
    ({"optimizer": "adamw", "weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
    (
        {"optimizer": "rmsprop", "momentum": 0.9, "alpha": 0.9, "weight_decay": 0.1},
        torch.optim.RMSprop,
        {"momentum": 0.9, "alpha": 0.9, "weight_decay": 0.1},
    ),
]


def looped(model, optimizer, problem, batches, *, clip=None):
    """Weights of a plain loop, (T + 1, P)."""
    inputs, targets = problem.train
    found = [torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()]
    for chosen in batches:
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[chosen]).double(), targets[chosen]).backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        found.append(torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    return torch.stack(found).numpy()


@pytest.mark.parametrize(("settings", "kind", "options"), CASES, ids=str)
def test_weights_are_those_of_torch_to_the_bit(
    problem, mlp, spy, trajectory_of, settings, kind, options
):
    seen = problem(augment=spy)
    found = trajectory_of(steps(seen, Settings(lr=0.05, batch_size=16, steps=30, **settings)))
    model = mlp()
    expected = looped(model, kind(model.parameters(), lr=0.05, **options), seen, spy.indices(seen))
    assert np.abs(np.diff(found, axis=0)).max() > 1e-3
    np.testing.assert_array_equal(found, expected)


def test_learning_rates_are_scheduled(problem, mlp, spy, trajectory_of):
    seen = problem(augment=spy)
    settings = Settings(optimizer="adam", lr=0.05, batch_size=16, steps=12, schedule="cosine")
    found = trajectory_of(steps(seen, settings))
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    expected = looped(model, optimizer, seen, spy.indices(seen))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_parameters_stay(problem, mlp, name):
    model = mlp()
    model[0].weight.requires_grad_(False)
    settings = Settings(optimizer=name, batch_size=16, steps=5, weight_decay=0.1)
    *_, last = steps(problem(model), settings)
    moved = {
        which: (after != before).any().item()
        for (which, after), before in zip(
            last.model.named_parameters(), mlp().parameters(), strict=True
        )
    }
    assert moved == {"0.weight": False, "0.bias": True, "2.weight": True, "2.bias": True}


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_clipped_as_torch_does(problem, mlp, spy, trajectory_of, kind):
    seen = problem(augment=spy)
    settings = Settings(
        optimizer=kind.__name__.lower(), lr=0.1, clip=0.3, batch_size=16, steps=30, weight_decay=0.1
    )
    made = list(steps(seen, settings))
    model = mlp()
    optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.1)
    spied = spy.indices(seen)
    norms = []
    optimizer.register_step_pre_hook(
        lambda *_: norms.append(
            torch.nn.utils.get_total_norm([p.grad for p in model.parameters()]).item()
        )
    )
    expected = looped(model, optimizer, seen, spied, clip=0.3)
    found = torch.nn.utils.parameters_to_vector(made[-1].model.parameters()).detach().numpy()
    np.testing.assert_allclose(found, expected[-1], rtol=0, atol=1e-5)
    shortened = [norm > 0.3 * (1 - 1e-4) for norm in norms]
    assert 5 < sum(shortened) < 30
    assert np.diff([step.clipped for step in made]).tolist() == shortened


def test_the_average_is_that_of_torch(problem, mlp, spy):
    seen = problem(mlp(torch.nn.BatchNorm1d(5)), augment=spy)
    *_, last = steps(seen, Settings(lr=0.2, batch_size=16, steps=20, ema=0.9))
    model = mlp(torch.nn.BatchNorm1d(5))
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True
    )
    averaged.update_parameters(model)  # the first call copies: here w_0 counts
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    optimizer.register_step_post_hook(lambda *_: averaged.update_parameters(model))
    looped(model.train(), optimizer, seen, spy.indices(seen))
    assert last.average is not None
    for (name, mine), theirs in zip(
        last.average.model.state_dict().items(), averaged.module.state_dict().values(), strict=True
    ):
        if mine.is_floating_point():  # torch averages the counter of batches too
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5, msg=name)
    assert not torch.allclose(last.average.weights, last.weights, atol=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_that_overflows_is_not_taken(problem, name):
    clean = problem()
    inputs = clean.train[0].clone()
    inputs[7] = torch.inf
    made = []
    for step in steps(problem(train=(inputs, clean.train[1])), Settings(optimizer=name)):
        assert torch.isfinite(step.weights).all()
        made.append(step.finite)
    assert made[-1] is False
    assert all(made[:-1])


class Checkpointed(torch.nn.Sequential):
    """Recomputes its inner layers in the backward pass."""

    def forward(self, inputs):
        first, *rest = self
        return checkpoint(torch.nn.Sequential(*rest), first(inputs), use_reentrant=True)


def test_reentrant_checkpoints_train_alike(problem, mlp, trajectory_of):
    settings = Settings(lr=0.2, batch_size=16, steps=8)
    expected = trajectory_of(steps(problem(), settings))
    found = trajectory_of(steps(problem(Checkpointed(*mlp())), settings))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_branching_off_needs_the_moments(problem, trajectory_of):
    """A training that begins with another's weights and moments goes on as that one did."""
    settings = Settings(optimizer="adamw", lr=0.05, batch_size=16, steps=12)
    made, whole, kept = problem(), [], {}
    for step in steps(made, settings):
        whole.append(step.weights.clone())
        if step.step == 5:
            kept = {name: value.clone() for name, value in step.moments().items()}
    assert set(kept) == {"optimizer/exp_avg", "optimizer/exp_avg_sq", "optimizer/step"}
    model = made.model
    torch.nn.utils.vector_to_parameters(whole[5], model.parameters())
    rest = Settings(optimizer="adamw", lr=0.05, batch_size=16, steps=7, order_from=5)
    again = trajectory_of(steps(made, rest, moments=kept))
    np.testing.assert_array_equal(again, torch.stack(whole[5:]).numpy())
    without = trajectory_of(steps(made, rest))
    assert np.abs(without[-1] - again[-1]).max() > 1e-3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"optimizer": "lion"},
            "optimizer must be one of sgd, adam, adamw, rmsprop, got lion",
        ),
        (
            {"optimizer": "adm"},
            "optimizer must be one of sgd, adam, adamw, rmsprop, got adm; did you mean adam?",
        ),
        (
            {"optimizer": "adam", "momentum": 0.9},
            "momentum must be left out with the optimizer adam, got 0.9; "
            "it is an option of sgd, rmsprop",
        ),
        (
            {"optimizer": "rmsprop", "momentum": 0.9, "nesterov": True},
            "nesterov must be left out with the optimizer rmsprop, got True; "
            "it is an option of sgd",
        ),
        (
            {"beta1": 0.0},
            "beta1 must be left out with the optimizer sgd, got 0.0; "
            "it is an option of adam, adamw",
        ),
        ({"optimizer": "adam", "beta2": 1.0}, "beta2 must be at least 0 and below 1, got 1.0"),
        ({"optimizer": "adam", "eps": 0.0}, "eps must be above 0 and finite, got 0.0"),
        ({"clip": 0.0}, "clip must be above 0 and finite, got 0.0"),
        ({"ema": 1.0}, "ema must be above 0 and below 1, got 1.0"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(LandscapeError) as caught:
        Settings(**values)
    assert str(caught.value) == message


def test_each_has_a_learning_rate_of_its_own():
    assert {name: Settings(optimizer=name).lr for name in OPTIMIZERS} == {
        "sgd": 0.05,
        "adam": 0.001,
        "adamw": 0.001,
        "rmsprop": 0.01,
    }


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sgd", torch.optim.SGD),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("rmsprop", torch.optim.RMSprop),
    ],
)
def test_each_decays_weights_as_torch_s_does_where_nothing_is_given(name, theirs):
    tensor = torch.nn.Parameter(torch.ones(1))
    made = theirs([tensor], lr=0.1)
    assert Settings(optimizer=name).weight_decay == made.defaults["weight_decay"]
    assert Settings(optimizer=name, weight_decay=0).weight_decay == 0
