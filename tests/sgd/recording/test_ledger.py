from __future__ import annotations

import numpy as np
import pytest

from landscape.sgd.recording.ledger import Ledger


def ledger() -> Ledger:
    return Ledger(row_bytes=8, step_bytes=1, limit=None)


def filled() -> Ledger:
    one = ledger()
    for step, loss in ((0, 2.0), (5, float("nan")), (9, 0.5)):
        one.add(step, 1, loss)
    return one


def test_a_restored_ledger_goes_on_as_the_one_it_was():
    one = ledger()
    one.restore(filled().info(), filled().arrays())
    assert (one.kinds, one.losses, one.best) == ({0: 1, 5: 1, 9: 1}, {0: 2.0, 9: 0.5}, 9)
    one.add(12, 1, 0.25)
    assert one.best == 12


@pytest.mark.parametrize("name", ["step", "kind", "evaluated", "loss"])
def test_a_state_with_more_than_a_number_a_row_is_refused(name):
    arrays = filled().arrays()
    arrays[name] = arrays[name][:, np.newaxis]
    with pytest.raises(
        ValueError, match=rf"^{name} must have one number a row, not shape \(\d, 1\)$"
    ):
        ledger().restore(filled().info(), arrays)


def test_a_best_row_without_a_loss_is_refused():
    with pytest.raises(ValueError, match=r"^the best step, 5, has no loss$"):
        ledger().restore({**filled().info(), "best": 5}, filled().arrays())
