from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from landscape.errors import LandscapeError
from landscape.store import run
from landscape.store.provenance import versions

RECORD = {"settings": None, "problem": {"kind": "python"}}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refused(function, *args, **options) -> str:
    with pytest.raises(LandscapeError) as caught:
        function(*args, **options)
    return str(caught.value)


@pytest.fixture
def old(tmp_path) -> Path:
    """A run with something in it."""
    folder = run.create(tmp_path / "one", {**RECORD, "seed": 1}).folder
    (folder / "shards" / "00000000.h5").write_bytes(b"precious")
    return folder


def test_create(tmp_path):
    made = run.create(tmp_path / "deep" / "one", {**RECORD, "seed": 3, "status": "planned"})
    assert names(made.folder) == ["figures", "run.json", "scans", "shards"]
    assert names(made.folder.parent) == ["one"]
    record = json.loads((made.folder / "run.json").read_text())
    assert record == made.record
    assert (record["format"], record["version"]) == ("landscape-run", 1)
    assert (record["seed"], record["status"]) == (3, "planned")
    assert record["versions"] == versions()
    assert re.fullmatch(r"[0-9a-f]{32}", record["id"])
    age = datetime.now(UTC) - datetime.fromisoformat(record["created"])
    assert timedelta(0) <= age < timedelta(seconds=10)
    assert made.name == "one"
    assert made.scan("random") == made.folder / "scans" / "random.h5"
    assert made.figures == made.folder / "figures"


def test_status_is_running_at_first_and_every_run_has_its_own_id(tmp_path):
    one, two = (run.create(tmp_path / name, RECORD) for name in "ab")
    assert one.record["status"] == "running"
    assert one.id != two.id


def test_read_gives_what_was_written(old):
    again = run.read(old)
    assert again.folder == old
    assert again.record["seed"] == 1


def test_update(old):
    before = run.read(old)
    after = before.update(status="finished", steps=40)
    assert after.record == {**before.record, "status": "finished", "steps": 40}
    assert run.read(old) == after
    assert before.record["status"] == "running"  # Records are frozen.


def test_update_on_a_full_disk_leaves_the_old_record(old, full_disk):
    before = tree(old)
    with full_disk():
        message = refused(run.read(old).update, status="finished")
    assert message == (
        f"{old}/run.json must be writable, got: No space left on device; it is as it was before"
    )
    assert tree(old) == before


def test_empty_folder_is_used(tmp_path):
    (tmp_path / "one").mkdir()
    run.create(tmp_path / "one", RECORD)
    assert names(tmp_path) == ["one"]
    assert run.read(tmp_path / "one").record["status"] == "running"


def test_existing_run_is_refused(old):
    before = tree(old)
    assert refused(run.create, old, RECORD) == (
        f"a new run needs a new folder, {old} holds a run already; "
        "give another one with --output, or replace it with --overwrite"
    )
    assert tree(old) == before


def test_of_a_run_that_was_interrupted_it_is_said_how_to_go_on(tmp_path):
    for settings, how in (({"lr": 0.1}, "go on with --resume, "), (None, "")):
        folder = tmp_path / f"run-{how == ''}"
        run.create(folder, RECORD | {"settings": settings})
        assert refused(run.create, folder, RECORD) == (
            f"a new run needs a new folder, {folder} holds a run already; {how}"
            "give another one with --output, or replace it with --overwrite"
        )


