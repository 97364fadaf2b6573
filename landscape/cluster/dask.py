"""Tasks on the workers of a Dask cluster that is there already."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from landscape.cluster.tasks import Listener, Outcome, R, T, Workers, attempt, said, to
from landscape.errors import LandscapeError

CONNECT_SECONDS = 15.0
REPORT_SECONDS = 0.5
"""A task's reports are sent on at most this often."""


class Dask(Workers):
    """A scheduler's workers."""

    forgets = True

    def __init__(self, client: Any) -> None:
        self._client = client
        self._threads = client.nthreads()
        self.count = len(self._threads)

    def threads(self, available: int) -> int:  # noqa: ARG002 (theirs, not this machine's)
        """See `Workers`."""
        return int(min(self._threads.values()))

    def share(self, content: bytes) -> Any:
        """See `Workers`: scattered to every worker.

        Raises:
            LandscapeError: there is none, nor comes back in time.
        """
        with _reachable(self._client):
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            return self._client.scatter(content, broadcast=True, hash=False)

    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        listener: Listener | None = None,
        *,
        shared: Any = None,
    ) -> Iterator[Outcome[R]]:
        """See `Workers`.

        Raises:
            LandscapeError: the scheduler is gone.
        """
        with _reachable(self._client):
            yield from self._run(function, tasks, listener, shared)

    def _run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        listener: Listener | None,
        shared: Any,
    ) -> Iterator[Outcome[R]]:
        from distributed import Event, Future

        topic = f"landscape-{uuid.uuid4().hex}"
        messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._client.subscribe_topic(topic, lambda event: messages.put(event[1]))
        futures = {
            self._client.submit(_on_dask, index, function, task, topic, shared, pure=False): index
            for index, task in enumerate(tasks)
        }
        missing = set(futures)
        for future in futures:
            future.add_done_callback(messages.put)
        try:
            while missing:
                message = messages.get()
                if isinstance(message, Future):
                    missing.remove(message)
                    yield _dask_outcome(message, futures[message])
                else:
                    to(listener, message[0])(message[1])
        finally:
            if missing:
                Event(f"{topic}-stop", client=self._client).set()
            self._client.cancel(list(missing))
            self._client.unsubscribe_topic(topic)


@contextlib.contextmanager
def _reachable(client: Any) -> Iterator[None]:
    from distributed.client import ClosedClientError

    try:
        yield
    except (ClosedClientError, OSError, TimeoutError) as error:
        raise LandscapeError(
            f"a scheduler must be there until the end, {client.scheduler.address} and its workers "
            "aren't any more; start them again, then the command (a scan's with --resume)"
        ) from error


def _dask_outcome(future: Any, index: int) -> Outcome[Any]:
    if future.status == "finished":
        outcome: Outcome[Any] = future.result()
        return outcome
    from distributed import KilledWorker

    error = future.exception() if future.status == "error" else None
    lost = error is None or isinstance(error, KilledWorker)
    text = said(error) if error else f"the cluster says: {future.status}"
    return Outcome(index, error=text, lost=lost)


# A worker with several threads would run several tasks in one process, which share torch's
# random state and number of threads.
_one_at_a_time = threading.Lock()


def _on_dask(
    index: int, function: Callable[[T], R], task: T, topic: str, shared: bytes
) -> Outcome[R]:
    from distributed import Event, get_client, get_worker

    worker, stop = get_worker(), Event(f"{topic}-stop", client=get_client())
    sent = 0.0

    def send(value: Any) -> None:
        nonlocal sent
        if time.monotonic() - sent < REPORT_SECONDS:
            return
        sent = time.monotonic()
        worker.log_event(topic, [index, value])
        if stop.is_set():
            raise KeyboardInterrupt

    with _one_at_a_time:
        try:
            return attempt(index, lambda: function(task), send, lambda: shared)
        except KeyboardInterrupt:  # let through, it would end the worker
            return Outcome(index, error="interrupted")


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address.

    Raises:
        LandscapeError: Dask isn't installed, nobody is there, or it has no workers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise LandscapeError(
            "a scheduler needs Dask, which isn't installed; "
            "install it with pip install 'sgd-landscape[distributed]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise LandscapeError(
            f"scheduler must be the address of a running Dask scheduler, got {address}; "
            "start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise LandscapeError(
                f"scheduler must have workers, {address} has none; "
                f"start some with `dask worker {address}`"
            ) from error
        yield client
