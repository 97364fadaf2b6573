"""The helper process that reads files which may do harm: ``python -m landscape.store.vetter``.

A line of JSON on its input is a request, a line on its output the answer; see
`landscape.store.vetting.child`. Each request is done by a fork with limits, so that the helper
stays as it was started.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError, one_line
from landscape.store import check, salvage

MEMORY, TIMES = 2**29, 4
"""Bytes that a child may take beside what the helper has, and so many times what it reads."""
SECONDS, SPEED = 20, 2**23
"""A child's time, and the bytes that it may take another second for."""


def _salvage(folder: str, into: str, damages: Sequence[str]) -> dict[str, Any]:
    return asdict(salvage.copied(Path(folder), Path(into), damages))


TASKS: Mapping[str, Callable[..., Any]] = {
    "vet": lambda path: check.read_whole(Path(path)),
    "lost": lambda path: check.lost(Path(path)),
    "salvage": _salvage,
}


def main() -> None:
    """Answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        with os.fdopen(writes, "w") as pipe:
            pipe.write(json.dumps(_done(request)))
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return {"killed": True}
    if os.WIFSIGNALED(status):
        return {"died": _how(os.WTERMSIG(status))}
    answer: dict[str, Any] = json.loads(said)
    return answer


def _done(request: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(request)
    task, less = TASKS[arguments.pop("task")], False
    try:
        os.chdir(arguments.pop("here"))
        less = _limit(sum(_size(Path(one)) for one in arguments.values() if isinstance(one, str)))
        return {"value": task(**arguments)}
    except LandscapeError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"killed": True} if less else {"died": "takes more memory than its size explains"}
    except Exception as error:
        return {"died": f"fails ({one_line(error)})"}


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(one) for one in path.rglob("*") if one.is_file())
    # An index shows what lies in its shards.
    inside = path.parent / "shards" if path.name == "trajectory.h5" else None
    return (path.stat().st_size if path.is_file() else 0) + (_size(inside) if inside else 0)


def _limit(size: int) -> bool:
    """Limit this process; whether it has less memory than what reads so much may take."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    memory, seconds = has + MEMORY + TIMES * size, SECONDS + size // SPEED
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    less = most != resource.RLIM_INFINITY and most < memory
    if not less:  # who isn't root can't have more
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Unhandled, it ends a process that is inside of HDF5 too.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    return less


def _how(number: int) -> str:
    if number == signal.SIGALRM:
        return "takes longer than its size explains"
    return f"crashes ({signal.Signals(number).name})"


if __name__ == "__main__":
    main()
