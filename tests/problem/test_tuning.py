from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest
import torch
from threadpoolctl import ThreadpoolController, threadpool_limits

from landscape.problem import tuning

FAULTS = """
import resource, sys
import torch
from landscape.problem import tuning
if sys.argv[1] == "kept":
    assert tuning.keep_freed()
def batch():
    torch.full((12 * 2**20,), 1.0)  # 48 MiB, 12,288 pages: by default never kept
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library isn't glibc")
def test_freed_memory_is_used_again_without_page_faults():
    def faults(how: str) -> int:
        command = [sys.executable, "-c", FAULTS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("kept") < 6 * 12_288
    assert faults("given back") > 19 * 12_288


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(tuning.ctypes, "CDLL", lambda _: object())
    assert tuning.keep_freed() is False


def test_numpy_leaves_the_processor_to_torch():
    threads = torch.get_num_threads()
    with threadpool_limits(2, user_api="blas"):
        tuning.tune()
        others = [
            library.num_threads
            for library in ThreadpoolController().lib_controllers
            if library.internal_api == "openblas"
        ]
    assert set(others) <= {1}
    assert torch.get_num_threads() == threads


def test_threads_are_as_before_after_an_error_too():
    def fails() -> None:
        with tuning.threads(before + 1):
            seen.append(torch.get_num_threads())
            raise ZeroDivisionError

    before, seen = torch.get_num_threads(), []
    with pytest.raises(ZeroDivisionError):
        fails()
    assert [*seen, torch.get_num_threads()] == [before + 1, before]
