from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem import models


def count(model: nn.Module) -> int:
    return sum(tensor.numel() for tensor in model.parameters())


# Weights and biases, added up by hand.
@pytest.mark.parametrize(
    ("name", "shape", "classes", "options", "parameters"),
    [
        # 1·16·9 + 16, three times 16·16·9 + 16, 16·4·4·64 + 64, 64·10 + 10
        ("cnn", (1, 8, 8), 10, {}, 24_218),
        ("cnn", (1, 8, 8), 10, {"depth": 2}, 160 + 2_320 + 16_448 + 650),
        ("cnn", (3, 7, 5), 4, {"depth": 1, "width": 2}, 56 + (2 * 3 * 2 * 64 + 64) + 260),
        ("mlp", (2,), 2, {}, 192 + 4_160 + 130),
        ("mlp", (1, 28, 28), 10, {"depth": 1, "width": 32}, 784 * 32 + 32 + 330),
        # He et al.'s ResNets with 512 + 64 and 2048 + 128 for the two projections.
        ("resnet20", (3, 32, 32), 10, {}, 272_474),
        ("resnet56", (3, 32, 32), 10, {}, 855_770),
        ("resnet20", (3, 32, 32), 10, {"shortcut": False}, 272_474 - 2_752),
        ("resnet20", (1, 8, 8), 10, {}, 272_474 - 2 * 16 * 9),
    ],
)
def test_parameters(name, shape, classes, options, parameters):
    model = models.make(name, shape, classes, **options)
    assert count(model) == parameters
    assert model(torch.rand(3, *shape)).shape == (3, classes)


@pytest.mark.parametrize("name", models.MODELS)
def test_same_seed_same_weights(name):
    vectors = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = models.make(name, (1, 8, 8), 10)
        vectors.append(nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])


def test_cnn_computes_what_its_description_says():
    model = models.make("cnn", (2, 5, 6), 3, depth=2, width=4).double()
    images = torch.rand(2, 2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = [tensor.detach().numpy() for tensor in model.parameters()]

    values = images.numpy()
    for kernel, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
        padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        values = np.einsum("bchwij,ocij->bohw", windows, kernel) + bias[:, None, None]
        values = np.maximum(values, 0)
    pooled = values[:, :, :4].reshape(2, 4, 2, 2, 3, 2).max(axis=(3, 5))
    hidden = np.maximum(pooled.reshape(2, -1) @ weights[4].T + weights[5], 0)
    logits = hidden @ weights[6].T + weights[7]

    np.testing.assert_allclose(model(images).detach().numpy(), logits, rtol=1e-12)


def test_mlp_computes_what_its_description_says():
    model = models.make("mlp", (2, 3), 4, depth=2, width=5).double()
    inputs = torch.rand(7, 2, 3, dtype=torch.float64)
    w1, b1, w2, b2, w3, b3 = (tensor.detach().numpy() for tensor in model.parameters())
    hidden = np.maximum(inputs.numpy().reshape(7, 6) @ w1.T + b1, 0)
    logits = np.maximum(hidden @ w2.T + b2, 0) @ w3.T + b3
    np.testing.assert_allclose(model(inputs).detach().numpy(), logits, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vgg", {}, "model must be one of mlp, cnn, resnet20, resnet56, got vgg"),
        (
            "mlp",
            {"depth": 0},
            "depth must be at least 1, got 0; leave --depth out for the 2 of model mlp",
        ),
        (
            "resnet56",
            {"width": -3},
            "width must be at least 1, got -3; leave --width out for the 16 of model resnet56",
        ),
        (
            "resnet20",
            {"depth": 4},
            "model resnet20 has a fixed depth, got depth 4; leave --depth out or use --model cnn",
        ),
        (
            "cnn",
            {"shortcut": False},
            "only resnet20 and resnet56 have shortcuts to remove, got model cnn; "
            "leave --no-shortcut out",
        ),
    ],
)
def test_unfit_options_are_refused(name, options, message):
    with pytest.raises(LandscapeError) as caught:
        models.make(name, (1, 8, 8), 10, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "shape", "data", "message"),
    [
        (
            "cnn",
            (2,),
            "moons",
            "model cnn needs images (channels, height, width), "
            "got inputs of shape (2,) from data moons; use --model mlp",
        ),
        (
            "resnet20",
            (28, 28),
            None,
            "model resnet20 needs images (channels, height, width), "
            "got inputs of shape (28, 28); use --model mlp",
        ),
        (
            "resnet56",
            (3, 4, 9),
            "npz:a.npz",
            "model resnet56 needs images of at least 5×5 pixels, "
            "got 4×9 from data npz:a.npz; use --model mlp",
        ),
        (
            "cnn",
            (1, 8, 1),
            None,
            "model cnn needs images of at least 2×2 pixels, got 8×1; use --model mlp",
        ),
    ],
)
def test_unfit_inputs_are_refused(name, shape, data, message):
    with pytest.raises(LandscapeError) as caught:
        models.make(name, shape, 10, data=data)
    assert str(caught.value) == message


