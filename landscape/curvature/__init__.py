"""How the loss curves: Hessian products, what a few of them tell, and what is measured of a run.

`hessian` has the products, `krylov` the one iteration on them, `density` the spectrum as a whole
and its trace. At a run's recorded steps `along_run` measures both ends of the spectrum, slope and
critical step, `sharpness` what batches see, `jump` the sharpest directions and how a move lay to
them. `bounds` are the curvatures up to which SGD is stable, and know no torch.
"""

MEMORY = 2**30
"""Bytes that graphs and an iteration's vectors take at most, unless told otherwise."""

__all__ = [
    "along_run",
    "by_layer",
    "density",
    "jump",
    "learning_coefficient",
    "preconditioned",
    "sharpness",
]
