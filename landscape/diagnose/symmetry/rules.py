"""What layers do to permuted inputs: ATen's operations that mix, normalize or reduce."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from landscape.diagnose.symmetry.axes import (
    Atom,
    Axis,
    fix,
    free,
    product,
    size,
    still,
    summands,
    unify,
)
from landscape.diagnose.symmetry.calls import Axes, Call, Unknown, Value, broadcast

Rule = Callable[[Call], Value]
"""Ties axes that must be permuted alike and returns those of the result."""


def elementwise(call: Call) -> Value:
    """Any function of numbers at the same place, broadcast."""
    return broadcast(call.tensors(), call.shape)


def same(call: Call) -> Value:
    """The first argument's axes: copies, and functions that treat all units of an axis alike."""
    return call.first


def dropout(call: Call) -> Value:
    """Nothing in eval mode; where it is random all the same, it has no symmetry."""
    if call["train"]:
        raise Unknown
    return call.first


def reduced(call: Call) -> Value:
    """Means, sums and the like, which don't depend on the order."""
    axes = call.first
    dims = call.given.get("dim")
    if dims is None or dims == []:
        dims = list(range(len(axes)))
    dropped = {d % len(axes) for d in ([dims] if isinstance(dims, int) else dims)}
    if call.given.get("keepdim"):
        return tuple(free(1) if k in dropped else axis for k, axis in enumerate(axes))
    return tuple(axis for k, axis in enumerate(axes) if k not in dropped)


def positional(call: Call) -> Value:
    """Along the given dimensions, positions matter: cumulative sums, flips."""
    axes = list(call.first)
    dims = call.given.get("dims", call.given.get("dim"))
    if dims is None or dims == []:
        raise Unknown
    for d in [dims] if isinstance(dims, int) else dims:
        fix(axes[d])
    return tuple(axes)


def last_two_fixed(call: Call) -> Value:
    """Triangles of matrices."""
    for axis in call.first[-2:]:
        fix(axis)
    return call.first


def linear(call: Call) -> Value:
    """``x W^T + b``."""
    inputs, weight, bias = call.needed("input"), call.needed("weight"), call.tensor("bias")
    unify(inputs[-1], weight[-1])
    if bias is not None and len(weight) > 1:
        unify(bias[0], weight[0])
    return (*inputs[:-1], *weight[:-1])


def matmul(call: Call) -> Value:
    """The product of two matrices, vectors or batches of them."""
    a, b, *_ = call.tensors() * 2  # one tensor stands for both where it meets itself
    return _multiplied(a, b, call.shape)


def _multiplied(a: Axes, b: Axes, shape: Sequence[int]) -> Axes:
    unify(a[-1], b[-2] if len(b) > 1 else b[0])
    rows = a[-2:-1] + (b[-1:] if len(b) > 1 else ())
    batch = shape[: len(shape) - len(rows)]
    return (*broadcast([a[:-2], b[:-2]], batch), *rows)


def added_product(call: Call) -> Value:
    """``input + A B``."""
    names = ("mat1", "mat2") if "mat1" in call.given else ("batch1", "batch2")
    a, b = (call.needed(name) for name in names)
    return broadcast([call.needed("self"), _multiplied(a, b, call.shape)], call.shape)


def einsum(call: Call) -> Value:
    """A sum of products, spelled out with a letter for each axis."""
    inputs, arrow, result = call["equation"].replace(" ", "").partition("->")
    terms, tensors = inputs.split(","), call.listed("tensors")
    if not arrow or "." in inputs or any(len(set(term)) < len(term) for term in (*terms, result)):
        raise Unknown
    found: dict[str, Axis] = {}
    for term, axes in zip(terms, tensors, strict=True):
        for letter, axis in zip(term, axes, strict=True):
            if letter not in found or size(found[letter]) == 1:
                found[letter] = axis
            elif size(axis) > 1:
                unify(found[letter], axis)
    return tuple(found[letter] for letter in result)


