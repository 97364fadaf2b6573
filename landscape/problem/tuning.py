"""What costs torch time although it isn't torch's work: page faults, and NumPy's idle threads."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import ThreadpoolController

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""
LARGEST, LARGEST_OLD = 2**26, 2**25
"""Smaller blocks come from the heap (bytes); glibc before 2.36 takes no more than 32 MiB."""
OWN_BLAS = ("numpy", "scipy")
"""Packages with an OpenBLAS of their own, beside torch's threads."""


def tune() -> None:
    """Leave the processor to torch: for whatever computes for long, called once it starts.

    What freed tensors took stays with the process from now on, what was free before goes back, and
    NumPy's and SciPy's linear algebra takes one thread. Threads of torch are left as they are.
    """
    if keep_freed():
        hand_back()
    for library in ThreadpoolController().lib_controllers:
        if library.internal_api == "openblas" and any(
            name in library.filepath for name in OWN_BLAS
        ):
            # After each call its threads spin for a while; products of the Hessian, between which
            # Lanczos orthogonalizes by NumPy, took twice as long.
            library.set_num_threads(1)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Have torch compute with so many threads inside, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed() -> bool:
    """Have the C library keep freed memory; return whether it is one that can be told to.

    By default glibc hands large blocks back to the system as soon as they are free, and each batch
    gets its tensors as new pages, one fault every 4 kB: up to a third of a scan's time, about a
    tenth of a training's. Instead the process keeps what it needed at most, and a few blocks' size
    more: one may not fit where one of its size was.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # not glibc: another allocator with habits of its own
        return False
    kept = mallopt(MMAP_THRESHOLD, LARGEST) or mallopt(MMAP_THRESHOLD, LARGEST_OLD)
    return bool(kept and mallopt(TRIM_THRESHOLD, 2**31 - 1))


def hand_back() -> None:
    """Give the system what is free after all: between two stages that take different blocks.

    What one has left in pieces the next one would take anew beside them.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
