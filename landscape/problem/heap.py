"""Memory that a batch gave back stays with the process, for the next batch."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""
LARGEST, LARGEST_OLD = 2**26, 2**25
"""Smaller blocks come from the heap (bytes); glibc before 2.36 takes no more than 32 MiB."""


def keep() -> bool:
    """Have the C library keep freed memory; return whether it is one that can be told to.

    By default glibc hands large blocks back to the system as soon as they are free, and each batch
    gets its tensors as new pages, one fault every 4 kB: up to a third of a scan's time, 8 % of a
    training's. Instead the process keeps what it needed at most, and a few blocks' size more: one
    may not fit where one of its size was.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # not glibc: another allocator with habits of its own
        return False
    kept = mallopt(MMAP_THRESHOLD, LARGEST) or mallopt(MMAP_THRESHOLD, LARGEST_OLD)
    return bool(kept and mallopt(TRIM_THRESHOLD, 2**31 - 1))
