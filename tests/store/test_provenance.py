from __future__ import annotations

import platform
import re
import shlex
import sys
from datetime import UTC, datetime

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
