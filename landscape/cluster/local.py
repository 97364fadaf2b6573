"""Tasks in this process, one after another, or in processes of this machine."""

from __future__ import annotations

import contextlib
import errno
import importlib
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from landscape.cluster.tasks import Listener, Outcome, R, T, Workers, attempt, said, to

STOP_SECONDS = 30.0
"""How long processes may take to put away what they have when they are told to stop."""
AGAIN_SECONDS = 10.0


class Here(Workers):
    """This process."""

    count = 1

    def threads(self, available: int) -> int:
        """See `Workers`."""
        return available

    def share(self, content: bytes) -> Any:
        """See `Workers`."""
        return content

    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        listener: Listener | None = None,
        *,
        shared: Any = None,
    ) -> Iterator[Outcome[R]]:
        """See `Workers`."""
        for index, task in enumerate(tasks):
            yield attempt(index, partial(function, task), to(listener, index), lambda: shared)


class Processes(Workers):
    """New processes (not forks: torch's threads don't survive one), each kept for many tasks."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: list[_Process] = []
        self._running: dict[Connection, tuple[_Process, int]] = {}
        self._files = tempfile.TemporaryDirectory(prefix="landscape-")

    def share(self, content: bytes) -> Any:
        """See `Workers`: a file that they read."""
        file = Path(self._files.name, str(uuid.uuid4()))
        file.write_bytes(content)
        return file

    def start(self, module: str) -> None:
        """See `Workers`."""
        missing = self.count - len(self._idle) - len(self._running)
        self._idle += [_Process(self._files.name, module) for _ in range(missing)]

    def close(self) -> None:
        """See `Workers`."""
        _end(self._idle, [])
        self._idle = []
        self._files.cleanup()

    def stop(self) -> None:
        """Stop what runs, from another thread than that which waits for it: its tasks are lost."""
        for process, _ in list(self._running.values()):
            process.process.terminate()

    def threads(self, available: int) -> int:
        """See `Workers`."""
        return max(1, available // self.count)

    def run(
        self,
        function: Callable[[T], R],
        tasks: Sequence[T],
        listener: Listener | None = None,
        *,
        shared: Any = None,
    ) -> Iterator[Outcome[R]]:
        """See `Workers`; processes stay until `close`."""
        waiting = deque(enumerate(tasks))
        idle = self._idle
        running = self._running = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.count:
                    index, task = waiting[0]
                    content = pickle.dumps((function, task, shared))
                    process = idle.pop() if idle else _Process(self._files.name)
                    if not process.send((index, content)):
                        continue  # it died while it was idle
                    waiting.popleft()
                    running[process.pipe] = process, index
                for pipe in wait(list(running)):
                    assert isinstance(pipe, Connection)
                    process, index = running[pipe]
                    message = process.receive(index)
                    if not isinstance(message, Outcome):
                        to(listener, index)(message)
                        continue
                    del running[pipe]
                    if process.alive:
                        idle.append(process)
                    yield message
        finally:
            _end([], [process for process, _ in running.values()])


class _Process:
    def __init__(self, files: str, module: str | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, files, module))
        # Blocked until it can take it: a Ctrl-C while it starts would print a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # so that its death is the end of the pipe
        self.alive = True

    def send(self, message: Any) -> bool:
        """Whether the process is there to take it."""
        try:
            self.pipe.send(message)
        except OSError:
            self.pipe.close()
            self.process.join()
            return False
        return True

    def receive(self, index: int) -> Any:
        """The next message; an `Outcome` that says so if the process died."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            self.alive = False
            return Outcome[Any](index, error=f"its process {self._end()}", lost=True)

    def _end(self) -> str:
        code = self.process.exitcode or 0
        if code == errno.ENOMEM:
            return "had no memory left"
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _serve(pipe: Connection, files: str, module: str | None) -> None:
    """What a process does: import a module, then tasks from the pipe until it ends.

    ``files`` is the parent's folder of what tasks share.
    """
    # Ctrl-C reaches a terminal's whole group; when this process stops is for the parent to say.
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # As SIGINT, which is held off where an exception would get lost (inside of HDF5's calls).
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with contextlib.suppress(KeyboardInterrupt):
        try:
            _work(pipe, files, module)
        except (EOFError, ConnectionError):
            # The parent let all processes go, or was killed and couldn't remove what they share.
            shutil.rmtree(files, ignore_errors=True)
        except MemoryError:  # to read a task or to send a result: there is none to say so either
            sys.exit(errno.ENOMEM)


def _work(pipe: Connection, files: str, module: str | None) -> None:
    try:
        threading.Thread(target=_follow_parent, args=(files,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if module is not None:
            importlib.import_module(module)
    except Exception as error:  # a later one may find more memory
        index, _ = pipe.recv()
        pipe.send(Outcome[Any](index, error=said(error), lost=True))
        return
    while True:
        index, content = pipe.recv()
        outcome = _attempted(index, content, pipe.send)
        try:
            pipe.send(outcome)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            pipe.send(Outcome[Any](index, error=f"its result can't be sent: {error}"))


def _attempted(index: int, content: bytes, send: Callable[[Any], None]) -> Outcome[Any]:
    file: list[Path] = []

    def call() -> Any:  # what can't be unpickled here is an error of the task
        function, task, shared = pickle.loads(content)
        file.append(shared)
        return function(task)

    def report(value: Any) -> None:
        try:
            send(value)
        except ConnectionError:
            # Nobody listens any more. That is no error of the task: `_follow_parent` is about to
            # tell it to stop, once, so that it can put away what it has.
            while True:
                time.sleep(0.1)

    return attempt(index, call, report, lambda: file[0].read_bytes())


def _follow_parent(files: str) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    # One that was killed couldn't remove it; several of its processes may do so at once.
    shutil.rmtree(files, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)


def _end(idle: Sequence[_Process], running: Sequence[_Process]) -> None:
    """Let idle processes go, and stop the others once they have put away what they did."""
    try:
        for process in idle:
            process.pipe.close()
        deadline = time.monotonic() + STOP_SECONDS
        # Told again if need be: an exception raised inside of a destructor is lost.
        for until in (deadline - STOP_SECONDS + AGAIN_SECONDS, deadline):
            for process in running:
                process.process.terminate()
            for process in (*idle, *running):
                process.process.join(max(0.0, until - time.monotonic()))
    finally:
        for process in (*idle, *running):
            process.process.kill()
            process.process.join()
            process.pipe.close()
