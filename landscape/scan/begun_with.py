"""What a scan that is there was begun with, where that isn't what is asked for: in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from landscape.plane import kinds
from landscape.plane.kinds import Given
from landscape.store.scans import scanfile

EXISTS = (
    "a new scan needs a new name, {} exists; go on with --resume, "
    "replace it with --overwrite, or give another --name"
)
OTHERWISE = "drop --resume and give another --name"
WORDS = {
    "kind": "plane",
    "normalize": "normalization",
    "from": "first step",
    "to": "last step",
    "measures": "measure",
    "parameters": "pattern of tensors that move",
    "planes": "number of planes",
    "samples": "number of samples",
}
"""What settings are called where that isn't their own name."""
OPTIONS = {
    "kind": "plane",
    "normalization": "normalize",
    "measures": "measure",
    "moved tensors": "",
    "loss's batch size": "",
    "loss's dtype": "",
    "objective": "",
}
"""Their options where these are called otherwise; empty where a setting has none."""
FLAGS = {"ignored": "include-1d", "include_1d": "include-1d", "weight decay": "with-weight-decay"}
"""Options without a value, by what is stored of them."""


class OtherScanError(LandscapeError):
    """The scan that is there isn't the one that is asked for."""


class WentOnError(OtherScanError):
    """Its run has other last weights now than those that its directions lead to."""


def went_on(path: Path, was: int, step: int) -> WentOnError:
    """The refusal to go on with a scan whose directions lead to what was a run's end."""
    return WentOnError(
        f"{path} leads to the weights of step {was:,}, the last ones are those of step {step:,} "
        "now; --overwrite scans it anew, another --name keeps both"
    )


def other_setting(
    path: Path, name: str, was: Any, is_now: Any, *, option: str | None = None
) -> OtherScanError:
    """The refusal to go on with a scan, which names the option that would make it the same.

    ``option``: what was given for it then, empty if nothing, where that isn't ``was``.
    """
    begun = f"resume needs the settings that {path} was started with, "
    if name == "run":
        return OtherScanError(f"{begun}it is of run {was}, got {is_now}; {OTHERWISE}")
    if name in FLAGS:
        given = was not in (False, "1-D", 0.0)
        how, remedy = ("with", "give it") if given else ("without", "leave it out")
        return OtherScanError(f"{begun}{how} --{FLAGS[name]}; {remedy}, or {OTHERWISE}")
    differs = f"its {WORDS.get(name, name)} is {_said(was)}, got {_said(is_now)}"
    called = OPTIONS.get(name, name)
    remedy = f"{_remedy(called, _said(was, '') if option is None else option)}, or " * bool(called)
    return OtherScanError(f"{begun}{differs}; {remedy}{OTHERWISE}")


def _said(value: Any, nothing: str = "none") -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or nothing
    return nothing if value is None else str(value)


def _remedy(called: str, value: str) -> str:
    if called == "tolerance" and float(value) == 0:
        return "give --exact"
    value = value.replace("_", "-") if called == "measure" else value
    return f"give --{called} {value}" if value not in ("", "default") else f"leave --{called} out"


def other_weights(path: Path, was: int, key: str, given: Given) -> OtherScanError:
    """The refusal to go on with a scan around the weights of step ``was``: others are asked for."""
    origin, step = kinds.KINDS[key].origin(given), kinds.origin_step(key, given)
    if origin == "final" and was < step:
        there = f"the run has gone on to step {step:,} since"
    elif origin == "best":
        there = f"the run's best weights are those of step {step:,} now"
    else:
        return OtherScanError(
            f"{path} is of step {was:,}, got step {step:,}; give --at {was}, or {OTHERWISE}"
        )
    return OtherScanError(
        f"{path} is of step {was:,}, {there}; --overwrite scans it anew, another --name keeps both"
    )


def exists(path: Path, key: str, given: Given) -> LandscapeError:
    """The refusal to write where a scan is: what can be done about it."""
    if kinds.KINDS[key].sliced or kinds.KINDS[key].origin(given) != "final":
        return LandscapeError(EXISTS.format(path))
    try:
        was = scanfile.origin_step(path)
    except LandscapeError:  # damaged, or something else: there all the same
        return LandscapeError(EXISTS.format(path))
    if was < kinds.origin_step(key, given):
        return other_weights(path, was, key, given)
    return LandscapeError(EXISTS.format(path))
