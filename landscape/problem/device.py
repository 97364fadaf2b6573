"""Where to compute."""

from __future__ import annotations

import torch

from landscape.errors import LandscapeError

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve(name: str) -> torch.device:
    """The device called auto, cpu, cuda or mps; auto takes a GPU where there is one.

    Raises:
        LandscapeError: another name, or this machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, there in available.items() if there))
    if name not in DEVICES:
        raise LandscapeError(f"device must be one of {', '.join(DEVICES)}, got {name}")
    if not available[name]:
        raise LandscapeError(f"device {name} must be available, this machine has none; use cpu")
    return torch.device(name)


def described(device: torch.device) -> str:
    """What a file says of it: ``cpu``, or of a GPU its name too, ``cuda:0 (NVIDIA H200)``."""
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"
