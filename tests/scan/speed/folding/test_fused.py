"""Convolutions with their sums and ReLUs in one kernel, against plain loops in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.problem.models import ResNet
from landscape.scan.speed.folding import fused
from landscape.scan.speed.folding.graph import Graph

IMAGES = (5, 4, 9, 9)


class Made(nn.Module):
    """Some convolutions with BatchNorm, put together by ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv3 = nn.Conv2d(4, 4, 1)

    def first(self, inputs: Tensor) -> Tensor:
        return torch.relu(self.bn1(self.conv1(inputs)))

    def body(self, inputs: Tensor) -> Tensor:
        return self.bn2(self.conv2(torch.relu(self.conv3(inputs))))


class SkipReadLater(Made):
    def forward(self, inputs):
        skip = self.first(inputs)
        outputs = torch.relu(self.body(skip) + skip)
        return self.conv1(outputs) * skip


class SkipReadTwice(Made):
    def forward(self, inputs):
        skip = self.first(inputs)
        outputs = torch.relu(self.body(skip) + skip)
        return torch.relu(self.conv1(outputs) + skip)


class SkipIsConvolved(Made):
    def forward(self, inputs):
        skip = self.first(inputs)
        return torch.relu(self.bn2(self.conv2(skip)) + skip)


class SkipSeenByAView(Made):
    def forward(self, inputs):
        skip = self.first(inputs)
        half = skip[:, :2]
        outputs = torch.relu(self.body(skip) + skip)
        return outputs[:, :2] - half


class SkipChangedByHand(Made):
    def forward(self, inputs):
        skip = self.first(inputs)
        double = skip.mul_(2.0)
        return torch.relu(self.body(skip) + skip) + double


class SkipIsTheInput(Made):
    def forward(self, inputs):
        return torch.relu(self.bn2(self.conv2(inputs)) + inputs)


class NoReLU(Made):
    def forward(self, inputs):
        skip = self.first(inputs)
        return self.body(skip) + skip


class ReLUBeforeTheSum(Made):
    def forward(self, inputs):
        skip = self.first(inputs)
        return torch.relu(self.body(skip)) + skip


class SumOfTwo(Made):
    def forward(self, inputs):
        return torch.relu(self.bn1(self.conv1(inputs)) + self.conv3(inputs))


class Preactivated(Made):
    def forward(self, inputs):
        stream = self.conv3(inputs)
        stream = self.conv2(torch.relu(self.bn1(stream))) + stream
        return torch.relu(self.bn2(stream)).flatten(1)


class Viewed(Made):
    def forward(self, inputs):
        return self.first(inputs).view(inputs.shape[0], -1)


class BroadcastSkip(Made):
    def forward(self, inputs):
        skip = self.first(inputs).mean((2, 3), keepdim=True)
        return torch.relu(self.bn2(self.conv2(inputs)) + skip)


class Layers(nn.Module):
    """Strides, groups, dilation, rectangles, one channel, paddings that stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.dilated = nn.Conv2d(8, 6, (3, 1), padding=(2, 0), dilation=2)
        self.reflecting = nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect")
        self.same = nn.Conv2d(6, 1, 3, padding="same")
        self.single = nn.Conv2d(1, 3, 2)

    def forward(self, inputs):
        outputs = functional.relu(self.grouped(inputs))
        outputs = functional.relu(self.depthwise(outputs) + outputs)
        outputs = self.reflecting(functional.relu(self.dilated(outputs)))
        return functional.relu(self.single(self.same(outputs)))


CASES = {
    SkipReadLater: (2, 0),
    SkipReadTwice: (3, 1),
    SkipIsConvolved: (1, 0),
    SkipSeenByAView: (2, 0),
    SkipChangedByHand: (2, 0),
    SkipIsTheInput: (0, 0),
    NoReLU: (2, 1),
    ReLUBeforeTheSum: (3, 0),
    SumOfTwo: (1, 1),
    Preactivated: (0, 1),
    Viewed: (1, 0),
    BroadcastSkip: (1, 0),
    Layers: (3, 0),
}


def made(kind: type[nn.Module]) -> nn.Module:
    """With statistics that aren't the initial ones."""
    torch.manual_seed(0)
    model = kind().train()
    with torch.no_grad():
        model(2 * torch.randn(16, *IMAGES[1:]) + 0.5)
    return model.eval()


def rewritten(model: nn.Module, inputs: Tensor) -> Graph:
    with torch.inference_mode():
        return Graph(model, inputs[:2], finish=fused.convert)


def counted(graph: Graph) -> tuple[int, int]:
    """How many ReLUs and how many sums went into convolutions."""
    modules = dict(graph.model.named_modules())
    nodes = [node for node in graph.model.graph.nodes if node.op == "call_module"]
    layers = [(modules[node.target], len(node.args)) for node in nodes]
    found = [
        (layer.relu, count) for layer, count in layers if isinstance(layer, fused.FusedConvolution)
    ]
    return sum(relu for relu, _ in found), sum(count == 2 for _, count in found)


@pytest.mark.parametrize("kind", CASES)
def test_against_float64(kind):
    model, inputs = made(kind), torch.randn(*IMAGES)
    wanted = copy.deepcopy(model).double()(inputs.double())
    graph = rewritten(model, inputs)
    before = inputs.clone()
    with torch.inference_mode():
        for _ in range(2):  # nothing is left behind by the first time
            torch.testing.assert_close(
                graph.model(inputs).double(), wanted, rtol=1e-5, atol=1e-5, check_stride=False
            )
    assert torch.equal(inputs, before)


@pytest.mark.parametrize(("kind", "fused_in"), CASES.items())
def test_what_goes_into_the_kernels(kind, fused_in):
    assert counted(rewritten(made(kind), torch.randn(*IMAGES))) == fused_in


def test_every_sum_and_relu_of_a_resnet():
    model = ResNet(4, 3, blocks=2, width=4, shortcut=True).eval()
    # 13 convolutions and 2 on shortcuts; a ReLU after each of the 13, a sum in each of 6 blocks.
    assert counted(rewritten(model, torch.randn(*IMAGES))) == (13, 6)


def test_weights_and_batches_that_change():
    model = made(SkipReadTwice)
    graph = rewritten(model, torch.randn(*IMAGES))
    for count in (5, 3, 5):
        inputs = torch.randn(count, 4, 7, 11)
        with torch.inference_mode():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            model.bn1.running_var.mul_(1.5)
            graph.refresh()
            found = graph.model(inputs).double()
        wanted = copy.deepcopy(model).double()(inputs.double())
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5, check_stride=False)


def test_where_the_kernels_are_missing(monkeypatch):
    images = torch.randn(*IMAGES)
    assert fused.possible(images, torch.float32)
    assert not fused.possible(images, torch.float64)
    assert not fused.possible(images[0], torch.float32)
    assert not fused.possible(images.to("meta"), torch.float32)
    monkeypatch.setattr(fused, "KERNELS", (*fused.KERNELS, "_no_such_kernel"))
    assert not fused.possible(images, torch.float32)
