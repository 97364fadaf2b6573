"""Files of other programs: read, or refused without running a line of theirs."""

from __future__ import annotations

import argparse
import copy
import pickle
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem.checkpoints import find, read
from landscape.problem.weights import Layout

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(3)}


def refused(path) -> str:
    with pytest.raises(LandscapeError) as caught:
        read(path)
    return str(caught.value)


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, target) -> None:
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


@pytest.mark.parametrize("kind", ["pt", "pth", "ckpt", "bin", "legacy.pt", "npz", "safetensors"])
def test_what_was_saved_is_read(kind, tmp_path):
    path = tmp_path / f"model.{kind}"
    if kind == "npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in TENSORS.items()})
    elif kind == "safetensors":
        save_file(TENSORS, path)
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization="legacy" not in kind)
    found = read(path)
    assert set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


def test_numpy_of_other_byte_order_and_nested_names(tmp_path):
    np.savez(tmp_path / "model.npz", **{"a/weight": np.arange(3, dtype=">f8")[::-1]})
    found = read(tmp_path / "model.npz")
    assert found["a.weight"].tolist() == [2, 1, 0]


def test_a_folder_stands_for_the_file_in_it(tmp_path):
    save_file(TENSORS, tmp_path / "model.safetensors")
    assert torch.equal(read(tmp_path)["a.weight"], TENSORS["a.weight"])
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty") == (
        "a checkpoint's folder must hold one of model.safetensors, pytorch_model.bin, "
        f"diffusion_pytorch_model.safetensors, {tmp_path}/empty doesn't; give the file itself"
    )


@pytest.mark.parametrize("place", ["state_dict", "beside"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused_and_not_run(place, zipped, tmp_path):
    target = tmp_path / "written"
    evil = Malicious(target)
    content = {"state_dict": {"a": evil}} if place == "state_dict" else {**TENSORS, "x": evil}
    path = tmp_path / "evil.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    message = refused(path)
    assert message == (
        f"a checkpoint must hold tensors and plain values alone, {path} needs code to be unpickled "
        "(io.open), which could do anything, so it wasn't loaded; if you trust it, load it "
        "yourself and save its weights with torch.save(model.state_dict(), FILE)"
    )
    assert not target.exists()
    torch.load(path, weights_only=False)  # it would have
    assert target.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_malicious_pickle_is_refused_and_not_run(protocol, tmp_path):
    target = tmp_path / "written"
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Malicious(target), protocol=protocol))
    assert refused(path).startswith("a checkpoint must ")
    assert not target.exists()


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_a_malicious_numpy_file_is_refused_and_not_run(kind, tmp_path):
    target = tmp_path / "written"
    path = tmp_path / f"evil.{kind}"
    array = np.array([Malicious(target)], dtype=object)
    np.savez(path, a=array) if kind == "npz" else np.save(path, array)
    assert refused(path) == (
        "a checkpoint of NumPy must hold plain arrays, written by numpy.save or numpy.savez, got "
        f"{path} (ValueError: Object arrays cannot be loaded when allow_pickle=False)"
    )
    assert not target.exists()


def test_harmless_objects_that_need_code_are_refused_with_their_name(tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": TENSORS, "hparams": argparse.Namespace(lr=1)}, path)
    assert "needs code to be unpickled (argparse.Namespace)" in refused(path)


def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), path)
    assert refused(path) == (
        f"a checkpoint must hold tensors alone, {path} is a TorchScript program, which is code; "
        "save its weights with torch.save(model.state_dict(), FILE)"
    )


@pytest.mark.parametrize("kind", ["pt", "npz", "npy", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02}q"])
def test_a_broken_file_is_refused(kind, content, tmp_path):
    path = tmp_path / f"model.{kind}"
    path.write_bytes(content)
    message = refused(path)
    assert re.match(r"a checkpoint .*must (be|hold) ", message), message
    assert str(path) in message
    assert "\n" not in message


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    assert refused(path).startswith(f"a checkpoint must be what torch.save wrote, got {path} (")


def test_a_whole_model_or_a_list_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.save([torch.zeros(1)], path)
    assert refused(path) == (
        f"a checkpoint must hold a state_dict, got list in {path}; "
        "save it with torch.save(model.state_dict(), FILE)"
    )
    torch.save(nn.Linear(1, 1), path)
    assert "needs code to be unpickled (torch.nn.modules.linear.Linear)" in refused(path)


def test_another_format_or_no_file(tmp_path):
    (tmp_path / "model.h5").touch()
    assert refused(tmp_path / "model.h5") == (
        "a checkpoint must be one of .pt, .pth, .ckpt, .bin, .safetensors, .npz, .npy, got "
        f"{tmp_path}/model.h5; save its state_dict as one of these"
    )
    assert refused(tmp_path / "none.pt") == (
        f"a checkpoint must be an existing file, got {tmp_path}/none.pt"
    )


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
def test_a_lone_vector(name, model, blank):
    found = find({name: torch.from_numpy(vector(model)).double()}, blank, "file")
    np.testing.assert_array_equal(found.weights, vector(model))
    np.testing.assert_array_equal(found.buffers["1.running_mean"], np.zeros(3))


def test_a_vector_of_another_length(blank):
    with pytest.raises(LandscapeError) as caught:
        find({"weights": torch.zeros(7)}, blank, "w.npy")
    assert str(caught.value) == (
        "a lone array must hold all 29 parameters of the model as one vector, got shape (7,) "
        "in w.npy"
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
