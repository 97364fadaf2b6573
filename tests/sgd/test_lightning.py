"""A real Lightning training, recorded; the oracle is a loop by hand."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from landscape.errors import LandscapeError

if "CI" not in os.environ:
    pytest.importorskip("pytorch_lightning", reason="needs pytorch-lightning")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def fit(tmp_path):
    import pytorch_lightning as lightning

    from landscape.sgd.lightning import LightningRecorder

    class Classifier(lightning.LightningModule):
        def __init__(self, net: nn.Module, optimizers: int = 1) -> None:
            super().__init__()
            self.net, self.optimizers_wanted = net, optimizers
            self.register_buffer("seen", torch.zeros(1))

        def training_step(self, batch, index):
            inputs, targets = batch
            if index == getattr(self, "fail_at", None):
                raise ArithmeticError("out of luck")
            return functional.cross_entropy(self.net(inputs), targets)

        def configure_optimizers(self):
            made = [
                torch.optim.SGD(self.parameters(), lr=0.2, momentum=0.9, weight_decay=0.01)
                for _ in range(self.optimizers_wanted)
            ]
            if self.optimizers_wanted > 1:
                self.automatic_optimization = False
            return made

    def run(problem, *, optimizers=1, fail_at=None, **options):
        module = Classifier(problem.model, optimizers)
        module.fail_at = fail_at
        callback = LightningRecorder(tmp_path / "run", problem, record="1")
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[callback],
            **options,
        )
        trainer.fit(module, DataLoader(TensorDataset(*problem.train), batch_size=10))
        return callback.run

    return run


def by_hand(problem, model, *, accumulate=1, clip=None):
    """Weights, losses and gradient norms of plain SGD steps on batches of 10, in order."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=0.01)
    inputs, targets = problem.train
    vector = nn.utils.parameters_to_vector
    weights, losses, norms = [vector(model.parameters()).detach().clone()], [], []
    batches = list(torch.arange(len(inputs)).split(10))
    for _ in range(2):
        for at in range(0, len(batches), accumulate):
            optimizer.zero_grad()
            shares = []
            for batch in batches[at : at + accumulate]:
                loss = functional.cross_entropy(model(inputs[batch]), targets[batch]) / accumulate
                loss.backward()
                shares.append(loss.item())
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            gradient = torch.cat(
                [(p.grad + 0.01 * p.detach()).reshape(-1) for p in model.parameters()]
            )
            norms.append(gradient.norm().item())
            optimizer.step()
            weights.append(vector(model.parameters()).detach().clone())
            losses.append(sum(shares))
    return torch.stack(weights).numpy(), losses, norms


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({}, {}),
        ({"accumulate_grad_batches": 2}, {"accumulate": 2}),
        ({"gradient_clip_val": 0.1}, {"clip": 0.1}),
    ],
    ids=["plain", "accumulated", "clipped"],
)
def test_the_trajectory_is_that_of_a_loop_by_hand(fit, problem, mlp, options, how):
    weights, losses, norms = by_hand(problem(), mlp(), **how)
    run = fit(problem(mlp()), **options)
    assert run.record["status"] == "finished"
    trajectory = run.trajectory
    assert trajectory.step.tolist() == list(range(len(weights)))
    np.testing.assert_allclose(trajectory.weights(slice(None)), weights, rtol=0, atol=1e-6)
    scalars = trajectory.scalars()
    np.testing.assert_allclose(scalars["batch_loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(scalars["gradient_norm"], norms, rtol=1e-4)
    np.testing.assert_allclose(scalars["learning_rate"], 0.2)


def test_full_data_losses_are_those_of_the_recorded_weights(fit, problem, mlp):
    made = problem(mlp(nn.BatchNorm1d(5), nn.Tanh()))
    trajectory = fit(made).trajectory
    model = mlp(nn.BatchNorm1d(5), nn.Tanh()).eval()
    for row in (0, 3, 10):
        nn.utils.vector_to_parameters(
            torch.from_numpy(trajectory.row_weights(row)), model.parameters()
        )
        model.load_state_dict(
            {k: torch.from_numpy(v) for k, v in trajectory.buffers(row).items()}, strict=False
        )
        inputs, targets = made.train
        expected = functional.cross_entropy(model(inputs), targets).item()
        assert trajectory.measures["train_loss"][row] == pytest.approx(expected, rel=1e-5)


def test_a_training_that_fails_is_kept_as_far_as_it_came(fit, problem, mlp, tmp_path):
    from landscape.store import read

    with pytest.raises(ArithmeticError):
        fit(problem(mlp()), fail_at=3)
    run = read(tmp_path / "run")
    assert run.record["status"] == "failed"
    assert run.trajectory.step.tolist() == [0, 1, 2, 3]


def test_several_optimizers_are_refused(fit, problem, mlp):
    with pytest.raises(LandscapeError) as caught:
        fit(problem(mlp()), optimizers=2)
    assert str(caught.value) == (
        "recording needs automatic optimization by a single optimizer, got 2 optimizers, "
        "automatic optimization off; use landscape.sgd.watch in an own loop"
    )


def test_its_first_name_is_kept():
    from landscape.sgd.lightning import LightningRecorder, RecordTrajectory

    assert RecordTrajectory is LightningRecorder
