"""Files of other programs: read, or refused without running a line of theirs."""

from __future__ import annotations

import argparse
import datetime
import json
import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem.checkpoint_files import read

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
    torch.save({"state_dict": TENSORS, "hparams": datetime.date(2026, 1, 1)}, path)
    assert "needs code to be unpickled (datetime.date)" in refused(path)


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
        f"a checkpoint must be what torch.save, safetensors or NumPy wrote, got {tmp_path}/model.h5"
        ", which begins otherwise; save its state_dict by one of these"
    )
    assert refused(tmp_path / "none.pt") == (
        f"a checkpoint must be an existing file, got {tmp_path}/none.pt"
    )


@pytest.mark.parametrize(
    "name", ["checkpoint_1.pth.tar", "model_300.t7", "weights", "w.npz", "w.pt"]
)
@pytest.mark.parametrize("kind", ["torch", "legacy", "safetensors", "npz"])
def test_what_a_file_is_its_content_says(name, kind, tmp_path):
    path = tmp_path / name
    if kind == "safetensors":
        save_file(TENSORS, path)
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, **{name: tensor.numpy() for name, tensor in TENSORS.items()})
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=kind == "torch")
    found = read(path)
    assert set(found) == set(TENSORS)
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize("zipped", [True, False])
def test_plain_values_beside_the_tensors_are_read_as_data(zipped, tmp_path):
    beside = {
        "best": np.float64(0.25),
        "epoch": np.int32(7),
        "done": np.bool_(True),
        "half": np.float16(0.5),
        "args": argparse.Namespace(lr=0.1, layers=[1, 2], nested=argparse.Namespace(a="b")),
    }
    path = tmp_path / "model.pth"
    torch.save({"state_dict": TENSORS, **beside}, path, _use_new_zipfile_serialization=zipped)
    found = read(path)
    assert torch.equal(found["state_dict"]["a.weight"], TENSORS["a.weight"])
    assert [found[name] for name in ("best", "epoch", "done", "half")] == [0.25, 7, True, 0.5]
    assert found["args"] == {"lr": 0.1, "layers": [1, 2], "nested": {"a": "b"}}
    assert type(found["best"]) is float


class Posing:
    """Pretends to be something harmless, with content that isn't."""

    def __init__(self, made, *arguments) -> None:
        self.made, self.arguments = made, arguments

    def __reduce__(self):
        return self.made, self.arguments


@pytest.mark.parametrize(
    "content",
    [
        Posing(np.dtype, "O"),
        Posing(np.dtype, "V1000000000"),
        Posing(np.dtype, [("a", "f8")]),
        np.array(["text"])[0],
        np.zeros(3),
    ],
    ids=["object", "void", "record", "text", "array"],
)
def test_other_content_of_numpy_is_refused(content, tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"state_dict": TENSORS, "x": content}, path)
    assert refused(path).startswith("a checkpoint must ")


def sharded(folder, names=("one.safetensors", "two.safetensors")):
    folder.mkdir()
    for name, (key, tensor) in zip(names, TENSORS.items(), strict=True):
        if "/" not in name:
            save_file({key: tensor}, folder / name)
    index = {"metadata": {}, "weight_map": dict(zip(TENSORS, names, strict=True))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_a_model_in_several_files_is_read_by_its_index(tmp_path):
    folder = sharded(tmp_path / "folder")
    for path in (folder, folder / "model.safetensors.index.json"):
        found = read(path)
        assert set(found) == set(TENSORS)
        assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())
    (folder / "two.safetensors").unlink()
    assert refused(folder) == (
        f"a checkpoint must be an existing file, got {folder / 'two.safetensors'}"
    )
    save_file({"other": torch.zeros(1)}, folder / "two.safetensors")
    index = folder / "model.safetensors.index.json"
    assert refused(folder) == (
        f"a checkpoint must be whole, {index} names a.count in two.safetensors, "
        "which doesn't hold it"
    )
    index.write_text("{}")
    assert refused(folder) == (
        f"a checkpoint's index must be JSON with a weight_map, got {index} (KeyError: 'weight_map')"
    )


def test_an_index_names_files_beside_it_only(tmp_path):
    save_file(TENSORS, tmp_path / "outside.safetensors")
    folder = sharded(tmp_path / "folder", ("one.safetensors", "../outside.safetensors"))
    assert refused(folder) == (
        f"a checkpoint's files must lie beside {folder / 'model.safetensors.index.json'}, "
        "it names ../outside.safetensors"
    )


def test_an_adapter_says_what_it_needs(tmp_path):
    save_file(TENSORS, tmp_path / "adapter_model.safetensors")
    message = (
        f"a checkpoint must hold all weights, {tmp_path} holds an adapter alone "
        "(adapter_model.safetensors), which needs its base weights{}; put it onto its model and "
        "save all of them with torch.save(model.state_dict(), FILE)"
    )
    assert refused(tmp_path) == message.format("")
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "some/model"}')
    assert refused(tmp_path) == message.format(" (some/model)")


def test_an_archive_of_a_version_that_python_does_not_know_is_left_to_torch(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.ones(2)}, path)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 6] = 166  # the version that is needed to extract
    path.write_bytes(content)
    with pytest.raises(NotImplementedError):
        zipfile.ZipFile(path)
    assert read(path)["a"].tolist() == [1.0, 1.0]
