"""Residual networks for small images (He et al., 2016), with or without their shortcuts."""

from __future__ import annotations

from torch import Tensor, nn


class Block(nn.Module):
    """Two 3×3 convolutions with BatchNorm, and the input added before the last ReLU.

    Where the shape changes, the input takes a 1×1 convolution with BatchNorm (He et al.'s option
    B, used by Li et al., 2018). Without ``shortcut`` nothing is added.
    """

    def __init__(self, channels: int, width: int, *, stride: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, width, side=3, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = _convolution(width, width, side=3)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module | None = None
        if shortcut and (stride != 1 or channels != width):
            self.shortcut = nn.Sequential(
                _convolution(channels, width, side=1, stride=stride), nn.BatchNorm2d(width)
            )
        elif shortcut:
            self.shortcut = nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Images (B, channels, H, W) to (B, width, H / stride, W / stride), rounded up."""
        outputs: Tensor = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(inputs)))))
        if self.shortcut is not None:
            outputs = outputs + self.shortcut(inputs)
        activated: Tensor = self.relu2(outputs)
        return activated


class ResNet(nn.Module):
    """A convolution, three thirds of ``blocks`` blocks each, global average and a linear layer.

    The second and third thirds halve the resolution and double the width.
    """

    def __init__(
        self, channels: int, classes: int, *, blocks: int, width: int, shortcut: bool
    ) -> None:
        super().__init__()
        self.conv = _convolution(channels, width, side=3)
        self.bn = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.third1 = _third(width, width, blocks=blocks, stride=1, shortcut=shortcut)
        self.third2 = _third(width, 2 * width, blocks=blocks, stride=2, shortcut=shortcut)
        self.third3 = _third(2 * width, 4 * width, blocks=blocks, stride=2, shortcut=shortcut)
        self.output = nn.Linear(4 * width, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Images (B, channels, H, W) to logits (B, classes)."""
        features: Tensor = self.relu(self.bn(self.conv(inputs)))
        features = self.third3(self.third2(self.third1(features)))
        logits: Tensor = self.output(features.mean(dim=(2, 3)))
        return logits


def resnet(
    shape: tuple[int, ...], classes: int, *, blocks: int, width: int, shortcut: bool = True
) -> ResNet:
    """The ResNet with 6 ``blocks`` + 2 layers: 3 blocks make ResNet-20, 9 make ResNet-56."""
    return ResNet(shape[0], classes, blocks=blocks, width=width, shortcut=shortcut)


def _third(channels: int, width: int, *, blocks: int, stride: int, shortcut: bool) -> nn.Sequential:
    first = Block(channels, width, stride=stride, shortcut=shortcut)
    rest = [Block(width, width, stride=1, shortcut=shortcut) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def _convolution(channels: int, width: int, *, side: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias, which BatchNorm would take out again."""
    layer = nn.Conv2d(
        channels, width, kernel_size=side, stride=stride, padding=side // 2, bias=False
    )
    # He et al. (2015) with fan_out: the variance of the gradients is kept on their way back.
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
