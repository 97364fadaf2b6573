"""``landscape train`` on a disk that is full, and on one that can't be written."""

from __future__ import annotations

import pytest

from landscape.store import read
from landscape.store.check import verify

from .conftest import SMALL
from .mounts import script
from .test_train_resume import same

OPTIONS = " ".join(map(str, (*SMALL, "--record", "1", "--quiet")))


@pytest.mark.slow
def test_a_full_disk_and_on_after_making_room(landscape, tmp_path):
    done = script(
        tmp_path / "disk",
        f"""
        $LANDSCAPE train {OPTIONS} -o run >/dev/null; echo full $?
        cp -r run ../full
        mount -o remount,size=20m . ; $LANDSCAPE train --resume run --quiet >/dev/null; echo room $?
        cp -r run ../room
        """,
        size="100k",
    )
    assert done.stdout.splitlines() == ["full 1", "room 0"], done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "go on with: landscape train --resume run" in done.stderr
    assert verify(tmp_path / "full") == []
    assert len(read(tmp_path / "full").trajectory.step) >= 1
    assert verify(tmp_path / "room") == []
    assert landscape("train", *OPTIONS.split(), "-o", tmp_path / "whole").code == 0
    same(tmp_path / "room", tmp_path / "whole")


@pytest.mark.slow
def test_a_disk_that_is_read_only(tmp_path):
    done = script(
        tmp_path / "disk", f"mount -o remount,ro . ; $LANDSCAPE train {OPTIONS} -o run", size="1m"
    )
    assert done.returncode == 1
    assert done.stderr == "landscape: error: run must be writable, got: Read-only file system\n"
