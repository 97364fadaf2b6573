from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from landscape.draw import recipe
from landscape.draw.diagnosis.trainings import caption, trainings
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.store import analysis
from landscape.store.measured.curvature import Jump
from landscape.store.measured.trainings import (
    ControlRepeat,
    EscapeTrainings,
    Intervention,
    Interventions,
    TrainingLosses,
)


def branch(name, kind, start, at, losses, lr=0.1):
    losses = np.array(losses, float)
    about = Intervention(name, kind, start, at, lr, 10 * len(losses), 32, 0)
    return TrainingLosses(about, 10 * np.arange(len(losses)), losses)


ESCAPE = (
    branch("best-order1", "other-order", "best", 120, [0.3, 2.0, 2.3]),
    branch("best-order2", "other-order", "best", 120, [0.3, 0.2, 0.1]),
    branch("best-lower-rate", "lower-rate", "best", 120, [0.3, 0.05, 0.01], 0.01),
    branch("end-lr1", "rate", "end", 200, [2.3, 5.0, np.inf], 1.0),
    branch("plateau-lr0.1", "plateau", "plateau", 0, [2.3, 2.3, 2.3]),
)


def words(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_each_training_begins_where_it_began(found):
    figure = trainings(found(ESCAPE))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "from the lowest logged loss (step 120)",
        "from the last weights (step 200)",
        "from initializations on the plateau, steps from 0",
    ]
    best, end, plateau = figure.axes
    narrow = trainings(found(ESCAPE), style=Style(width=3.25))
    narrow.canvas.draw()
    for axes, title in zip(narrow.axes, titles, strict=True):
        assert axes.get_title(loc="left").replace("\n", " ") == title
        [shown] = [one for one in axes.findobj(Text) if one.get_text() == axes.get_title("left")]
        box = shown.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= narrow.bbox.x1
        assert axes.get_window_extent().y1 < box.y0 < box.y1 <= narrow.bbox.y1
    drawn = {tuple(line.get_ydata()): tuple(line.get_xdata()) for line in best.lines}
    assert drawn[0.3, 2.0, 2.3] == (120, 130, 140)
    # The run itself is in every panel but the one of other initializations.
    assert [sum(len(line.get_xdata()) == 11 for line in a.lines) for a in figure.axes] == [1, 1, 0]
    assert tuple(plateau.lines[1].get_xdata()) == (0, 10, 20)
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    # Infinity is a triangle.
    [mark] = [line for line in end.lines if line.get_marker() == "^"]
    assert mark.get_xdata() == [220]


def test_kinds_are_counted_and_rates_named(found):
    written = words(trainings(found(ESCAPE)))
    assert "same rate, other orders (2)" in written
    assert "a tenth of the rate (1)" in written
    assert {"η 0.01", "η 1", "η 0.1"} <= set(written)
    assert "ignoring the input, 2.30" in written


def test_lines_that_end_together_have_one_name(found):
    many = [
        branch(f"end-lr{k}", "rate", "end", 200, [2.3, 2.3 + 1e-4 * k], 10.0**-k) for k in range(4)
    ]
    written = words(trainings(found((*ESCAPE[:3], *many))))
    assert "4 rates" in written
    assert not {"η 0.001", "η 1"} & set(written)


def test_floors_have_a_panel_of_their_own_in_a_column(found):
    motion = (
        branch("floor1", "floor", "window", 60, [0.7, 0.6]),
        branch("floor2", "floor", "window", 100, [0.4, 0.3]),
        branch("replica1", "replica", "window", 80, [0.5, 0.4]),
        branch("full-batch", "full-batch", "window", 80, [0.5, 0.3]),
    )
    figure = trainings(found(motion), style=Style(width=3.25))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["from a snapshot (step 80)", "from 2 snapshots to floors"]
    assert len({axes.get_position().x0 for axes in figure.axes}) == 1