def test_overwrite_replaces_all_of_it(old):
    new = run.create(old, {**RECORD, "seed": 2}, overwrite=True)
    assert names(old) == ["figures", "run.json", "scans", "shards"]
    assert names(old / "shards") == []
    assert names(old.parent) == ["one"]
    assert run.read(old) == new
    assert new.record["seed"] == 2


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_that_is_no_run_is_never_overwritten(tmp_path, overwrite):
    (folder := tmp_path / "thesis").mkdir()
    (folder / "chapter1.tex").write_text("precious")
    message = (
        f"a new run needs a new folder, {folder} exists and is no run; "
        "give another one with --output"
    )
    assert refused(run.create, folder, RECORD, overwrite=overwrite) == message
    assert tree(tmp_path) == {"thesis": None, "thesis/chapter1.tex": b"precious"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_file_is_never_overwritten(tmp_path, overwrite):
    file = tmp_path / "thesis.tex"
    file.write_text("precious")
    message = refused(run.create, file, RECORD, overwrite=overwrite)
    assert message == (
        f"a new run needs a new folder, {file} exists and is no run; give another one with --output"
    )
    assert file.read_text() == "precious"


def test_the_current_folder_cannot_be_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(run.create, Path(), RECORD) == (
        "a new run needs a folder of its own, got .; give another one with --output"
    )


@pytest.mark.parametrize("renames_before", [0, 1])
def test_failed_overwrite_leaves_the_old_run(old, monkeypatch, renames_before):
    """Whether the old run can't be moved away or the new one can't be put in its place."""
    before, real, calls = tree(old), Path.rename, []

    def rename(self, target):
        calls.append((self, target))
        if len(calls) == renames_before + 1:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    assert refused(run.create, old, {**RECORD, "seed": 2}, overwrite=True) == (
        f"{old} must be writable, got: Input/output error"
    )
    assert tree(old) == before
    assert names(old.parent) == ["one"]


def test_kill_between_the_renames_leaves_the_old_run_whole(old, monkeypatch):
    """Nothing runs after a kill: the old run is found beside, and nothing of it is mixed."""
    before, real = tree(old), Path.rename

    class Killed(BaseException):
        pass

    def rename(self, target):
        if ".incoming-" in self.name:
            raise Killed
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(Killed):
        run.create(old, {**RECORD, "seed": 2}, overwrite=True)
    assert tree(old.parent / f".one.replaced-{os.getpid()}") == before
    assert not old.exists()


def test_full_disk_leaves_the_old_run_and_the_next_try_works(old, full_disk):
    before = tree(old)
    with full_disk():
        message = refused(run.create, old, RECORD, overwrite=True)
        assert message.endswith("got: No space left on device; nothing was written")
        refused(run.create, old.parent / "two", RECORD)
    assert tree(old) == before
    assert names(old.parent) == ["one"]
    assert run.create(old, {**RECORD, "seed": 2}, overwrite=True).record["seed"] == 2


def test_next_try_works_after_an_error(tmp_path):
    with pytest.raises(TypeError):
        run.create(tmp_path / "one", {**RECORD, "loss": object()})
    assert names(tmp_path) == []
    run.create(tmp_path / "one", RECORD)


def test_run_that_another_process_makes_meanwhile_is_kept(tmp_path, monkeypatch):
    folder, real = tmp_path / "one", run._write

    def slow(place, record):
        real(place, record)
        if record.get("seed") == 2:
            monkeypatch.setattr(run.os, "getpid", lambda: 12345)
            run.create(folder, {**RECORD, "seed": 1})

    monkeypatch.setattr(run, "_write", slow)
    assert refused(run.create, folder, {**RECORD, "seed": 2}) == (
        f"{folder} must be writable, got: Directory not empty"
    )
    assert run.read(folder).record["seed"] == 1
    assert names(tmp_path) == ["one"]


def test_no_folder(tmp_path):
    assert refused(run.read, tmp_path / "none") == (
        f"a run must be a folder, got {tmp_path}/none, which doesn't exist; "
        "make one with `landscape train -o FOLDER`"
    )


def test_a_folder_whose_name_is_mistyped(tmp_path):
    run.create(tmp_path / "demo", RECORD)
    (tmp_path / "demmmo").mkdir()  # is nearer, but no run
    assert refused(run.read, tmp_path / "demmo") == (
        f"a run must be a folder, got {tmp_path}/demmo, which doesn't exist; "
        f"did you mean {tmp_path}/demo?"
    )


@pytest.mark.parametrize("content", [None, '{"format": "something else"}'])
def test_folder_without_a_run(tmp_path, content):
    if content:
        (tmp_path / "run.json").write_text(content)
    assert refused(run.read, tmp_path) == (
        f"a run's folder must hold run.json, {tmp_path} doesn't; "
        "give a folder made by `landscape train`"
    )


def test_a_folder_of_runs_names_those_in_it(tmp_path):
    for name in "cabd":
        run.create(tmp_path / name, {"settings": {}, "problem": {}})
    assert refused(run.read, tmp_path) == (
        f"a run's folder must hold run.json, {tmp_path} doesn't; "
        f"give one of those in it: {tmp_path}/a, {tmp_path}/b, {tmp_path}/c, ..."
    )


def test_a_folder_of_runs_and_sweeps_names_both(tmp_path):
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates" / "sweep.json").write_text("{}")
    assert refused(run.read, tmp_path).endswith(f"; give one of those in it: {tmp_path}/rates")
    run.create(tmp_path / "a", {"settings": {}, "problem": {}})
    assert refused(run.read, tmp_path).endswith(
        f"; give one of those in it: {tmp_path}/a; or a sweep: {tmp_path}/rates"
    )


@pytest.mark.parametrize("begun", [False, True])
def test_a_sweep_is_no_run_and_names_one_of_its_own(tmp_path, begun):
    (tmp_path / "sweep.json").write_text("{}")
    if begun:
        run.create(tmp_path / "lr3", {"settings": {}, "problem": {}})
    which = f"such as {tmp_path}/lr3" if begun else "once one has begun"
    assert refused(run.read, tmp_path) == (
        f"this needs a single run, {tmp_path} is a sweep of them; give one of its runs, {which}"
    )


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("{}", "'format'"),
        ("[]", "list indices must be integers or slices, not str"),
    ],
)
def test_broken_record(tmp_path, content, cause):
    (tmp_path / "run.json").write_text(content)
    assert refused(run.read, tmp_path) == (
        f"{tmp_path}/run.json must be a run's JSON, got: {cause}; put it back from a copy, or move "
        f"{tmp_path} away and train anew"
    )


