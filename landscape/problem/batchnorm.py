"""BatchNorm's statistics, estimated anew for weights that they don't belong to.

Spectral norm's vectors, which are such a state of the weights too, are computed anew with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from landscape.problem import spectral
from landscape.problem.modes import measuring
from landscape.problem.objective import Objective, call
from landscape.problem.samples import Samples

BATCH = 256


def has_statistics(model: nn.Module) -> bool:
    """Whether the model has a state that belongs to its weights.

    BatchNorm layers with running statistics, or spectral norm.
    """
    return normalizes(model) or spectral.has_estimates(model)


def normalizes(model: nn.Module) -> bool:
    """Whether the model holds BatchNorm layers with running statistics."""
    return any(_layers(model))


def normalize_by_batch(model: nn.Module) -> None:
    """Put BatchNorm layers, and nothing else, into train mode; they then update their averages."""
    for layer in _layers(model):
        layer.train()


def recompute(
    model: nn.Module,
    samples: Samples,
    how: Objective | None = None,
    *,
    batch_size: int = BATCH,
) -> None:
    """Re-estimate running means and variances over all samples, in place.

    ``how`` says how the model is run on a batch; None: on the inputs of a pair.

    Every layer normalizes by the batch while its statistics are gathered, everything else is in
    eval mode. Over the batches they are pooled exactly (means, and variances with the spread of
    the batch means), weighted by size. The batches are always ``batch_size`` samples in their
    order (a single one left over joins the batch before it), so the result doesn't depend on how
    a scan is tiled. One forward pass; none where there is spectral norm alone.
    """
    spectral.compute(model)
    layers = list(_layers(model))
    if not layers:
        return
    gathered = [_ChannelMoments(layer) for layer in layers]
    with measuring(model, "inference" if how is None else how.facts.rung):
        for layer in layers:
            layer.train()
        with _kept(layers), _hooked(layers, gathered):
            for number, indices in enumerate(_batches(len(samples), batch_size)):
                batch = samples.batch(indices, number)
                if how is None:
                    call(model, batch.content[0])
                else:
                    with how.seeded(batch):
                        how.run(model, batch)
        for layer, moments in zip(layers, gathered, strict=True):
            moments.store(layer)


def _layers(model: nn.Module) -> Iterator[_BatchNorm]:
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.running_mean is not None:
            yield module


class _ChannelMoments:
    """Count, sum and sum of squares by channel, of what goes into one layer."""

    def __init__(self, layer: _BatchNorm) -> None:
        assert layer.running_mean is not None
        # Apple's GPUs have no float64.
        dtype = torch.float32 if layer.running_mean.device.type == "mps" else torch.float64
        self.count = 0
        self.shift = torch.zeros_like(layer.running_mean, dtype=dtype)
        self.sum = torch.zeros_like(self.shift)
        self.squares = torch.zeros_like(self.shift)

    def add(self, inputs: Tensor) -> None:
        values = inputs.detach().transpose(0, 1).flatten(1).to(self.sum.dtype)
        if self.count == 0:
            # Squares about a typical value: about zero, a large mean would eat the variance.
            self.shift = values.mean(1)
        centred = values - self.shift[:, None]
        self.count += values.shape[1]
        self.sum += centred.sum(1)
        self.squares += centred.square().sum(1)

    def store(self, layer: _BatchNorm) -> None:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        if self.count == 0:  # a layer that the model doesn't use
            return
        offset = self.sum / self.count
        # Unbiased, as PyTorch keeps it.
        variance = (self.squares - self.count * offset.square()) / max(self.count - 1, 1)
        layer.running_mean.copy_(self.shift + offset)
        layer.running_var.copy_(variance.clamp(min=0))


def _batches(count: int, size: int) -> list[Tensor]:
    batches = list(torch.split(torch.arange(count), size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        # BatchNorm refuses to normalize a single row by itself.
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


@contextmanager
def _kept(layers: list[_BatchNorm]) -> Iterator[None]:
    """In train mode layers update their averages, which momentum 0 prevents, and count batches."""
    kept = [(layer, layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer, _, count in kept:
        layer.momentum = 0.0
        layer.num_batches_tracked = None if count is None else count.clone()
    try:
        yield
    finally:
        for layer, momentum, count in kept:
            layer.momentum, layer.num_batches_tracked = momentum, count


@contextmanager
def _hooked(layers: list[_BatchNorm], gathered: list[_ChannelMoments]) -> Iterator[None]:
    handles = [
        layer.register_forward_pre_hook(lambda _, inputs, moments=moments: moments.add(inputs[0]))
        for layer, moments in zip(layers, gathered, strict=True)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
