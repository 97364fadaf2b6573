"""Which files this process opens itself, which a child reads first, and which nobody opens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store import hdf5, stream
from landscape.store import run as run_folder
from landscape.store.vetting import child, gate, registry

from ...sealing import sealed

PUT_BACK = "put it back from a copy, or scan anew with --overwrite"


@pytest.fixture
def asked(monkeypatch):
    """The files that a child was asked to read."""
    found = []
    vet = child.vet

    def told(paths):
        found.extend(paths)
        vet(paths)

    monkeypatch.setattr(child, "vet", told)
    return found


@pytest.fixture
def run(tmp_path):
    return run_folder.create(tmp_path / "run", {"settings": None, "problem": {"kind": "python"}})


@pytest.fixture
def scan(run):
    path = run.scan("x")
    hdf5.write(path, lambda file: file.create_dataset("a", data=np.arange(3.0)))
    return path


def forgotten() -> None:
    """As in another process."""
    gate._seen.clear()
    hdf5._looked_through.cache_clear()


def values(path):
    with hdf5.opened(path) as file:
        return file["a"][:].tolist()


def refused(path) -> str:
    forgotten()
    with pytest.raises(LandscapeError) as caught:
        values(path)
    return str(caught.value)


def test_one_s_own_file_is_opened_at_once(scan, asked):
    forgotten()
    assert values(scan) == [0, 1, 2]
    assert asked == []


def test_a_copied_run_is_read_by_a_child_once(run, scan, asked, tmp_path):
    copy = run_folder.read(run.folder.rename(tmp_path / "moved")).scan("x")
    for _ in range(2):
        forgotten()
        assert values(copy) == [0, 1, 2]
    assert asked == [copy]
    copy.write_bytes(copy.read_bytes())
    forgotten()
    values(copy)
    assert asked == [copy, copy]


def test_a_stranger_s_run_at_the_same_place(run, scan, asked):
    """Whoever sends one may know its id: the folder is another one."""
    content, record = scan.read_bytes(), run.record
    moved = run.folder.rename(run.folder.with_name("old"))
    (run.folder / "scans").mkdir(parents=True)
    (run.folder / "run.json").write_text(json.dumps(record))
    scan.write_bytes(content)
    forgotten()
    values(scan)
    assert asked == [scan]
    assert moved.exists()


def test_a_file_without_a_checksum(run, asked):
    """As older versions wrote them, in one's own run."""
    path = run.scan("old")
    with h5py.File(path, "w") as file:
        file["a"] = np.arange(3.0)
    forgotten()
    assert values(path) == [0, 1, 2]
    assert asked == [path]


def test_every_flipped_byte_is_found_before_hdf5_opens_it(scan, monkeypatch):
    whole = scan.read_bytes()
    monkeypatch.setattr(hdf5.h5py, "File", lambda *_, **__: pytest.fail("was opened"))
    for at in range(512, len(whole), 7):
        scan.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        assert refused(scan) == (
            f"{scan} must be as it was written, its checksum differs; {PUT_BACK}"
        )


