from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from landscape.problem import Problem


class Items(Dataset):
    """Two tensors, handed out one pair at a time."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.inputs[index], self.targets[index]


@pytest.fixture
def as_dataset() -> Callable[[tuple[Tensor, Tensor]], Dataset]:
    return lambda pair: Items(*pair)


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    """23 images of 3 classes; 23 is a multiple of no batch size."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(23, 2, 4, 4, generator=generator)
    return inputs, torch.randint(0, 3, (23,), generator=generator)


class Net(nn.Module):
    """Convolution, BatchNorm, dropout, linear, in mixed modes and with a frozen tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 5, 3)
        self.bn = nn.BatchNorm2d(5)
        self.dropout = nn.Dropout(0.5)
        self.linear = nn.Linear(20, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.bn(self.conv(inputs)).relu()
        return self.linear(self.dropout(hidden).flatten(1))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    model = Net()
    with torch.no_grad():
        model.bn.running_mean.normal_()
        model.bn.running_var.uniform_(0.5, 2)
    model.train()
    model.bn.eval()
    model.conv.bias.requires_grad_(False)
    return model


@pytest.fixture
def problem(net, images) -> Problem:
    return Problem(net, images)


@pytest.fixture
def untouched() -> Callable[[nn.Module], Callable[[], bool]]:
    """Take a model's fingerprint; the function that comes back says whether it still holds."""

    def state(model: nn.Module) -> tuple[object, ...]:
        tensors = {name: value.clone() for name, value in model.state_dict().items()}
        return (
            tensors,
            [id(tensor) for tensor in (*model.parameters(), *model.buffers())],
            [tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())],
            [tensor.requires_grad for tensor in model.parameters()],
            [tensor.grad for tensor in model.parameters()],
            [module.training for module in model.modules()],
            [getattr(module, "momentum", None) for module in model.modules()],
            [len(module._forward_pre_hooks) for module in model.modules()],
        )

    def watch(model: nn.Module) -> Callable[[], bool]:
        tensors, *before = state(model)

        def holds() -> bool:
            now, *after = state(model)
            same = all(torch.equal(tensors[name], now[name]) for name in tensors)
            return same and tensors.keys() == now.keys() and before == after

        return holds

    return watch
