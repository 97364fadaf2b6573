"""``torch.func.vmap`` without its remarks."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.func import vmap

_functorch: Any = torch._C._functorch
_lock = threading.Lock()
_inside, _before = 0, True
REMARK = re.compile("There is a performance drop")


def mapped(function: Callable[..., Any], in_dims: tuple[int | None, ...]) -> Callable[..., Any]:
    """`torch.func.vmap`, silent about operations that it does one by one.

    It asks for an issue at PyTorch's then, to whoever scans a model with such an operation; how
    fast that is, is timed here, and another strategy taken where it is slow.
    """
    global _before
    with _lock:
        if not _inside:  # as it is before a scan: trying takes as long as a small network's tile
            _before = _is_on()
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
            _functorch._set_vmap_fallback_warning_enabled(_before and not _inside)


def _is_on() -> bool:
    """Whether the switch is on: it can't be asked, only tried."""
    if _remarks():
        return True
    _functorch._set_vmap_fallback_warning_enabled(True)
    found = _remarks()
    _functorch._set_vmap_fallback_warning_enabled(False)
    # Where the operation isn't one that PyTorch does one by one any more: as it is by default.
    return not found


def _remarks() -> bool:
    """Whether an operation that vmap does one by one is remarked upon."""
    before = warnings.filters
    raised: Any = ("error", REMARK, UserWarning, None, 0)
    # Another list, and no word of it to `warnings`, which would show all others anew.
    warnings.filters = [raised, *before]
    try:
        vmap(lambda one: torch.histc(one, 2))(torch.zeros(1, 1, device="cpu"))
    except UserWarning:
        return True
    finally:
        warnings.filters = before
    return False
