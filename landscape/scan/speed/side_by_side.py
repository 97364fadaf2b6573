"""Points side by side: a copy of the model a thread, each at points of its own.

Kernels that share one point out among threads wait for each other after every operation.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


class Lanes(Generic[T]):
    """Runs work in as many threads as there are ``things``, each call with one of them to itself.

    Each thread computes on one core. The results don't depend on who does what.
    """

    def __init__(self, things: list[T]) -> None:
        self._free: queue.SimpleQueue[T] = queue.SimpleQueue()
        for thing in things:
            self._free.put(thing)
        before = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(
            len(things), initializer=torch.set_num_threads, initargs=(1,)
        )
        # The setting is a thread's own, but what new threads start with is changed too.
        list(self._pool.map(lambda _: None, things))
        torch.set_num_threads(before)

    def each(self, work: Callable[[T, P], R], parts: Iterable[P]) -> list[R]:
        """Call ``work`` for all parts and wait for what it gives; an error is raised here."""

        def call(part: P) -> R:
            thing = self._free.get()
            try:
                with torch.inference_mode():
                    return work(thing, part)
            finally:
                self._free.put(thing)

        return list(self._pool.map(call, parts))
