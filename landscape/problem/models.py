"""The built-in models: a name, an input shape and a number of classes make a network."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from landscape.errors import LandscapeError, meant, ran_out

Shape = tuple[int, ...]
"""One input's shape: (channels, height, width) for images."""

DEEPEST = 1000
"""Layers of a built-in model; without shortcuts a fraction of that no longer trains."""


@dataclass(frozen=True)
class Architecture:
    """A model's constructor and what may be chosen about it."""

    build: Callable[..., nn.Module]
    """``build(shape, classes, width=...)``, with ``depth`` and ``shortcut`` where they apply."""
    width: int
    """The default width."""
    depth: int | None = None
    """The default depth; None where the depth is fixed."""
    shortcut: bool = False
    """Whether there are skip connections to remove."""
    least_side: int | None = None
    """The smallest height and width of an image; None where inputs of any shape will do."""


def make(
    name: str,
    shape: Shape,
    classes: int,
    *,
    depth: int | None = None,
    width: int | None = None,
    shortcut: bool = True,
    data: str | None = None,
) -> nn.Module:
    """A freshly initialized model; its random draws are torch's.

    Args:
        name: A key of ``MODELS``.
        shape: The shape of one input, without the batch's dimension.
        classes: The number of outputs.
        depth: Hidden layers of an mlp, convolutions of a cnn.
        width: Units of an mlp's hidden layers, channels of a cnn's convolutions, channels of a
            ResNet's first third.
        shortcut: Whether a ResNet has its skip connections.
        data: Where the inputs come from, for the error message.

    Raises:
        LandscapeError: no such model, an option that it doesn't take, or inputs that don't fit.
    """
    check_options(name, depth=depth, width=width, shortcut=shortcut)
    architecture = MODELS[name]
    _check_shape(name, shape, data)
    options: dict[str, int | bool] = {"width": architecture.width if width is None else width}
    if architecture.depth is not None:
        options["depth"] = architecture.depth if depth is None else depth
    if architecture.shortcut:
        options["shortcut"] = shortcut
    try:
        return architecture.build(shape, classes, **options)
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise LandscapeError(
            f"a model must fit into memory, {name} of width {options['width']:,} doesn't; choose a "
            "smaller --width"
        ) from error


def check_options(name: str, *, depth: int | None, width: int | None, shortcut: bool) -> None:
    """Refuse an unknown model and options that it doesn't take; needs no data."""
    if name not in MODELS:
        raise LandscapeError(
            f"model must be one of {', '.join(MODELS)}, got {name}{meant(name, MODELS)}"
        )
    architecture = MODELS[name]
    if depth is not None and architecture.depth is None:
        raise LandscapeError(
            f"model {name} has a fixed depth, got depth {depth}; "
            f"leave --depth out or use --model cnn"
        )
    for option, value, default in (
        ("depth", depth, architecture.depth),
        ("width", width, architecture.width),
    ):
        if option == "depth" and value is not None and value > DEEPEST:
            raise LandscapeError(
                f"depth must be at most {DEEPEST:,} layers, got {value:,}; give deeper models with "
                "--problem FILE.py:function"
            )
        if value is not None and value < 1:
            raise LandscapeError(
                f"{option} must be at least 1, got {value}; "
                f"leave --{option} out for the {default} of model {name}"
            )
    if not shortcut and not architecture.shortcut:
        able = " and ".join(key for key, value in MODELS.items() if value.shortcut)
        raise LandscapeError(
            f"only {able} have shortcuts to remove, got model {name}; leave --no-shortcut out"
        )


def _check_shape(name: str, shape: Shape, data: str | None) -> None:
    side = MODELS[name].least_side
    if side is None:
        return
    origin = "" if data is None else f" from data {data}"
    if len(shape) != 3:
        raise LandscapeError(
            f"model {name} needs images (channels, height, width), "
            f"got inputs of shape {shape}{origin}; use --model mlp"
        )
    if min(shape[1:]) < side:
        raise LandscapeError(
            f"model {name} needs images of at least {side}×{side} pixels, "
            f"got {shape[1]}×{shape[2]}{origin}; use --model mlp"
        )


def mlp(shape: Shape, classes: int, *, depth: int, width: int) -> nn.Sequential:
    """``depth`` hidden layers of ``width`` units with ReLU; inputs of any shape are flattened."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    features = math.prod(shape)
    for index in range(1, depth + 1):
        layers[f"hidden{index}"] = nn.Linear(features, width)
        layers[f"relu{index}"] = nn.ReLU()
        features = width
    layers["output"] = nn.Linear(features, classes)
    return nn.Sequential(layers)


def cnn(shape: Shape, classes: int, *, depth: int, width: int) -> nn.Sequential:
    """``depth`` 3×3 convolutions at full resolution, one 2×2 max-pool, one hidden layer of 64."""
    channels, height, breadth = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index in range(1, depth + 1):
        layers[f"conv{index}"] = nn.Conv2d(channels, width, kernel_size=3, padding=1)
        layers[f"relu{index}"] = nn.ReLU()
        channels = width
    layers["pool"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    layers["hidden"] = nn.Linear(width * (height // 2) * (breadth // 2), 64)
    layers["relu"] = nn.ReLU()
    layers["output"] = nn.Linear(64, classes)
    return nn.Sequential(layers)


class ResidualBlock(nn.Module):
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
    first = ResidualBlock(channels, width, stride=stride, shortcut=shortcut)
    rest = [ResidualBlock(width, width, stride=1, shortcut=shortcut) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def _convolution(channels: int, width: int, *, side: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias, which BatchNorm would take out again."""
    layer = nn.Conv2d(
        channels, width, kernel_size=side, stride=stride, padding=side // 2, bias=False
    )
    # He et al. (2015) with fan_out: the variance of the gradients is kept on their way back.
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


# A ResNet halves the side twice; from 5 pixels on more than one is left, so that BatchNorm can
# train on a batch of a single sample, which the last batch of an epoch may be.
MODELS: dict[str, Architecture] = {
    "mlp": Architecture(mlp, width=64, depth=2),
    "cnn": Architecture(cnn, width=16, depth=4, least_side=2),
    "resnet20": Architecture(partial(resnet, blocks=3), width=16, shortcut=True, least_side=5),
    "resnet56": Architecture(partial(resnet, blocks=9), width=16, shortcut=True, least_side=5),
}
"""The built-in models by name."""
