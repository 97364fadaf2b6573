from __future__ import annotations

import os

import pytest

from landscape.draw.solid import opengl


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
