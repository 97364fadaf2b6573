from __future__ import annotations

import pytest
import torch

from landscape.errors import LandscapeError
from landscape.problem.device import described, resolve


@pytest.fixture
def there(monkeypatch):
    def set_devices(*names: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)

    return set_devices


@pytest.mark.parametrize(
    ("devices", "expected"),
    [((), "cpu"), (("mps",), "mps"), (("cuda",), "cuda"), (("cuda", "mps"), "cuda")],
)
def test_auto_takes_a_gpu_where_there_is_one(there, devices, expected):
    there(*devices)
    assert resolve("auto") == torch.device(expected)
    assert resolve("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_device_that_is_not_there(there, name):
    there()
    with pytest.raises(LandscapeError) as caught:
        resolve(name)
    assert str(caught.value) == (f"device {name} must be available, this machine has none; use cpu")


def test_unknown_device():
    with pytest.raises(LandscapeError) as caught:
        resolve("tpu")
    assert str(caught.value) == "device must be one of auto, cpu, cuda, mps, got tpu"


def test_of_a_gpu_the_name_is_said_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {device.index}")
    assert described(torch.device("cpu")) == "cpu"
    assert described(torch.device("cuda", 1)) == "cuda:1 (Card 1)"
