from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def scheduler(dask: Any) -> str:
    """The address of a Dask scheduler with two workers in processes of their own."""
    return dask.scheduler_address
