from __future__ import annotations

import errno
import os
import threading

import pytest
from filelock import FileLock

from landscape.errors import LandscapeError
from landscape.store import lock


def test_one_at_a_time(tmp_path):
    held = lock.acquire(tmp_path)
    assert lock.held(tmp_path)
    with pytest.raises(LandscapeError) as refused:
        lock.acquire(tmp_path)
    assert str(refused.value) == (
        "a run must be trained by one process at a time, another one is at work on "
        f"{tmp_path}; wait for it, or end it first"
    )
    lock.release(held)
    assert not lock.held(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:the file system of .* has no locks")
def test_one_at_a_time_where_there_are_no_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    held = lock.acquire(tmp_path)
    with pytest.raises(LandscapeError, match="another one is at work on"):
        lock.acquire(tmp_path)
    lock.release(held)
    lock.release(lock.acquire(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_who_only_looks_keeps_nobody_away(tmp_path, monkeypatch):
    """`held` takes the lock for a moment, as `landscape info` does at any time."""
    monkeypatch.setattr(lock, "PATIENCE", 20)  # however busy this machine is
    looking = FileLock(tmp_path / lock.NAME, thread_local=False)
    looking.acquire()
    threading.Timer(0.1, looking.release).start()
    held = lock.acquire(tmp_path)
    assert not looking.is_locked
    lock.release(held)
