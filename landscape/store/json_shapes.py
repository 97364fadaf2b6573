"""What run.json, sweep.json, outcomes.json and verdict.json hold: shapes they are held to."""

from __future__ import annotations

from landscape.store.trajectories.rules import PARAMETERS
from landscape.store.vetting.shapes import COUNT, OneOf, Shape

LOSS = (float, None, OneOf("nan", "inf", "-inf"))
"""Infinite ones stand as text."""
HASH = (str, None)
PROBLEM: Shape = {
    "kind?": object,  # whoever makes a problem again says what it must be
    "function?": str,
    "settings?": ({str: object}, None),
    "sha256?": str,
    "seed?": (range(2**64), None),
    "train_samples?": (COUNT, None),
    "label_noise?": float,
    "path?": str,
    "relative_path?": str,
    "imports?": {str: str},
    "layout?": str,
    "parameters?": PARAMETERS,
    "data?": HASH,
    "validation_data?": HASH,
}
BRANCH: Shape = {
    "of?": str,
    "name?": str,
    "kind?": str,
    "start?": str,
    "step?": COUNT,
}
RUN: Shape = {
    **dict.fromkeys(("id", "created", "command", "status"), str),
    "versions": {str: (str, None)},
    "settings": ({str: object}, None),
    "problem": PROBLEM,
    "record?": str,
    "options?": {str: object},
    "steps_per_epoch?": (COUNT, None),
    **dict.fromkeys(("samples?", "parameters?", "steps?"), (COUNT, None)),
    "threads?": range(1, 2**16),
    "device?": str,
    "constant_loss?": (float, None),
    "notes?": [str],
    "resumed?": [COUNT],
    "checkpoints?": [{"step": int, "file": str}],
    "found_in?": [str],
    "branch?": BRANCH,
    "salvaged?": {"from?": str, "damages?": [str]},
}
SWEEP: Shape = {
    **dict.fromkeys(("id", "created", "command"), str),
    "threads": range(1, 2**16),
    "varied": [str],
    "arguments": [str],
    "runs": [{"name": object, "values": {str: object}, "error": (str, None)}],
}
SPAN: Shape = ({"median": LOSS, "low": LOSS, "high": LOSS}, None)
OUTCOMES: Shape = {
    "sweep": str,
    "runs": [
        {
            **dict.fromkeys(("name", "verdict", "motion", "confidence"), str),
            "values": {str: object},
            "learning_rate": (float, None),
            "landing": (str, None),
            "train_loss": LOSS,
            "validation_loss": LOSS,
        }
    ],
    "groups": [
        {
            "values": {str: object},
            "learning_rate": (float, None),
            "count": COUNT,
            "outcomes": {str: {"count": COUNT, "share": float, "low": float, "high": float}},
            "train_loss": SPAN,
            "validation_loss": SPAN,
        }
    ],
}
VERDICT: Shape = {
    **dict.fromkeys(("verdict", "motion", "confidence"), str),
    "landing": (str, None),
    "answers?": [
        {
            **dict.fromkeys(("question", "about", "text", "confidence"), str),
            "remedy?": ({"call": str, "options": {str: object}}, None),
        }
    ],
    "evidence?": {str: {"value": object}},
    # Earlier versions wrote neither of these.
    "rests_on?": ({"last_step?": (COUNT, None), "rows?": (COUNT, None)}, None),
}
