"""A run.json beside a trajectory that is planted: what every run's says, and nothing more."""

from __future__ import annotations

import json
from pathlib import Path


def record(folder: Path, run_id: str = "abc") -> None:
    """Write it, as if somebody had trained there."""
    found = {
        "format": "landscape-run",
        "version": 1,
        "id": run_id,
        "created": "2026-01-01T00:00:00+00:00",
        "command": "python",
        "versions": {},
        "status": "finished",
        "settings": None,
        "problem": {},
    }
    (folder / "run.json").write_text(json.dumps(found))
