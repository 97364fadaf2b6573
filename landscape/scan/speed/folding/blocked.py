"""Convolutions on a processor in oneDNN's own memory layout, blocks of 16 channels.

Pooling and ReLU stay in it; everything else gets plain tensors back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from landscape.scan.speed.folding.graph import FoldedLayer, add_


def possible(inputs: Tensor, dtype: torch.dtype) -> bool:
    """Whether these inputs are images on a processor that has the layout."""
    images = inputs.ndim == 4 and inputs.device.type == "cpu" and dtype == torch.float32
    return images and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def convert(model: fx.GraphModule) -> int:
    """Insert the conversions into a folded graph.

    Returns how many of its operations work in blocks.
    """
    modules = dict(model.named_modules())
    inside: set[fx.Node] = set()
    for node in list(model.graph.nodes):
        if node.op == "placeholder":
            continue
        module = modules[str(node.target)] if node.op == "call_module" else None
        if _is_convolution(module):
            source = node.args[0]
            if source not in inside:
                with model.graph.inserting_before(node):
                    node.replace_input_with(source, model.graph.call_method("to_mkldnn", (source,)))
            inside.add(node)
        elif _stays_inside(node, module, inside):
            inside.add(node)
        else:
            _outside(model, node, inside)
    return len(inside)


def _is_convolution(module: nn.Module | None) -> bool:
    layer = module.__dict__["layer"] if isinstance(module, FoldedLayer) else None
    return (
        isinstance(layer, nn.Conv2d)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def _stays_inside(node: fx.Node, module: nn.Module | None, inside: set[fx.Node]) -> bool:
    if not node.all_input_nodes or not all(source in inside for source in node.all_input_nodes):
        return False
    if node.op == "call_function":
        # Written by the rewriting itself: in place, both of one shape.
        return node.target in (torch.relu_, add_)
    if type(module) is nn.MaxPool2d:
        return module.dilation in (1, (1, 1)) and not module.return_indices
    return type(module) is nn.ReLU


def _outside(model: fx.GraphModule, node: fx.Node, inside: set[fx.Node]) -> None:
    for source in node.all_input_nodes:
        if source in inside:
            with model.graph.inserting_before(node):
                node.replace_input_with(source, model.graph.call_method("to_dense", (source,)))


def plain(value: Any) -> Any:
    """A tensor in the ordinary layout."""
    return value.to_dense() if isinstance(value, Tensor) and value.is_mkldnn else value