def test_its_caption(found):
    assert caption(found(ESCAPE)) == (
        "Training loss of run high-lr and of 5 trainings from its snapshots. "
        "From the lowest logged loss (step 120), loss at the end of 2 × same rate, other orders: "
        "0.1 to 2.3; 1 × a tenth of the rate: 0.01. From the last weights (step 200), loss at "
        "the end of 1 × other rates: ∞. From initializations on the plateau, steps from 0, loss at "
        "the end of 1 × other rates: 2.3. Loss at the end: the last loss that a training logged "
        "after its start."
    )


def test_its_caption_says_of_how_many_losses_an_end_is_the_median(found):
    falls = np.geomspace(0.77, 0.1, 17)
    counts = {2: 1, 6: 1, 7: 2, 16: 5, 17: 5}  # a third of those after the start
    for sizes, said in (
        ((7, 7), "the median of the last 2 losses that"),
        ((7, 17), "the median of the last 2 to 5 losses that"),
        ((2, 16), "the median of the last 1 to 5 losses that"),
        ((16, 17), "the median of the last 5 losses that"),
        ((2, 6), "the last loss that"),
    ):
        some = [
            branch(f"best-order{k}", "other-order", "best", 120, falls[:size])
            for k, size in enumerate(sizes)
        ]
        assert f"Loss at the end: {said} a training logged after its start." in caption(found(some))
        ends = [np.median(falls[size - counts[size] : size]) for size in sizes]
        low, high = (f"{end:.3g}" for end in (min(ends), max(ends)))
        assert f"2 × same rate, other orders: {low} to {high}." in caption(found(some))


@pytest.mark.parametrize("equal", [20, 19])
def test_a_control_that_repeats_the_run_lies_on_it(found, history, equal):
    # Both logged at steps of their own: the run every 20, the control at 125 and 135 too.
    step, losses = history.evaluated("train_loss")
    start = float(losses[step == 120][0])
    about = Intervention("best-control", "control", "best", 120, 0.1, 20, 32, 0)
    control = TrainingLosses(about, np.array([0, 5, 15]), np.array([start, 0.9, 1.7]))
    repeat = ControlRepeat("best", 20, equal, 0.0)
    tried = Interventions(escape=EscapeTrainings(1.0, (), (), (), (repeat,)))
    subject = found((control,), interventions=tried)
    [axes] = trainings(subject).axes
    lines = {line.get_linewidth(): dict(zip(*line.get_data(), strict=True)) for line in axes.lines}
    run, drawn = lines[1.2], lines[2.6]
    assert drawn == {120: start, 125: 0.9, 135: 1.7}
    logged = dict(zip(step.tolist(), losses.tolist(), strict=True))
    if equal == repeat.steps:
        assert run == {**logged, **drawn}
    else:
        assert run == logged
    said = "The control repeats the run to the bit (from the lowest logged loss): both lines join"
    assert (said in caption(subject)) == (equal == repeat.steps)


def test_none_has_ended(found):
    with pytest.raises(LandscapeError) as refused:
        trainings(found())
    assert str(refused.value) == (
        "a trainings figure needs trainings from the run's snapshots, run high-lr has none that "
        "ended; train them with `landscape diagnose RUN`"
    )


def test_figures_of_older_versions_are_known_again(found, history):
    """What a recipe's fingerprint is of: values by the names in analysis.h5 and of trainings."""
    jump = Jump(0, 1, 2, 5.0, 3.0, 0.9, 0.95, 5, 0.1)
    one = branch("order1", "other-order", "best", 100, [0.5, 0.4])
    rates = np.full(200, 0.1)
    before = {
        "branches": [
            {
                "name": "order1",
                "kind": "other-order",
                "start": "best",
                "start_step": 100,
                "learning_rate": 0.1,
                "step": one.step,
                "train_loss": one.train_loss,
            }
        ],
        "history": history,
        "learning_rate": rates,
        "parts": {
            "jump": {
                "first": 0,
                "peak": 1,
                "last": 2,
                "before": 5.0,
                "after": 3.0,
                "along_top": 0.9,
                "along_subspace": 0.95,
                "count": 5,
                "chance": 0.1,
            }
        },
    }
    now = recipe.identity(found((one,), jump=jump))
    assert now == analysis.fingerprint(*recipe._flat(before))
