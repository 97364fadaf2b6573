"""The files: a run's folder, its trajectory, its scans. NumPy and h5py only."""

from landscape.store.records import Path, Plane, Point, Scan
from landscape.store.run import Run, read
from landscape.store.trajectory import Trajectory

__all__ = ["Path", "Plane", "Point", "Run", "Scan", "Trajectory", "read"]