@pytest.mark.parametrize(
    ("at", "content"),
    [
        (849, b"\x00\x00\x00\x00\x00\x00\x00\x00"),
        *((at, b"\xff" * 8) for at in range(512, 1000, 61)),
    ],
)
def test_what_crashes_or_hangs_hdf5_does_so_in_a_child(scan, at, content):
    """With the checksum made right, as a sender can; from a run that isn't known here."""
    whole = bytearray(scan.read_bytes())
    whole[at : at + len(content)] = content
    scan.write_bytes(whole)
    sealed(scan)
    registry_of_nobody = json.loads((scan.parents[1] / "run.json").read_text()) | {"id": "other"}
    (scan.parents[1] / "run.json").write_text(json.dumps(registry_of_nobody))
    forgotten()
    began = time.monotonic()
    with suppress(LandscapeError):
        values(scan)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashes (SIGSEGV)"),
        ("while True: pass", "takes longer than its size explains"),
        ("x = bytearray(2**32)", "takes more memory than its size explains"),
        ("1 / 0", "fails (ZeroDivisionError: division by zero)"),
    ],
)
def test_what_becomes_of_a_child(task, said, tmp_path):
    """By the helper itself, in a process of its own, with a second for each child."""
    code = (
        "from landscape.store import vetter\n"
        f"vetter.TASKS = {{'vet': lambda path: exec({task!r})}}\n"
        "vetter.SECONDS = 2\n"
        f"print(vetter._answer({{'task': 'vet', 'here': '/', 'path': {str(tmp_path / 'x')!r}}}))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout == f"{{'died': {said!r}}}\n"


TOO_LITTLE = (
    "{} must be read by a process of its own first, which was killed or got too little memory; "
    "free some and try again"
)


def test_a_helper_that_is_killed_says_nothing_of_the_file(scan):
    child.ask("lost", path=str(scan))
    helper = child._helper._process
    assert helper is not None
    helper.send_signal(signal.SIGSTOP)  # so that the request is there, and no answer
    killer = threading.Timer(0.2, helper.kill)
    killer.start()
    with pytest.raises(LandscapeError) as caught:
        child.vet([scan])
    assert str(caught.value) == TOO_LITTLE.format(scan)
    child.vet([scan])  # by a new one


@pytest.mark.parametrize(
    "task", ["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "x = bytearray(2**29)"]
)
def test_too_little_memory_says_nothing_of_the_file(task, tmp_path):
    """By the kernel's choice of whom to kill, or by a limit as that of `ulimit -v`."""
    code = (
        "import resource\n"
        "from landscape.store import vetter\n"
        f"vetter.TASKS = {{'vet': lambda path: exec({task!r})}}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))\n"
        f"print(vetter._answer({{'task': 'vet', 'here': '/', 'path': {str(tmp_path / 'x')!r}}}))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout == "{'killed': True}\n"


def test_the_helper_ends_with_its_process_and_is_started_again(scan, tmp_path):
    assert child.ask("lost", path=str(tmp_path / "none.h5"))["value"].startswith(
        "nothing of it can be read"
    )
    helper = child._helper._process
    assert helper is not None
    helper.kill()
    helper.wait()
    assert "value" in child.ask("lost", path=str(tmp_path / "none.h5"))
    child._helper.end()
    assert child._helper._process is None


def test_a_shard_s_checksum_is_compared_once(run, asked, monkeypatch):
    path = run.folder / "shards" / "00000000.h5"
    stream.write(path, lambda file: file.create_dataset("a", data=np.arange(3.0)))
    forgotten()
    values(path)
    monkeypatch.setattr(gate, "is_whole", lambda path: pytest.fail("was hashed"))
    forgotten()
    assert values(path) == [0, 1, 2]
    assert asked == []


def test_without_a_home_a_child_reads_each_time(run, scan, asked, tmp_path, monkeypatch):
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "blocked"))
    for _ in range(2):
        forgotten()
        assert values(scan) == [0, 1, 2]
    assert asked == [scan, scan]
    with pytest.raises(LandscapeError, match="Not a directory"):
        registry.add_run(run.id, run.folder)


def test_a_file_that_is_replaced_all_the_time_is_never_called_damaged(scan):
    """As trajectory.h5 is, while a training runs and another process looks."""
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import itertools\n"
            "from pathlib import Path\n"
            "from landscape.store import hdf5\n"
            "for number in itertools.count():\n"
            "    fill = lambda file: file.create_dataset('a', data=[number])\n"
            f"    hdf5.write(Path({str(scan)!r}), fill)\n",
        ]
    )
    try:
        ends, seen = time.monotonic() + 60, set()
        while len(seen) < 20 and time.monotonic() < ends:
            forgotten()
            seen.add(values(scan)[0])
    finally:
        writer.kill()
        writer.wait()
    assert len(seen) == 20
