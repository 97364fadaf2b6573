"""What a task is to whoever runs it: its outcome, and what it says on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from landscape.errors import LandscapeError

T = TypeVar("T")
R = TypeVar("R")
Listener = Callable[[int, Any], None]
"""``listener(index, value)``: what task ``index`` said with `report`."""

_sender: ContextVar[Callable[[Any], None] | None] = ContextVar("_sender", default=None)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """How one task ended: with a result or with an error."""

    index: int
    result: R | None = None
    error: str | None = None
    """What went wrong, in one line; None if nothing did."""


def report(value: Any) -> None:
    """Say how far the running task is, to whoever runs it; outside of tasks nothing happens.

    Plain values only: numbers, text, lists. Raises KeyboardInterrupt where the task is to stop.
    """
    if (send := _sender.get()) is not None:
        send(value)


def reporting() -> bool:
    """Whether this is a task that somebody listens to."""
    return _sender.get() is not None


class Workers(ABC):
    """Runs tasks; made by `landscape.cluster.workers`."""

    count: int
    """How many tasks run at a time."""

    @abstractmethod
    def threads(self, available: int) -> int:
        """How many threads each task may use, of so many ``available`` on this machine."""

    @abstractmethod
    def run(
        self, function: Callable[[T], R], tasks: Sequence[T], listener: Listener | None = None
    ) -> Iterator[Outcome[R]]:
        """Call ``function(task)`` for each task, yielding outcomes as they come.

        A task that fails, or whose process dies, gives an outcome with an error; the others go
        on. Leaving early stops the running ones with a KeyboardInterrupt. Elsewhere than here,
        functions, tasks and results are pickled.
        """


def attempt(index: int, call: Callable[[], R], send: Callable[[Any], None]) -> Outcome[R]:
    """Call it; an error becomes an outcome, a KeyboardInterrupt passes."""
    token = _sender.set(send)
    try:
        return Outcome(index, call())
    except Exception as error:
        return Outcome(index, error=said(error))
    finally:
        _sender.reset(token)


def said(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LandscapeError) else f"{type(error).__name__}: {text}"


def to(listener: Listener | None, index: int) -> Callable[[Any], None]:
    """Where task ``index`` sends its reports."""
    return (lambda value: listener(index, value)) if listener else (lambda value: None)
