"""How a model is run when it is measured: eval mode, with as much of autograd as its loss needs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; each module's own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def drops(model: nn.Module) -> bool:
    """Whether dropout is on in a training step, which eval mode turns off.

    >>> drops(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)))
    True
    >>> drops(nn.LSTM(2, 2, num_layers=2, dropout=0.0))
    False
    """
    alone = nn.modules.dropout._DropoutNd
    within = (nn.RNNBase, nn.MultiheadAttention)
    return any(
        (isinstance(one, alone) and one.p > 0) or (isinstance(one, within) and one.dropout > 0)
        for one in model.modules()
    )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch, numpy and random inside; put their states back afterwards."""
    kept_numpy, kept_random = np.random.get_state(), random.getstate()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(kept_numpy)
            random.setstate(kept_random)


def generators() -> tuple[object, ...]:
    """Where the generators are that `seeded` seeds: equal before and after what draws nothing."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    mps = [torch.mps.get_rng_state()] if torch.backends.mps.is_available() else []
    states = (torch.get_rng_state(), *cuda, *mps)
    kind, keys, *rest = np.random.get_state(legacy=True)
    return (
        *(state.cpu().numpy().tobytes() for state in states),
        (kind, np.asarray(keys).tobytes(), *rest),
        random.getstate(),
    )


@contextmanager
def inference(_: nn.Module) -> Iterator[None]:
    """Without any graph, as fast as it gets."""
    with torch.inference_mode():
        yield


@contextmanager
def without_gradient(_: nn.Module) -> Iterator[None]:
    """Without a graph, but ``torch.enable_grad`` works inside."""
    with torch.inference_mode(False), torch.no_grad():
        yield


@contextmanager
def of_inputs(model: nn.Module) -> Iterator[None]:
    """With graphs, of the inputs alone: parameters are constants, so that none gets long."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with ExitStack() as stack:
        for parameter in trained:
            parameter.requires_grad_(False)
            stack.callback(parameter.requires_grad_, True)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


RUNGS: Mapping[str, Callable[[nn.Module], AbstractContextManager[None]]] = {
    "inference": inference,
    "no_grad": without_gradient,
    "grad": of_inputs,
}
"""By the name that is stored, the cheapest first: a problem is measured in the first that works,
which is another one where its loss takes derivatives (PINN, score matching)."""


@contextmanager
def measuring(model: nn.Module, rung: str) -> Iterator[None]:
    """Eval mode and a rung of `RUNGS` inside."""
    with evaluating(model), RUNGS[rung](model):
        yield