def convolution(call: Call) -> Value:
    """Over the last dimensions; in ``groups``, these and the channels within may be permuted."""
    inputs, weight, bias = call.needed("input"), call.needed("weight"), call.tensor("bias")
    spatial, groups = len(weight) - 2, call["groups"]
    for axis in (*inputs[-spatial:], *weight[2:]):
        fix(axis)
    outer: Axis = ((Atom(groups),),)
    unify(inputs[-spatial - 1], product([outer, weight[1]]))
    if groups > 1:
        unify(weight[0], product([outer, free(size(weight[0]) // groups)]))
    return _convolved(inputs, weight[0], bias, call.shape, spatial)


def transposed_convolution(call: Call) -> Value:
    """A convolution's adjoint: its weights have the input channels first."""
    inputs, weight, bias = call.needed("input"), call.needed("weight"), call.tensor("bias")
    spatial, groups = len(weight) - 2, call["groups"]
    for axis in (*inputs[-spatial:], *weight[2:]):
        fix(axis)
    outer: Axis = ((Atom(groups),),)
    unify(inputs[-spatial - 1], weight[0])
    if groups > 1:
        unify(weight[0], product([outer, free(size(weight[0]) // groups)]))
    return _convolved(inputs, product([outer, weight[1]]), bias, call.shape, spatial)


def _convolved(
    inputs: Axes, channels: Axis, bias: Axes | None, shape: Sequence[int], spatial: int
) -> Axes:
    if bias is not None:
        unify(channels, bias[0])
    return (*inputs[: -spatial - 1], channels, *(still(n) for n in shape[-spatial:]))


def spatial(call: Call) -> Value:
    """Pooling and resizing: what is not batch or channel is fixed."""
    inputs = call.first
    count = int(call.name[-2])  # as in max_pool2d
    for axis in inputs[-count:]:
        fix(axis)
    return (*inputs[:-count], *(still(n) for n in call.shape[-count:]))


def resized(call: Call) -> Value:
    """Upsampling, of images (B, C, ...)."""
    for axis in call.first[2:]:
        fix(axis)
    return (*call.first[:2], *(still(n) for n in call.shape[2:]))


def channel_norm(call: Call) -> Value:
    """BatchNorm and InstanceNorm: every channel by itself."""
    inputs = call.needed("input")
    for name in ("weight", "bias", "running_mean", "running_var"):
        if (own := call.tensor(name)) is not None:
            unify(inputs[1], own[0])
    return inputs


def layer_norm(call: Call) -> Value:
    """Over all of the last dimensions at once, whatever the order in them."""
    inputs = call.needed("input")
    for name in ("weight", "bias"):
        for mine, own in zip(reversed(inputs), reversed(call.tensor(name) or ()), strict=False):
            unify(mine, own)
    return inputs


def group_norm(call: Call) -> Value:
    """Groups may be permuted, and channels within groups."""
    inputs, groups = call.needed("input"), call["num_groups"]
    within = size(inputs[1]) // groups
    unify(inputs[1], ((Atom(groups), Atom(within)),))
    for name in ("weight", "bias"):
        if (own := call.tensor(name)) is not None:
            unify(inputs[1], own[0])
    return inputs


def embedding(call: Call) -> Value:
    """Rows chosen by the data: their order is given, their columns are features."""
    weight = call.needed("weight")
    fix(weight[0])
    return (*call.needed("indices"), weight[1])


def attention(call: Call) -> Value:
    """``softmax(Q K^T) V``."""
    query, key, value = (call.needed(name) for name in ("query", "key", "value"))
    if call["dropout_p"] or call["enable_gqa"]:
        raise Unknown
    unify(query[-1], key[-1])
    unify(key[-2], value[-2])
    batch = broadcast([query[:-2], key[:-2], value[:-2]], call.shape[:-2])
    if call["is_causal"]:
        fix(query[-2])
        fix(key[-2])
    if (mask := call.tensor("attn_mask")) is not None:
        scores = (*batch, query[-2], key[-2])
        broadcast([scores, mask], [size(axis) for axis in scores])
    return (*batch, query[-2], value[-1])


def prelu(call: Call) -> Value:
    """A slope for every channel, or one for all."""
    inputs, weight = call.needed("self"), call.needed("weight")
    if weight and size(weight[0]) > 1:
        unify(inputs[1], weight[0])
    return inputs


def glu(call: Call) -> Value:
    """One half of an axis gates the other."""
    axes = list(call.first)
    d = call["dim"]
    half = size(axes[d]) // 2
    axes[d], gate = summands(axes[d], [half, half])
    unify(axes[d], gate)
    return tuple(axes)


def constant(call: Call) -> Value:
    """The same number everywhere."""
    return tuple(free(n) for n in call.shape)


ELEMENTWISE = """
abs acos add addcdiv addcmul asin atan atan2 bitwise_and bitwise_not bitwise_or ceil celu clamp
clamp_max clamp_min copy cos cosh div elu eq erf erfc exp exp2 expm1 floor floor_divide fmod ge gelu
gt hardshrink hardsigmoid hardswish hardtanh isfinite isinf isnan le leaky_relu lerp log log10 log1p
log2 log_sigmoid logical_and logical_not logical_or lt masked_fill max.other maximum min.other
minimum mish mul nan_to_num ne neg pow reciprocal relu relu6 remainder round rsqrt rsub selu
sigmoid sign silu sin sinh softplus softshrink sqrt square sub tan tanh threshold trunc
where.self where.ScalarOther where.ScalarSelf xlogy _weight_norm expand expand_as full_like
ones_like zeros_like
"""
SAME = """
_log_softmax _softmax _to_copy alias clone contiguous detach fill lift_fresh lift_fresh_copy
log_softmax softmax to type_as zero
"""
REDUCED = """
all amax amin any linalg_vector_norm logsumexp max.default mean min.default norm std sum var
"""
UPSAMPLING = "bicubic2d bilinear2d linear1d nearest1d nearest2d nearest3d trilinear3d"
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE.split(), elementwise),
    **dict.fromkeys(SAME.split(), same),
    **dict.fromkeys(REDUCED.split(), reduced),
    **dict.fromkeys(("dropout", "feature_dropout", "alpha_dropout"), dropout),
    **dict.fromkeys(("cumsum", "cumprod", "flip"), positional),
    **dict.fromkeys(("tril", "triu"), last_two_fixed),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), matmul),
    **dict.fromkeys(("addmm", "baddbmm"), added_product),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), convolution),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), transposed_convolution
    ),
    **{
        f"{kind}{d}d": spatial
        for d in (1, 2, 3)
        for kind in ("max_pool", "avg_pool", "adaptive_avg_pool")
    },
    **{f"upsample_{kind}": resized for kind in UPSAMPLING.split()},
    **dict.fromkeys(("batch_norm", "instance_norm"), channel_norm),
    **dict.fromkeys(("layer_norm", "rms_norm"), layer_norm),
    **dict.fromkeys(("zeros", "ones", "full", "new_zeros", "new_ones", "new_full"), constant),
    "einsum": einsum,
    "embedding": embedding,
    "glu": glu,
    "group_norm": group_norm,
    "linear": linear,
    "prelu": prelu,
    "scaled_dot_product_attention": attention,
}
"""By ATen's name without the underscore of those that work in place, or with the overload."""
