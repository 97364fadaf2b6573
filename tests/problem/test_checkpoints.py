"""Files of other programs: read, or refused without running a line of theirs."""

from __future__ import annotations

import argparse
import pickle
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem.checkpoints import read

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