@pytest.mark.parametrize("key", run.KEYS[2:])
def test_a_record_that_lacks_a_key(old, key):
    record = json.loads((old / "run.json").read_text())
    del record[key]
    (old / "run.json").write_text(json.dumps(record))
    assert refused(run.read, old) == (
        f"{old}/run.json must be a run's JSON, it lacks {key}; put it back from a copy, or move "
        f"{old} away and train anew"
    )


def test_newer_version(tmp_path):
    run.create(tmp_path / "one", {**RECORD, "version": 2})
    assert refused(run.read, tmp_path / "one") == (
        f"{tmp_path}/one/run.json must be of version 1 or older, got 2; install a newer landscape"
    )


KILLED = """
import os, sys
from pathlib import Path
from landscape.store import run
rename, done = os.rename, []
def dying(*args, **options):
    if done:
        os.kill(os.getpid(), 9)
    done.append(rename(*args, **options))
os.rename = dying
run.create(Path(sys.argv[1]), {}, overwrite=True)
"""


def test_what_a_kill_leaves_while_replacing_is_said_and_tidied(tmp_path):
    folder = tmp_path / "a[1]"
    old = run.create(folder, RECORD)
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == -9
    left = [path for path in tmp_path.iterdir() if path != folder]
    assert len(left) == 2
    [aside] = (path for path in left if "replaced" in path.name)
    assert run.read(aside).id == old.id
    assert refused(run.read, folder) == (
        f"a run must be a folder, got {folder}, whose replacing was interrupted; "
        f"the old run is in {aside}: rename it, or train anew"
    )
    new = run.create(folder, RECORD)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert run.read(folder).id == new.id


def test_a_training_that_has_saved_nothing_yet_is_waited_for(tmp_path):
    begun = run.create(tmp_path / "run", RECORD)
    with pytest.raises(LandscapeError) as refused:
        begun.trajectory  # noqa: B018
    assert str(refused.value) == (
        f"{tmp_path / 'run'} must have something recorded, its training has begun and saved "
        "nothing yet; wait until it has, or train anew with --overwrite if it was killed"
    )
