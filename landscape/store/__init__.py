"""The files: a run's folder, its trajectory, its scans. NumPy and h5py only."""

from landscape.store.run import Run, read
from landscape.store.scans.records import Path, Plane, Point, Scan
from landscape.store.trajectories.trajectory import Trajectory

__all__ = ["Path", "Plane", "Point", "Run", "Scan", "Trajectory", "read"]
