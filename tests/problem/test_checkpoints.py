"""A model's weights in what files of other programs hold."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem.checkpoint_files import read
from landscape.problem.checkpoints import find
from landscape.problem.weights import Layout


@pytest.fixture
def model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    net[1].running_mean.normal_()
    return net


@pytest.fixture
def blank(model):
    """The same with other numbers."""
    net = copy.deepcopy(model)
    for tensor in net.state_dict().values():
        tensor.zero_()
    return net


def vector(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach().numpy()


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


NESTINGS = {
    "plain": (lambda s: s, ""),
    "Lightning": (
        lambda s: {
            "epoch": 3,
            "pytorch-lightning_version": "2.6",
            "state_dict": prefixed(s, "net.") | {"metric.total": torch.zeros(1)},
            "optimizer_states": [{"state": {0: {"momentum": torch.zeros(3)}}}],
            "loops": {"fit": {"a": 1}},
        },
        "state_dict/net.",
    ),
    "DataParallel": (lambda s: {"model": prefixed(s, "module.")}, "model/module."),
    "compiled": (lambda s: prefixed(s, "_orig_mod."), ""),
    "compiled inside": (lambda s: prefixed(s, "net._orig_mod."), "net."),
    "moving average beside it": (
        lambda s: {"ema": {k: v * 0 for k, v in s.items()}, "model": s},
        "model",
    ),
    "deep": (lambda s: {"checkpoint": {"model": s}}, "checkpoint.model"),
    "half precision": (
        lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
        "",
    ),
}


@pytest.mark.parametrize("name", NESTINGS)
def test_found_wherever_it_is(name, model, blank):
    nest, place = NESTINGS[name]
    found = find(nest(model.state_dict()), blank, "file")
    tolerance = 1e-3 if name == "half precision" else 0
    np.testing.assert_allclose(found.weights, vector(model), rtol=tolerance, atol=tolerance)
    assert found.weights.dtype == np.float32
    running = model[1].running_mean.numpy()
    np.testing.assert_allclose(found.buffers["1.running_mean"], running, rtol=tolerance)
    assert found.buffers["1.num_batches_tracked"].shape == ()
    assert found.found_in == place


def test_a_key_chooses(model, blank):
    tree = {"ema": {k: v * 2 for k, v in model.state_dict().items()}, "model": model.state_dict()}
    np.testing.assert_array_equal(find(tree, blank, "f", key="ema").weights, 2 * vector(model))
    with pytest.raises(LandscapeError) as caught:
        find(tree, blank, "f.pt", key="best")
    assert str(caught.value) == "key must be a mapping in f.pt, got best; there are ema, model"


def test_the_problems_model_may_be_a_wrapper(model, blank):
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ModuleDict({"net": blank})

    found = find(model.state_dict(), Wrapper(), "file")
    np.testing.assert_array_equal(found.weights, vector(model))


@pytest.mark.parametrize("name", ["weights", "anything"])
def test_a_lone_vector(name):
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    found = find({name: torch.from_numpy(vector(model)).double()}, copy.deepcopy(model), "file")
    np.testing.assert_array_equal(found.weights, vector(model))


def test_a_vector_lacks_the_statistics_of_batchnorm(model, blank):
    with pytest.raises(LandscapeError, match=r"needs those of its weights, w\.npy holds weights"):
        find({"weights": torch.from_numpy(vector(model))}, blank, "w.npy")


def test_a_vector_of_another_length(blank):
    with pytest.raises(LandscapeError) as caught:
        find({"weights": torch.zeros(7)}, blank, "w.npy")
    assert str(caught.value) == (
        "a lone array must hold all 29 parameters of the model as one vector of real numbers, "
        "got float32 of shape (7,) in w.npy"
    )


def test_a_tensor_shared_by_two_modules():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(5, 3)
            self.head = nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight

    model, other = Tied(), Tied()
    for keep in (["embed.weight", "head.weight"], ["embed.weight"], ["head.weight"]):
        state = {name: model.state_dict()[name] for name in keep}
        np.testing.assert_array_equal(find(state, other, "file").weights, vector(model))


def test_an_old_checkpoint_without_the_counter(model, blank):
    state = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    np.testing.assert_array_equal(find(state, blank, "file").weights, vector(model))


def test_everything_that_does_not_fit_is_named(model):
    state = dict(model.state_dict())
    del state["0.bias"], state["1.running_var"]
    state |= {"2.weight": torch.zeros(3, 2), "3.weight": torch.zeros(1), "3.bias": torch.zeros(2)}
    with pytest.raises(LandscapeError) as caught:
        find({"state_dict": prefixed(state, "net.")}, model, "old.ckpt")
    assert str(caught.value) == (
        "a checkpoint must hold the model's tensors, old.ckpt has missing: 0.bias (3,), "
        "1.running_var (3,); unexpected: 3.weight (1,), 3.bias (2,); "
        "of another shape: 2.weight (3, 2) instead of (2, 3)"
    )


def test_another_model_is_refused_with_the_first_few_names():
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(4)))
    with pytest.raises(LandscapeError) as caught:
        find({"x": torch.zeros(2)}, model, "file.pt")
    assert str(caught.value) == (
        "a checkpoint must hold the model's tensors, file.pt has missing: 0.weight (1, 1), "
        "0.bias (1,), 1.weight (1, 1), 1.bias (1,), 2.weight (1, 1) and 3 more; "
        "unexpected: x (2,)"
    )


def test_no_tensors(model):
    with pytest.raises(LandscapeError) as caught:
        find({"epoch": 3, "config": {"lr": 1}}, model, "file.pt")
    assert str(caught.value) == "a checkpoint must hold tensors by name, file.pt holds none"


def test_weights_that_are_no_real_numbers(model):
    state = {k: v.to(torch.int8) for k, v in model.state_dict().items()}
    with pytest.raises(LandscapeError) as caught:
        find(state, model, "q.pt")
    assert str(caught.value) == "weights must be numbers, 0.weight is torch.int8 in q.pt"


class Outer(nn.Module):
    """Holds what is trained, and is called in another way."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.net = inner


