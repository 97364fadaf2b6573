"""Interventions: trainings from a run's snapshots that change one thing."""
