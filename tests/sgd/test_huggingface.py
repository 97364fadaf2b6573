"""A real training by Hugging Face's Trainer, recorded; the oracle is a loop by hand."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.problem import Problem

if "CI" not in os.environ:
    pytest.importorskip("transformers", reason="needs transformers and accelerate")
    pytest.importorskip("accelerate", reason="needs transformers and accelerate")

pytestmark = pytest.mark.filterwarnings("ignore")

TOKENS, LENGTH = 11, 6


def tiny():
    """A real GPT-2 of two layers, without dropout; the same one every time."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": LENGTH, "vocab_size": TOKENS}
    dropout = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}
    return GPT2LMHeadModel(GPT2Config(**sizes, **dropout, bos_token_id=0, eos_token_id=0))


class Logits(nn.Module):
    """What a problem wants: tokens in, logits out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(input_ids=tokens).logits


def next_token(logits: Tensor, tokens: Tensor) -> Tensor:
    losses = functional.cross_entropy(
        logits[:, :-1].reshape(-1, TOKENS), tokens[:, 1:].reshape(-1), reduction="none"
    )
    return losses.view(len(tokens), -1).mean(1)


@pytest.fixture
def problem() -> Problem:
    tokens = torch.randint(TOKENS, (24, LENGTH), generator=torch.Generator().manual_seed(1))
    return Problem(Logits(tiny()), (tokens, tokens), loss=next_token)


@pytest.fixture
def train(tmp_path):
    def run(problem, **options):
        from transformers import Trainer, TrainingArguments

        from landscape.sgd.huggingface import TrainerRecorder

        callback = TrainerRecorder(tmp_path / "run", problem, record="1")
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "theirs"),
            use_cpu=True,
            num_train_epochs=2,
            learning_rate=0.1,
            lr_scheduler_type="linear",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            optim="sgd",
            seed=3,
            **options,
        )
        # No token predicts the first one; the Trainer's mean counts it unless it is masked.
        masked = torch.tensor([-100] + [0] * (LENGTH - 1))
        rows = [
            {"input_ids": row, "labels": row * (masked == 0) + masked} for row in problem.train[0]
        ]
        seen = []

        class Spying(Trainer):
            def training_step(self, model, inputs, *args, **kwargs):
                seen.append(inputs["input_ids"].clone())
                return super().training_step(model, inputs, *args, **kwargs)

        Spying(tiny(), arguments, train_dataset=rows, callbacks=[callback]).train()
        return callback.run, seen

    return run


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_trajectory_is_that_of_a_loop_by_hand(train, problem, accumulate):
    run, seen = train(
        problem,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=accumulate,
        max_grad_norm=0.5,
    )
    model = tiny()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = len(seen) // accumulate
    vector = nn.utils.parameters_to_vector
    weights, losses, norms = [vector(model.parameters()).detach().clone()], [], []
    for step in range(steps):
        tokens = torch.cat(seen[step * accumulate : (step + 1) * accumulate])
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
        optimizer.zero_grad()
        loss = next_token(model(input_ids=tokens).logits, tokens).mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5).item()
        norms.append(min(norm, 0.5))
        optimizer.step()
        weights.append(vector(model.parameters()).detach().clone())
        losses.append(loss.item())

    assert run.record["status"] == "finished"
    trajectory, scalars = run.trajectory, run.trajectory.scalars()
    assert trajectory.step.tolist() == list(range(steps + 1))
    np.testing.assert_allclose(scalars["batch_loss"], losses, rtol=1e-4)
    np.testing.assert_allclose(scalars["learning_rate"], 0.1 * (1 - np.arange(steps) / steps))
    np.testing.assert_allclose(scalars["gradient_norm"], norms, rtol=1e-3)
    found = trajectory.weights(slice(None))
    np.testing.assert_allclose(found, torch.stack(weights).numpy(), rtol=0, atol=1e-6)

    nn.utils.vector_to_parameters(torch.from_numpy(found[-1]), model.parameters())
    tokens = problem.train[0]
    with torch.no_grad():
        expected = next_token(model(input_ids=tokens).logits, tokens).mean().item()
    assert trajectory.measures["train_loss"][-1] == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_the_trainer_computes_is_not_known(train, problem):
    run, _ = train(problem, per_device_train_batch_size=8, label_smoothing_factor=0.1)
    assert np.isnan(run.trajectory.scalars()["batch_loss"]).all()
    assert np.isfinite(run.trajectory.measures["train_loss"]).all()


def test_its_first_name_is_kept():
    from landscape.sgd.huggingface import RecordTrajectory, TrainerRecorder

    assert RecordTrajectory is TrainerRecorder
