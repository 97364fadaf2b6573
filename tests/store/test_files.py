from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from landscape.errors import LandscapeError
from landscape.store.files import make_folder, remove_unfinished, runs, unfinished, write_bytes


def killed(work: Callable[[], object]) -> int:
    """The number of a process that was killed with SIGKILL once it had done some work."""
    process = os.fork()
    if not process:
        work()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def half_written(path: Path, ending: str = "") -> Callable[[], object]:
    return lambda: unfinished(path, ending).write_bytes(b"half")


@pytest.mark.parametrize("ending", ["", ".gif"])
def test_what_a_killed_process_left_goes_when_the_file_is_written_again(tmp_path, ending):
    path = tmp_path / "a[b].gif"
    dead = killed(half_written(path, ending))
    assert names(tmp_path) == [f".a[b].gif.{dead}{ending}"]
    write_bytes(path, b"whole")
    assert names(tmp_path) == ["a[b].gif"]
    assert path.read_bytes() == b"whole"


def test_what_others_write_stays(tmp_path):
    """A process that lives, and files of other names, a run's among them that ends alike."""
    path = tmp_path / "a.png"
    others = [f".a.png.{os.getppid()}", ".a.png.lock", ".a.pngs.999999", f".b.png.{2**22 - 1}"]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    assert unfinished(path) == tmp_path / f".a.png.{os.getpid()}"
    assert names(tmp_path) == sorted(others)


def test_who_alone_writes_it_removes_those_of_the_living_too(tmp_path):
    path = tmp_path / "a.h5"
    (tmp_path / f".a.h5.{os.getppid()}").write_bytes(b"")
    (tmp_path / ".a.h5.lock").write_bytes(b"")
    remove_unfinished(path)
    assert names(tmp_path) == [".a.h5.lock"]


def test_a_process_of_which_nobody_can_have_the_number_does_not_run():
    assert runs(os.getpid())
    assert runs(1)  # not this user's, or it may be
    assert not runs(killed(lambda: None))
    assert not runs(10**30)


def test_where_there_is_no_folder_it_is_refused_in_a_line(tmp_path):
    path = tmp_path / "none" / "a"
    with pytest.raises(LandscapeError) as refused:
        write_bytes(path, b"")
    assert str(refused.value) == (
        f"{path} must be writable, got: No such file or directory; nothing was written"
    )


def test_a_folder_is_made_with_those_above_it_and_may_be_there(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
        assert (tmp_path / "a" / "b").is_dir()
