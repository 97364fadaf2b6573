"""Operations between two layers: which leave the hidden units interchangeable, and which not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.diagnose.symmetry import symmetry
from landscape.diagnose.symmetry.recurrent import CELLS
from landscape.diagnose.symmetry.reshapes import MOVES
from landscape.diagnose.symmetry.rules import RULES
from landscape.diagnose.symmetry.tracing import TABLE

from .. import models

WIDTH = 6


class Between(nn.Module):
    """A layer of 6 units, an operation on (B, 6, 4, 4), and a layer on what is left of it."""

    def __init__(self, operation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, WIDTH, 1)
        self.operation = operation
        with torch.no_grad():
            features = operation(torch.zeros(2, WIDTH, 4, 4)).flatten(1).shape[1]
        self.head = nn.Linear(features, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.operation(self.first(inputs)).flatten(1))


def sizes(operation: Callable[[Tensor], Tensor]) -> list[int]:
    """Of the groups found; the self-check has found them right."""
    torch.manual_seed(0)
    found = symmetry.find(models.problem(Between(operation)))
    return sorted(group.size for group in found.groups)


def doubled(x: Tensor) -> Tensor:
    """Writes into a view of itself."""
    x = x.clone()
    x[:, :, 1:3].mul_(2).add_(x[:, :, :1].abs())
    return x


def first_two(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, :2] += 1
    return x


KEPT = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "softmax over units": lambda x: x.softmax(1),
    "log-softmax over space": lambda x: x.flatten(2).log_softmax(-1),
    "its own square": lambda x: x * x,
    "powers and clamps": lambda x: (x.clamp(-1, 1) ** 2 + 1).rsqrt(),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "masked": lambda x: x.masked_fill(x < 0, 0.0),
    "normalized by norm": lambda x: x / x.norm(dim=1, keepdim=True),
    "centred": lambda x: x - x.mean((2, 3), keepdim=True) + x.amax(1, keepdim=True),
    "standard score": lambda x: (x - x.mean(1, True)) / (x.var(1, keepdim=True) + 1).sqrt(),
    "logsumexp": lambda x: x.logsumexp((2, 3)),
    "gram matrix": lambda x: x.flatten(2) @ x.flatten(2).mT,
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x.abs()),
    "batched product": lambda x: torch.bmm(x.flatten(2), x.flatten(2).transpose(1, 2)),
    "squeeze and excite": lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
    "channels last": lambda x: functional.layer_norm(x.permute(0, 2, 3, 1), (WIDTH,)),
    "instance norm": lambda x: functional.instance_norm(x),
    "one group": lambda x: functional.group_norm(x, 1),
    "pooled": lambda x: functional.max_pool2d(functional.avg_pool2d(x, 3, 1, 1), 2),
    "upsampled": lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear"),
    "padded in space": lambda x: functional.pad(x, (1, 0, 2, 1), mode="reflect"),
    "padded in units": lambda x: functional.pad(x, (0, 0, 0, 0, 2, 3)),
    "strided in space": lambda x: x[:, :, ::2, 1:],
    "concatenated with itself": lambda x: torch.cat([x, x.neg()], 1),
    "stacked": lambda x: torch.stack([x, x.exp()], 2),
    "moved": lambda x: x.movedim(1, -1),
    "split in space": lambda x: sum(x.split([1, 3], 2)[1].unbind(3)),
    "written in place": doubled,
    "fixed positions in space": lambda x: x * torch.arange(4.0) + x.flip(3).cumsum(2),
    "dropout in eval mode": lambda x: functional.dropout(x, 0.5, training=False),
}
OTHERS = {
    # The next layer's columns for equal copies may be permuted too.
    "repeated": (lambda x: x.repeat(1, 2, 1, 1), [2, 6]),
    "interleaved": (lambda x: x.repeat_interleave(2, dim=1), [2, 6]),
    "expanded": (lambda x: x.unsqueeze(2).expand(-1, -1, 3, -1, -1), [3, 6]),
    "three groups of two": (lambda x: functional.group_norm(x, 3), [2, 3]),
    "two halves": (lambda x: x[:, :3] * x[:, 3:], [3]),
    "the last four": (lambda x: x[:, 2:], [2, 4]),
    "two written to": (first_two, [2, 4]),
    "two and four": (lambda x: torch.cat([x[:, :2].relu(), x[:, 2:].tanh()], 1), [2, 4]),
    "gated linear units": (lambda x: functional.glu(x, 1), [3]),
    "unflattened": (lambda x: x.unflatten(1, (2, 3)).softmax(1), [2, 3]),
    "every second": (lambda x: x[:, ::2], []),
    "weighted by position": (lambda x: x * torch.arange(6.0)[:, None, None], []),
    "cumulative": (lambda x: x.cumsum(1), []),
    "flipped": (lambda x: x.flip(1), []),
    "triangle": (lambda x: (x.flatten(2) @ x.flatten(2).mT).tril(), []),
    "chosen by index": (lambda x: x[:, torch.tensor([0, 0, 3])], []),
    "sorted": (lambda x: x.sort(1).values, []),
    "transposed by accident": (lambda x: x.permute(0, 2, 3, 1).reshape(x.shape), []),
    "pixel shuffle": (lambda x: functional.pixel_shuffle(x[:, :4], 2), [2]),
}


@pytest.mark.parametrize("name", KEPT)
def test_the_units_stay_interchangeable(name):
    assert sizes(KEPT[name]) == [WIDTH]


@pytest.mark.parametrize("name", OTHERS)
def test_other_groups_are_found(name):
    operation, expected = OTHERS[name]
    assert sizes(operation) == expected


class Reading(nn.Module):
    """Rows of the image one after the other; the output at the end, or the state."""

    def __init__(self, cells: nn.RNNBase, *, state: bool = False) -> None:
        super().__init__()
        self.cells = cells
        self.state = state
        ways = 2 if cells.bidirectional else 1
        features = cells.hidden_size * cells.num_layers * ways if state else None
        self.head = nn.Linear(features or (cells.proj_size or cells.hidden_size) * ways, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs, state = self.cells(inputs.flatten(2).unflatten(2, (2, 8)).flatten(1, 2))
        return self.head(state.transpose(0, 1).flatten(1) if self.state else outputs[:, -1])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Reading(nn.LSTM(8, 5, batch_first=True)), [5]),
        (Reading(nn.LSTM(8, 5, 2, batch_first=True, bias=False)), [5, 5]),
        (Reading(nn.GRU(8, 4, 2, batch_first=True, bidirectional=True)), [4, 4, 4, 4]),
        (Reading(nn.GRU(8, 4, 2, batch_first=True), state=True), [4]),
        (Reading(nn.RNN(8, 4, batch_first=True)), [4]),
        (Reading(nn.LSTM(8, 5, batch_first=True, proj_size=3)), []),
    ],
)
def test_recurrent_layers(model, expected):
    found = symmetry.find(models.problem(model))
    assert sorted(group.size for group in found.groups) == expected


def test_no_operation_has_two_rules():
    assert not RULES.keys() & MOVES.keys()
    assert len(TABLE) == len(RULES) + len(MOVES) + len(CELLS)


def test_every_rule_is_for_an_operation_that_there_is():
    known = {name.removeprefix("aten::") for name in torch._C._dispatch_get_all_op_names()}
    plain = {name.split(".")[0].rstrip("_") for name in known}
    assert {name for name in TABLE if name.removesuffix(".default") not in known | plain} == set()
