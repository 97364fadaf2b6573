"""What trajectory.h5, its shards and resume.h5 hold, as tables that they are held to."""

from __future__ import annotations

import json
import math
from typing import Any

import h5py

from landscape.store.vetting.rules import FileRules, Holds, InJson
from landscape.store.vetting.shapes import COUNT
from landscape.store.vetting.survey import GROUP, NUMBERS, Surveyed

PARAMETERS = [{"name": str, "shape": [COUNT], "offset": COUNT}]
LISTED = [
    {
        "file": str,
        **dict.fromkeys(("rows", "steps", "bytes", "velocities?"), COUNT),
        "sha256?": str,
    }
]
EVENTS = {
    "*events/name": Holds("t", ("e",)),
    "*events/trigger": Holds("t", ("e",)),
    "*events/first": Holds("iu", ("e",)),
    "*events/last": Holds("iu", ("e",)),
}
ROW = (*("step", "kind", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy"),)
"""What every recorded step has beside its weights."""
CONTENT = {
    "step": Holds("i", ("T",)),
    "kind": Holds("i", ("T",)),
    "weights": Holds("f", ("T", "C")),
    "buffers/*": Holds("biufc", ("T", "...")),
    "train_loss": Holds("f", ("T",)),
    "validation_loss": Holds("f", ("T",)),
    "train_accuracy": Holds("f", ("T",)),
    "validation_accuracy": Holds("f", ("T",)),
    "steps/sketch": Holds("f", ("S", "M")),
    "steps/*": Holds("biuf", ("S",)),
    "velocity": Holds("f", ("V", "C")),
    "velocity_step": Holds("i", ("V",)),
    "optimizer/*": Holds("biuf", ("V", "...")),
}


def _further(file: h5py.File, found: Surveyed) -> str:
    """The columns are the parameters', and no more is shown than the shards are said to hold."""
    columns, shards = (json.loads(file.attrs.get(name, "[]")) for name in ("parameters", "shards"))
    if wrong := _misplaced(columns):
        return wrong
    if "all_parameters" in file.attrs and (
        wrong := _misplaced(json.loads(file.attrs["all_parameters"]))
    ):
        return wrong
    size = sum(math.prod(one["shape"]) for one in columns)
    for name, axis, length in (
        ("weights", 1, size),
        ("step", 0, sum(one["rows"] for one in shards)),
        ("steps/batch_loss", 0, sum(one["steps"] for one in shards)),
    ):
        shape = found.objects[name].shape if name in found.objects else None
        if shape is None:
            continue
        if shape[axis] > length or (axis == 1 and shape[axis] != length):
            kind = "columns" if axis == 1 else "rows"
            return f"{name} must have {length} {kind}, got {shape[axis]}"
    return ""


def _misplaced(parameters: list[dict[str, Any]]) -> str:
    offset = 0
    for one in parameters:
        if one["offset"] != offset:
            return f"{one['name']} must begin at {offset} in the vector, got {one['offset']}"
        offset += math.prod(one["shape"])
    return ""


INDEX_RULES = FileRules(
    datasets={**CONTENT, **EVENTS},
    attributes={
        "": {
            "version": COUNT,
            "parameters": InJson(PARAMETERS),
            "all_parameters": InJson(PARAMETERS),
            "shards": InJson(LISTED),
        },
        "steps/sketch": {"seed": int, "method": str},
    },
    needed=(*ROW, "weights", "buffers", "steps/batch_loss", "steps/learning_rate"),
    further=_further,
)
SHARD_RULES = FileRules(datasets=CONTENT)


def _unfit(file: h5py.File, found: Surveyed) -> str:
    """What a training goes on with are numbers, whatever their names."""
    del file
    for name, one in found.objects.items():
        if name.startswith("arrays/") and one.kind != GROUP:
            if one.kind not in NUMBERS:
                return f"{name} must hold numbers, got text"
            if one.shape is None:
                return f"{name} must hold numbers, got an empty dataset"
    return ""


RESUME_RULES = FileRules(
    datasets={"info": Holds("t", ())},
    attributes={"": {"version": COUNT, "step": COUNT}},
    further=_unfit,
)
