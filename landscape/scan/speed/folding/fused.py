"""Convolutions on a processor that add a residual stream and apply ReLU in their own kernel.

Channels come last in memory; the weights are in oneDNN's layout, put there once a point.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from landscape.scan.speed.folding.graph import FoldedLayer, add_

KERNELS = ("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight")
"""Of ``torch.ops.mkldnn``: PyTorch's own compiler calls them, but nothing promises them."""


def possible(inputs: Tensor, dtype: torch.dtype) -> bool:
    """Whether these inputs are images on a processor, and PyTorch has the kernels."""
    images = inputs.ndim == 4 and inputs.device.type == "cpu" and dtype == torch.float32
    if not images or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return all(hasattr(torch.ops.mkldnn, name) for name in KERNELS)


class FusedConvolution(FoldedLayer):
    """A folded convolution, and what comes directly after it."""

    def __init__(self, layer: nn.Module, norm: Any) -> None:
        super().__init__(layer, norm)
        self.relu = False
        self._packed: Tensor | None = None

    def refresh(self) -> None:
        """Fold the statistics into the weights, which are packed at the next batch."""
        super().refresh()
        self._packed = None

    def forward(self, inputs: Tensor, stream: Tensor | None = None) -> Tensor:
        """The outputs; added to ``stream``, which they overwrite, if it is given; then ReLU."""
        layer: Any = self.__dict__["layer"]
        how: Any = (layer.padding, layer.stride, layer.dilation, layer.groups)
        kernels: Any = torch.ops.mkldnn
        if self._packed is None:
            self._packed = kernels._reorder_convolution_weight(
                self.weight.detach(), *how, inputs.shape
            )
        weights = (self._packed, self.bias)
        found: Tensor
        if stream is None:
            relu = "relu" if self.relu else "none"
            found = kernels._convolution_pointwise(inputs, *weights, *how, relu, [], "")
        else:
            then: Any = ("add", 1.0, "relu" if self.relu else None, [], "")
            found = kernels._convolution_pointwise_.binary(stream, inputs, *weights, *how, *then)
        return found


def convert(model: fx.GraphModule) -> int:
    """Let a folded graph's convolutions do the sums and ReLUs that follow them.

    Returns how many convolutions there are.
    """
    count = 0
    modules = dict(model.named_modules())
    for node in list(model.graph.nodes):
        if node.op == "call_method" and node.target == "view":
            # What a view can't do with channels last, reshape copies.
            if not any(isinstance(arg, torch.dtype) for arg in node.args):
                node.target = "reshape"
        elif node.op == "call_module" and _is_convolution(modules[str(node.target)]):
            folded = modules[str(node.target)].__dict__
            layer = modules[str(node.target)] = FusedConvolution(folded["layer"], folded["norm"])
            model.add_module(str(node.target), layer)
            _take_over(node, layer, modules)
            with model.graph.inserting_before(node):
                inputs = model.graph.call_function(channels_last, (node.args[0],))
            node.args = (inputs, *node.args[1:])
            count += 1
    return count


def channels_last(images: Tensor) -> Tensor:
    """The images (B, C, H, W), in memory as (B, H, W, C)."""
    if images.shape[1] == 1:
        # They are already, but the strides must say so too.
        height, width = images.shape[2:]
        images = images.contiguous()
        return images.as_strided(images.shape, (height * width, 1, width, 1))
    return images.contiguous(memory_format=torch.channels_last)


def _take_over(node: fx.Node, layer: FusedConvolution, modules: dict[str, nn.Module]) -> None:
    """What comes next, if nobody else reads the convolution's outputs."""
    after = node.next
    if after.target is add_ and list(node.users) == [after]:
        stream = next(arg for arg in after.args if arg is not node)
        if isinstance(stream, fx.Node) and _overwritable(stream, node, after, modules):
            node.args = (node.args[0], stream)
            after.replace_all_uses_with(node)
            node.graph.erase_node(after)
    after = node.next
    if after.target is torch.relu_ and list(node.users) == [after]:
        layer.relu = True
        after.replace_all_uses_with(node)
        node.graph.erase_node(after)


def _overwritable(
    stream: fx.Node, node: fx.Node, after: fx.Node, modules: dict[str, nn.Module]
) -> bool:
    """Whether a new tensor is in ``stream``, which nobody reads once ``node`` is there."""
    made_here = stream.target in (add_, torch.relu_) or isinstance(
        modules.get(str(stream.target)), FoldedLayer
    )
    others = [user for user in stream.users if user is not after]
    return made_here and all(user < node and _copies(user, stream, modules) for user in others)


def _copies(user: fx.Node, stream: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether nothing that ``user`` gives shares the stream's memory."""
    if user.target is add_:
        return user.args[0] is not stream
    if user.target is channels_last:
        # Either a copy, or read by the one convolution that it was made for, which is earlier.
        return True
    module = modules.get(str(user.target)) if user.op == "call_module" else None
    return isinstance(module, FoldedLayer) or type(module) is nn.BatchNorm2d


def _is_convolution(module: nn.Module) -> bool:
    layer = module.__dict__["layer"] if isinstance(module, FoldedLayer) else None
    return (
        isinstance(layer, nn.Conv2d)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )
