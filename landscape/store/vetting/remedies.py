"""What to do about a damaged file, by its place in a run."""

from __future__ import annotations

from pathlib import Path

INDEX, SHARDS = "trajectory.h5", "shards"


def remedy(path: Path) -> str:
    """What brings a damaged file back, or what of it can be had without."""
    place = path.absolute()
    if place.name == "analysis.h5":
        return "delete it and its parts are measured anew"
    if place.name == "resume.h5":
        return "put it back from a copy, or train anew with --overwrite"
    if place.parent.name == "scans":
        return "put it back from a copy, or scan anew with --overwrite"
    if place.parent.name == SHARDS or place.name == INDEX:
        home = place.parent.parent if place.parent.name == SHARDS else place.parent
        return (
            "put it back from a copy, or save the rest with "
            f"`landscape info {home} --salvage FOLDER`"
        )
    return "put it back from a copy"
