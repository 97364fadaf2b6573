"""A model's graph, rewritten for evaluation: BatchNorm folded, less memory touched.

In eval mode BatchNorm is affine and folds into the convolution or linear layer before it, at
each point anew; ReLU and sums that are the only ones to use their input work in place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
RELU = {functional.relu, torch.relu, functional.relu_, torch.relu_, "relu", "relu_"}
ADD = {operator.add, operator.iadd, torch.add, "add", "add_"}


class FoldedLayer(nn.Module):
    """A convolution or linear layer with the BatchNorm after it, if there is one.

    ``refresh`` takes over their present weights and statistics.
    """

    def __init__(self, layer: nn.Module, norm: _BatchNorm | None) -> None:
        super().__init__()
        # Not registered: the traced model owns them.
        object.__setattr__(self, "layer", layer)
        object.__setattr__(self, "norm", norm)
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, Tensor)
        if norm is not None:
            weight, bias = weight.detach().clone(), weight.new_zeros(len(weight))
        self.weight: Any
        self.bias: Any
        self.__dict__.update(weight=weight, bias=bias)

    def refresh(self) -> None:
        """Fold the statistics into the weights, in place."""
        layer: Any = self.__dict__["layer"]
        norm = self.__dict__["norm"]
        if norm is None:
            return
        scale = (norm.running_var + norm.eps).rsqrt()
        if norm.weight is not None:
            scale = scale * norm.weight
        shape = (-1,) + (1,) * (layer.weight.ndim - 1)
        torch.mul(layer.weight, scale.view(shape), out=self.weight)
        shift = -norm.running_mean if layer.bias is None else layer.bias - norm.running_mean
        shift = shift * scale
        self.bias.copy_(shift if norm.bias is None else shift + norm.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """The layer with the folded weights."""
        layer: Any = self.__dict__["layer"]
        if isinstance(layer, nn.Linear):
            return functional.linear(inputs, self.weight, self.bias)
        found: Tensor = layer._conv_forward(inputs, self.weight, self.bias)
        return found


class Graph:
    """A traced and rewritten model: ``refresh`` after its weights changed, then ``model``."""

    def __init__(
        self,
        model: nn.Module,
        inputs: Tensor,
        *,
        finish: Callable[[fx.GraphModule], int] | None = None,
    ) -> None:
        """Trace ``model``, in eval mode, with ``inputs`` of some samples to see the shapes.

        ``finish`` rewrites the graph further; ``finished`` is what it returns.

        Raises:
            Exception: whatever tracing raises; the model can't be traced.
        """
        graph = fx.Tracer().trace(model)
        self.model = fx.GraphModule(model, graph)
        _drop_idle(self.model)
        before = _Shapes(self.model)
        before.run(inputs)
        self._fold(before.found)
        shapes = _Shapes(self.model)
        shapes.run(inputs)
        self._work_in_place(shapes.found)
        self.finished = finish(self.model) if finish is not None else 0
        self._folded = [layer for layer in self.model.modules() if isinstance(layer, FoldedLayer)]
        graph.lint()
        self.model.recompile()
        self.refresh()

    def refresh(self) -> None:
        """Take over the weights and statistics that the traced model has now."""
        for layer in self._folded:
            layer.refresh()

    def _fold(self, shapes: dict[fx.Node, Any]) -> None:
        modules = dict(self.model.named_modules())
        count = 0
        for node in list(self.model.graph.nodes):
            layer = _module(node, modules)
            if type(layer) not in (*CONVOLUTIONS, nn.Linear) or _hooked(layer):
                continue
            after = next(iter(node.users)) if len(node.users) == 1 else None
            norm = _module(after, modules) if after is not None else None
            if not _foldable(layer, norm, shapes[node][0]):
                norm = None
            name = f"folded_{count}"
            count += 1
            self.model.add_module(name, FoldedLayer(layer, norm))  # type: ignore[arg-type]
            with self.model.graph.inserting_before(node):
                new = self.model.graph.call_module(name, node.args, node.kwargs)
            node.replace_all_uses_with(new)
            self.model.graph.erase_node(node)
            if norm is not None and after is not None:
                after.replace_all_uses_with(new)
                self.model.graph.erase_node(after)

    def _work_in_place(self, shapes: dict[fx.Node, Any]) -> None:
        """Let ReLU and sums overwrite what nobody else reads."""
        modules = dict(self.model.named_modules())
        fresh: set[fx.Node] = {
            node
            for node in self.model.graph.nodes
            if isinstance(_module(node, modules), FoldedLayer)
        }
        for node in list(self.model.graph.nodes):
            new: fx.Node | None = None
            if _is(node, modules, RELU, nn.ReLU) and _alone(node.args[0]) and node.args[0] in fresh:
                new = self._insert(node, torch.relu_, (node.args[0],))
            elif _is(node, modules, ADD, None) and len(node.args) == 2 and not node.kwargs:
                first, second = node.args
                for target, other in ((first, second), (second, first)):
                    fits = shapes.get(target) is not None and shapes[target] == shapes.get(other)
                    if target is not other and target in fresh and _alone(target) and fits:
                        new = self._insert(node, add_, (target, other))
                        break
            if new is not None:
                shapes[new] = shapes[node]
                fresh.add(new)

    def _insert(
        self, node: fx.Node, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> fx.Node:
        with self.model.graph.inserting_before(node):
            new = self.model.graph.call_function(function, args)
        node.replace_all_uses_with(new)
        self.model.graph.erase_node(node)
        return new


class _Shapes(fx.Interpreter):
    """Runs a graph, noting shape and dtype of each node's tensor."""

    def __init__(self, model: fx.GraphModule) -> None:
        super().__init__(model)
        self.found: dict[fx.Node, tuple[torch.Size, torch.dtype]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.found[n] = value.shape, value.dtype
        return value


def add_(target: Tensor, other: Tensor) -> Tensor:
    """The sum, which overwrites ``target``."""
    return target.add_(other)


def _drop_idle(model: fx.GraphModule) -> None:
    """Take out what does nothing in eval mode."""
    modules = dict(model.named_modules())
    for node in list(model.graph.nodes):
        idle = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
        if type(_module(node, modules)) in idle and not _hooked(_module(node, modules)):
            node.replace_all_uses_with(node.args[0])
            model.graph.erase_node(node)


def _module(node: Any, modules: dict[str, nn.Module]) -> nn.Module | None:
    if isinstance(node, fx.Node) and node.op == "call_module":
        return modules[str(node.target)]
    return None


def _hooked(module: nn.Module | None) -> bool:
    return bool(module is not None and (module._forward_hooks or module._forward_pre_hooks))


def _foldable(layer: nn.Module | None, norm: nn.Module | None, shape: torch.Size) -> bool:
    """Whether ``norm`` is a BatchNorm with statistics on the channels that ``layer`` gives."""
    # BatchNorm normalizes dimension 1, which is a linear layer's output in (B, C) only.
    if isinstance(layer, nn.Linear) and len(shape) != 2:
        return False
    if not isinstance(norm, _BatchNorm) or norm.running_mean is None or _hooked(norm):
        return False
    channels = layer.weight.shape[0]  # type: ignore[union-attr, index]
    return norm.num_features == channels and type(norm) in (
        nn.BatchNorm1d,
        nn.BatchNorm2d,
        nn.BatchNorm3d,
    )


def _is(
    node: fx.Node, modules: dict[str, nn.Module], functions: set[Any], kind: type[nn.Module] | None
) -> bool:
    if node.op in ("call_function", "call_method"):
        return node.target in functions
    module = _module(node, modules)
    return kind is not None and type(module) is kind and not _hooked(module)


def _alone(node: Any) -> bool:
    return isinstance(node, fx.Node) and len(node.users) == 1
