from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from landscape.draw import opengl


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """The builders of planted scans; tests are no package that could import them."""
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).parent / "planted.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def gl() -> None:
    """Skip where OpenGL is missing, but not on the build server, which must have it."""
    found = opengl.probe()
    if not found.ok and os.environ.get("CI"):
        pytest.fail(f"the build server must have OpenGL: {found.reason}")
    if not found.ok:
        pytest.skip(found.reason)


@pytest.fixture
def no_gl(monkeypatch) -> str:
    """Pretend that the probe failed; returns its reason."""
    reason = "no OpenGL (a test says so): on Debian or Ubuntu: apt-get install libegl1"
    monkeypatch.setattr(opengl, "probe", lambda: opengl.Probe(False, reason))
    return reason
