"""``torch.func.vmap`` without its remarks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.func import vmap

_functorch: Any = torch._C._functorch
_lock = threading.Lock()
_inside = 0


def mapped(function: Callable[..., Any], in_dims: tuple[int | None, ...]) -> Callable[..., Any]:
    """`torch.func.vmap`, silent about operations that it does one by one.

    It asks for an issue at PyTorch's then, to whoever scans a model with such an operation; how
    fast that is, is timed here, and another strategy taken where it is slow.
    """
    run = vmap(function, in_dims=in_dims)

    def called(*given: Any) -> Any:
        with _unremarked():
            return run(*given)

    return called


@contextmanager
def _unremarked() -> Iterator[None]:
    # PyTorch's own switch, which is the process's, so that the last thread to leave puts it back.
    # Not a filter of Python's: leaving one has every other warning shown anew.
    global _inside
    with _lock:
        _inside += 1
        _functorch._set_vmap_fallback_warning_enabled(False)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            _functorch._set_vmap_fallback_warning_enabled(not _inside)
