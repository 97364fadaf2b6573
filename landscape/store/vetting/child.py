"""Reading files that may do harm in a child process, with a limit on its memory and its time.

One helper process is started when the first such file comes; for each request it forks a child,
which may crash, fill its memory or run out of time, and nothing worse comes of it than an answer
that says so. What the child does says `landscape.store.vetter`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from landscape.store.vetting.remedies import remedy

MODULE = "landscape.store.vetter"
ENVIRONMENT = "LANDSCAPE_VETTER"
"""Set in the helper: what runs there opens files without asking for a helper of its own."""


def inside() -> bool:
    """Whether this process is such a child."""
    return ENVIRONMENT in os.environ


def vet(paths: Sequence[Path]) -> None:
    """Have a child read files to their end.

    Raises:
        LandscapeError: it says what is wrong with one of them, or didn't survive it.
    """
    for path in paths:
        answer = ask("vet", path=str(path))
        if "error" in answer:
            raise LandscapeError(str(answer["error"]))
        if "died" in answer:
            raise LandscapeError(
                f"{path} must be whole, reading it {answer['died']}; {remedy(path)}"
            )


def try_out(path: Path) -> None:
    """Have a child read what it can of a damaged shard.

    Raises:
        LandscapeError: the child didn't survive it.
    """
    if died := ask("lost", path=str(path)).get("died"):
        raise LandscapeError(f"{path} must be whole, reading it {died}; {remedy(path)}")


def ask(task: str, **arguments: Any) -> dict[str, Any]:
    """The child's answer to a task of `landscape.store.vetter`.

    ``value`` is what came of it, ``error`` the message of a `LandscapeError`, ``died`` says in
    words what became of a child that gave no answer.

    Raises:
        LandscapeError: it was killed or got too little memory, which says nothing of the file.
    """
    # The helper may have been started in another folder, and paths needn't be whole.
    answer = _helper.ask({"task": task, "here": str(Path.cwd()), **arguments})
    if "killed" in answer:
        raise LandscapeError(
            f"{next(iter(arguments.values()))} must be read by a process of its own first, which "
            "was killed or got too little memory; free some and try again"
        )
    return answer


class _Helper:
    """The helper process, started when it is needed and again after a fork."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                line = ""
            except BaseException:
                self.end()  # an answer that nobody waited for would be taken for the next one's
                raise
        if not line:
            self.end()
            return {"killed": True}  # what reads is a fork of it
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            # Its modules are found as ours were, and none in the current folder.
            places = os.pathsep.join(place for place in sys.path if place)
            environment = {**os.environ, ENVIRONMENT: "1", "PYTHONPATH": places}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**environment, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for us
            )
            self._owner = os.getpid()
            atexit.register(self.end)
        return self._process

    def end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


_helper = _Helper()
