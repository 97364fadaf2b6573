"""The table of the parts of a diagnosis.

A new part is its record, a field of `landscape.store.measured.whole.Measured`; a `PartRow` with how
it is measured; and its line here. Parts stand in the order of `NAMES`.
"""

from __future__ import annotations

from collections.abc import Mapping

from landscape.diagnose.session import floors, movement, on_request, snapshots
from landscape.diagnose.session.context import PartRow
from landscape.store.measured.whole import NAMES

__all__ = ["BY_DEFAULT", "NAMES", "PARTS"]

PARTS: Mapping[str, PartRow] = {
    "units": snapshots.UNITS,
    "functions": snapshots.FUNCTIONS,
    "distances": snapshots.DISTANCES,
    "permutations": snapshots.PERMUTATIONS,
    "curvature": snapshots.CURVATURE,
    "sharpness": snapshots.SHARPNESS,
    "preconditioned": snapshots.PRECONDITIONED,
    "density": snapshots.SPECTRUM,
    "jump": movement.JUMP,
    "diffusion": movement.DIFFUSION,
    "connectivity": floors.CONNECTIVITY,
    "curves": floors.CURVES,
    "curvature_by_layer": on_request.BY_LAYER,
    "learning_coefficient": on_request.COEFFICIENT,
    "instability": on_request.INSTABILITY,
}
"""By name; `interventions` are trainings, which `measuring.trainings` does."""
BY_DEFAULT = tuple(name for name in NAMES if name not in PARTS or not PARTS[name].on_request)
"""Those that are measured unless some are named."""
