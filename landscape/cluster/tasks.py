"""What a task is to whoever runs it: its outcome, and what it says on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from landscape.errors import LandscapeError

T = TypeVar("T")
R = TypeVar("R")
Listener = Callable[[int, Any], None]
"""``listener(index, value)``: what task ``index`` said with `report`."""

_sender: ContextVar[Callable[[Any], None] | None] = ContextVar("_sender", default=None)
_shared: ContextVar[Callable[[], bytes] | None] = ContextVar("_shared", default=None)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """How one task ended: with a result or with an error.

    >>> from landscape.cluster import workers
    >>> with workers() as pool:
    ...     good, bad = pool.run(int, ["3", "three"])
    >>> good
    Outcome(index=0, result=3, error=None, lost=False)
    >>> bad.result, bad.error
    (None, "ValueError: invalid literal for int() with base 10: 'three'")
    """

    index: int
    result: R | None = None
    error: str | None = None
    """What went wrong, in one line; None if nothing did."""
    lost: bool = field(default=False, compare=False)
    """Whether the worker was lost, which says nothing about the task: another may do it."""


def report(value: Any) -> None:
    """Say how far the running task is, to whoever runs it; outside of tasks nothing happens.

    Plain values only: numbers, text, lists. Raises KeyboardInterrupt where the task is to stop.

    >>> from landscape.cluster import workers
    >>> def halfway(task):
    ...     report(0.5)
    ...     return task
    >>> heard = []
    >>> with workers() as pool:
    ...     done = list(pool.run(halfway, ["a"], lambda index, value: heard.append((index, value))))
    >>> heard, done[0].result
    ([(0, 0.5)], 'a')
    """
    if (send := _sender.get()) is not None:
        send(value)


def reporting() -> bool:
    """Whether this is a task that somebody listens to.

    Where nobody does, what would be reported needn't be computed.

    >>> reporting()
    False
    >>> from landscape.cluster import workers
    >>> with workers() as pool:
    ...     [outcome.result for outcome in pool.run(lambda task: reporting(), [0])]
    [True]
    """
    return _sender.get() is not None


def shared() -> bytes:
    """What the running task shares with the others, as it was given to `Workers.share`.

    Large content goes to each worker once and not with each task.

    Raises:
        RuntimeError: no task runs, or it was run without.

    >>> from landscape.cluster import workers
    >>> with workers() as pool:
    ...     table = pool.share(b"much")
    ...     [outcome.result for outcome in pool.run(lambda k: shared()[k:], [0, 2], shared=table)]
    [b'much', b'ch']
    """
    read = _shared.get()
    if read is None:
        raise RuntimeError("there is nothing shared outside of tasks that were run with it")
    return read()


class Workers(ABC):
    """Runs tasks; made by `landscape.cluster.workers`.

    What a task does is the same wherever it runs: here, in processes, on a cluster.

    >>> from landscape.cluster import workers
    >>> with workers() as pool:
    ...     pool.count, [outcome.result for outcome in pool.run(len, ["a", "ab"])]
    (1, [1, 2])
    """

    count: int
    """How many tasks run at a time."""
    forgets = False
    """Whether what was shared may be gone with those that were lost."""

    @abstractmethod
    def threads(self, available: int) -> int:
        """How many threads each task may use, of so many ``available`` on this machine."""

    @abstractmethod
    def share(self, content: bytes) -> Any:
        """Put ``content`` where all workers have it, once; what `run` takes as ``shared``."""

    def start(self, module: str) -> None:  # noqa: B027 (most are there already)
        """Begin to start them, and to import ``module`` there, while other work is done here."""

    def close(self) -> None:  # noqa: B027 (most have nothing to close)
        """Let everything go that is kept between runs."""

    @abstractmethod
    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        listener: Listener | None = None,
        *,
        shared: Any = None,
    ) -> Iterator[Outcome[R]]:
        """Call ``function(task)`` for each task, yielding outcomes as they come.

        A task that fails, or whose process dies, gives an outcome with an error; the others go
        on. Leaving early stops the running ones with a KeyboardInterrupt. Elsewhere than here,
        functions, tasks and results are pickled. ``shared`` comes from `share`; a task reads it
        with `landscape.cluster.shared`.
        """


def attempt(
    index: int,
    call: Callable[[], R],
    send: Callable[[Any], None],
    read: Callable[[], bytes] | None = None,
) -> Outcome[R]:
    """Call it; an error becomes an outcome, a KeyboardInterrupt passes.

    ``read`` gets what the task shares with others.
    """
    token, other = _sender.set(send), _shared.set(read)
    try:
        return Outcome(index, call())
    except Exception as error:
        return Outcome(index, error=said(error))
    finally:
        _sender.reset(token)
        _shared.reset(other)


def said(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LandscapeError) else f"{type(error).__name__}: {text}"


def to(listener: Listener | None, index: int) -> Callable[[Any], None]:
    """Where task ``index`` sends its reports."""
    return (lambda value: listener(index, value)) if listener else (lambda value: None)