def test_smallest_images_train_in_a_batch_of_one():
    # The last batch of an epoch may be a single sample, which BatchNorm refuses for one pixel.
    assert models.make("resnet20", (1, 5, 5), 2).train()(torch.rand(1, 1, 5, 5)).shape == (1, 2)
    assert models.make("cnn", (1, 2, 2), 2).train()(torch.rand(1, 1, 2, 2)).shape == (1, 2)


def plain_resnet20(state: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """He et al.'s ResNet-20 in eval mode, written out from the weights' names."""

    def convolve(x, conv, bn, *, stride=1):
        weight = state[f"{conv}.weight"]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        mean, variance, scale, shift = (
            state[f"{bn}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    x = convolve(images, "conv", "bn").relu()
    for third in (1, 2, 3):
        for index in range(3):
            block = f"third{third}.{index}"
            stride = 2 if third > 1 and index == 0 else 1
            y = convolve(x, f"{block}.conv1", f"{block}.bn1", stride=stride).relu()
            y = convolve(y, f"{block}.conv2", f"{block}.bn2")
            if stride == 2:
                x = convolve(x, f"{block}.shortcut.0", f"{block}.shortcut.1", stride=2)
            x = (x + y).relu()
    return x.mean((2, 3)) @ state["output.weight"].T + state["output.bias"]


def test_resnet20_computes_what_he_et_al_describe():
    torch.manual_seed(0)
    model = models.make("resnet20", (3, 9, 12), 5, width=4).double()
    images = torch.randn(4, 3, 9, 12, dtype=torch.float64)
    model.train()
    model(images)  # Running statistics away from 0 and 1.
    model.eval()
    torch.testing.assert_close(model(images), plain_resnet20(model.state_dict(), images))


@pytest.mark.parametrize("shortcut", [True, False])
def test_without_shortcuts_nothing_passes_a_silent_convolution(shortcut):
    torch.manual_seed(0)
    model = models.make("resnet20", (1, 8, 8), 10, shortcut=shortcut).eval()
    nn.init.zeros_(model.get_submodule("third2.1.bn2").weight)
    outputs = model(torch.randn(2, 1, 8, 8))
    assert torch.equal(outputs[0], outputs[1]) is not shortcut


def test_resnet_starts_kaiming_normal_by_fan_out():
    torch.manual_seed(0)
    model = models.make("resnet20", (3, 32, 32), 10)
    for name, fan_out in (
        ("third1.1.conv2", 16 * 9),
        ("third3.1.conv1", 64 * 9),
        ("third3.0.conv1", 64 * 9),  # Its fan in is 32·9.
        ("third3.0.shortcut.0", 64),
    ):
        weight = model.get_submodule(name).weight
        assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.06)
        assert weight.abs().max() > 3 * weight.std()  # Normal, not uniform.