def test_wrappers_inside_the_model(model, blank):
    """Some of its parts in DataParallel when it was saved, or now."""
    state = model.state_dict()
    for wrapper in ("module.", "_orig_mod.", "_fsdp_wrapped_module."):
        inside = {name.replace("1.", f"1.{wrapper}"): value for name, value in state.items()}
        for nested in (inside, prefixed(inside, "net."), prefixed(inside, "module.")):
            np.testing.assert_array_equal(find(nested, blank, "file").weights, vector(model))
    parallel = nn.Sequential(nn.DataParallel(nn.Sequential(*blank[:2])), blank[2])
    plain = nn.Sequential(nn.Sequential(*model[:2]), model[2])
    np.testing.assert_array_equal(find(plain.state_dict(), parallel, "file").weights, vector(model))


def test_a_part_of_the_model_that_is_called_module():
    torch.manual_seed(0)
    model, other = (
        nn.ModuleDict({"a": nn.Linear(2, 2), "module": nn.ModuleDict({"a": nn.Linear(2, 2)})})
        for _ in range(2)
    )
    np.testing.assert_array_equal(find(model.state_dict(), other, "f").weights, vector(model))


def test_weight_norm_of_old():
    torch.manual_seed(1)
    old = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 3)), nn.Linear(3, 2))
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), nn.Linear(3, 2))
    assert "0.weight_g" in old.state_dict()
    for state in (old.state_dict(), prefixed(old.state_dict(), "net.")):
        found = find(state, new, "file")
        expected = copy.deepcopy(new)
        expected.load_state_dict(old.state_dict())
        np.testing.assert_array_equal(found.weights, vector(expected))


class Renamed(nn.Module):
    """Reads what it saved under another name."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 2)
        self.register_load_state_dict_pre_hook(self._rename)

    @staticmethod
    def _rename(_module, state, prefix, *_):
        for name in ("weight", "bias"):
            if (old := f"{prefix}classifier.{name}") in state:
                state[f"{prefix}head.{name}"] = state.pop(old)


def test_names_that_the_model_translates():
    model = Outer(Renamed())
    state = {f"net.classifier.{name}": p for name, p in model.net.head.state_dict().items()}
    np.testing.assert_array_equal(find(state, Outer(Renamed()), "file").weights, vector(model))


def test_obsolete_buffers_are_left_out_and_named(model, blank):
    blank.register_buffer("mask", torch.zeros(2), persistent=False)
    blank._keys_to_ignore_on_load_unexpected = [r"aux\.\d+\.scale"]
    state = model.state_dict() | {
        "mask": torch.ones(2),
        "0.attn.bias": torch.ones(3, 3, dtype=torch.bool),
        "0.attn.masked_bias": torch.tensor(-1e4),
        "aux.3.scale": torch.ones(1),
    }
    found = find(prefixed(state, "net."), blank, "file")
    np.testing.assert_array_equal(found.weights, vector(model))
    assert found.left_out == ("mask", "0.attn.bias", "0.attn.masked_bias", "aux.3.scale")


def test_others_are_ignored_if_asked_for(model, blank):
    aux = {"aux.a": torch.ones(2), "aux.b": torch.ones(2)}
    state = prefixed({**model.state_dict(), **aux}, "net.")
    found = find(state, blank, "file", ignore=["net.aux.*"])
    np.testing.assert_array_equal(found.weights, vector(model))
    assert found.left_out == ("aux.a", "aux.b")
    with pytest.raises(LandscapeError) as caught:
        find(state, blank, "file", ignore=["aux.*", "ema.*"])
    assert str(caught.value) == (
        "a pattern to ignore must match a tensor of file, ema.* matches none"
    )


def test_what_transformers_saves(tmp_path):
    """GPT-2 with its tied output, in several files, read into a wrapper."""
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=40, n_positions=16, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    torch.manual_seed(0)
    saved = transformers.GPT2LMHeadModel(config)
    for name, size in (("whole", "1GB"), ("parts", "3KB")):
        saved.save_pretrained(tmp_path / name, max_shard_size=size)
    assert (tmp_path / "parts" / "model.safetensors.index.json").is_file()
    for name in ("whole", "parts"):
        tree = read(tmp_path / name)
        assert "lm_head.weight" not in tree
        model = Outer(transformers.GPT2LMHeadModel(config))
        np.testing.assert_array_equal(find(tree, model, name).weights, vector(saved))


def test_frozen_tensors_may_be_left_out_and_must_be_the_models():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    state = {name: value.clone() + 1 for name, value in model.state_dict().items()}
    alone = {name: value for name, value in state.items() if name.startswith("1.")}
    found = find(alone, model, "head.pt")
    expected = torch.cat([state["1.weight"].reshape(-1), state["1.bias"]])
    np.testing.assert_array_equal(found.weights, expected)
    with pytest.raises(LandscapeError) as caught:
        find(state, model, "all.pt")
    assert str(caught.value) == (
        "a checkpoint's frozen tensors must be the model's, all.pt has another 0.weight, 0.bias; "
        "load them in the problem's function, or name them with --parameters"
    )
    named = Layout.of(model, also=["0.weight", "0.bias"])
    found = find(state, model, "all.pt", layout=named)
    assert len(found.weights) == 9
