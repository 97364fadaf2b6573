"""What recurrent layers do to permuted inputs: `nn.LSTM`, `nn.GRU` and `nn.RNN`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch.fx import Node

from landscape.diagnose.symmetry.axes import (
    Axis,
    concatenated,
    fix,
    free,
    product,
    size,
    still,
    unify,
)
from landscape.diagnose.symmetry.calls import Axes, Call, Unknown, Value, unmoved
from landscape.diagnose.symmetry.rules import Rule

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
"""Blocks of rows in a layer's weights, each with all units."""
ZEROS = ("zeros", "new_zeros")


def recurrent(call: Call) -> Value:
    """Layers whose units feed back into themselves, one after the other, one or two ways."""
    if call["dropout"] and call["train"]:
        raise Unknown
    inputs = call.needed("input")
    several = isinstance(call["hx"], (list, tuple))
    states = call.listed("hx") if several else [call.needed("hx")]
    for axis in (*inputs[:-1], *(axis for state in states for axis in state[:-1])):
        fix(axis)
    parameters = call.listed("params")
    each = 4 if call["has_biases"] else 2
    ways = 2 if call["bidirectional"] else 1
    if len(parameters) != each * ways * call["num_layers"]:  # a projection
        raise Unknown
    cells = [parameters[k : k + each] for k in range(0, len(parameters), each)]
    units: list[Axis] = []
    features = inputs[-1]
    for layer in range(call["num_layers"]):
        own = [
            _cell(cell, features, GATES[call.name])
            for cell in cells[layer * ways : (layer + 1) * ways]
        ]
        features = concatenated(own)
        units += own
    if _states_matter(call, several):
        # All layers' states lie in one tensor.
        for axis in (*units, *(state[-1] for state in states)):
            unify(units[0], axis)
    ends = [(*unmoved(shape[:-1]), units[0]) for shape in call.shapes[1:]]
    return [(*inputs[:-1], features), *ends]


def _cell(parameters: Sequence[Axes], features: Axis, gates: int) -> Axis:
    """Tie one cell's weights and biases, and return its units."""
    weight, back, *biases = parameters
    units = free(size(back[1]))
    rows = product([still(gates), units])
    unify(weight[1], features)
    unify(back[1], units)
    for axis in (weight[0], back[0], *(bias[0] for bias in biases)):
        unify(axis, rows)
    return units


def _states_matter(call: Call, several: bool) -> bool:
    """Whether initial states other than zero are given, or final ones are used."""
    given: Sequence[Node] = call["hx"] if several else [call["hx"]]
    zero = all(
        getattr(getattr(node.target, "_overloadpacket", None), "__name__", None) in ZEROS
        for node in given
    )
    used = any(user.args[1] != 0 and user.users for user in call.node.users)
    return used or not zero


CELLS: Mapping[str, Rule] = dict.fromkeys(GATES, recurrent)
"""By ATen's name, like `rules.RULES`."""
