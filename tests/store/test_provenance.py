from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

import landscape
from landscape.store import provenance


def test_command_can_be_typed_again(monkeypatch):
    words = ["train", "--set", "name=two words", "-o", "runs/it's"]
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/landscape", *words])
    assert shlex.split(provenance.command()) == ["landscape", *words]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["scan", "a run"], "landscape scan --size=5 'a run'"),
        (["-m", "landscape_cli"], "landscape -m landscape_cli"),
    ],
)
def test_command_has_what_a_file_of_settings_added(monkeypatch, words, expected):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/landscape", *words])
    with provenance.completed("scan", ["--size=5"]):
        assert provenance.command() == expected
    assert provenance.command() == shlex.join(["landscape", *words])


PROGRAM = "from landscape.store import provenance\nprint(provenance.command())\n"


def said(folder, *arguments, **options):
    done = subprocess.run(
        [sys.executable, *arguments],
        **{"cwd": folder, "capture_output": True, "text": True, "check": True, **options},
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_each_way_to_start_a_program_is_said_as_it_was_typed(tmp_path):
    package = tmp_path / "tools" / "fit"
    package.mkdir(parents=True)
    for file in ("__init__.py", "__main__.py", "mine.py"):
        (package / file).write_text(PROGRAM if file != "__init__.py" else "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    for arguments in (
        ("-m", "tools.fit", "--fast"),
        ("-m", "tools.fit.mine"),
    ):
        assert said(tmp_path, *arguments, env=environment) == shlex.join(["python", *arguments])
    inside = said(tmp_path, str(package / "mine.py"), "a", env=environment)
    assert inside == "tools/fit/mine.py a"
    for arguments in (
        ("tools/fit/mine.py", "a b"),
        ("./tools/fit/mine.py",),
    ):
        recorded = said(tmp_path, *arguments, env=environment)
        assert recorded == shlex.join(arguments)
        assert provenance.runnable(recorded) == f"python {recorded}"
    assert said(tmp_path, "-c", PROGRAM, env=environment) == "in Python"
    assert said(tmp_path, "-", env=environment, input=PROGRAM) == "in Python"


@pytest.mark.parametrize(
    ("started", "module", "recorded"),
    [
        ("/usr/bin/landscape", None, "landscape"),
        ("/a/tools/fit/__main__.py", "tools.fit.__main__", "python -m tools.fit"),
        ("/a/tools/fit.py", "tools.fit", "python -m tools.fit"),
        ("/a/fit/__main__.py", None, "python -m fit"),  # in a worker of such a program
        ("tools/mine.py", None, "tools/mine.py"),
        ("/nowhere/mine.py", None, "/nowhere/mine.py"),
        ("/usr/bin/pytest", None, "pytest"),
        ("-c", None, "in Python"),
        ("", None, "in Python"),
    ],
)
def test_what_started_a_program(monkeypatch, started, module, recorded):
    spec = None if module is None else ModuleSpec(module, None, origin=started)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    monkeypatch.setattr(sys, "argv", [started])
    assert provenance.command() == recorded


def test_a_notebook_has_no_command(monkeypatch):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert provenance.command() == "in a notebook"
    # IPython at a prompt, and where it is imported alone.
    for other in (SimpleNamespace(), None):
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda other=other: other)
        assert provenance.command() != "in a notebook"


def test_what_older_files_have_of_notebooks_and_prompts_is_no_command():
    for command in ("''", "-", "-c a", "ipykernel_launcher.py -f /x/kernel-1.json"):
        assert not provenance.is_typed(command)
        assert provenance.runnable(command) == provenance.going_on({"command": command}) == ""


def test_now_is_utc_to_the_second():
    text = provenance.now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", text)
    assert 0 <= (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds() < 5


def test_versions():
    found = provenance.versions()
    assert found["landscape"] == landscape.__version__
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert found["h5py"] == h5py.__version__
    assert set(found) == {
        *("landscape", "python", "torch", "numpy", "h5py", "matplotlib", "pyvista")
    }
