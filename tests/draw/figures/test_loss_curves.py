from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text

from landscape import draw
from landscape.draw.look import theme
from landscape.draw.look.style import Style
from landscape.draw.run_captions import caption_of_run
from landscape.errors import LandscapeError
from landscape.store.best import BestWeights
from landscape.store.history import History
from landscape.store.trajectories.trajectory import Event

STEP = np.array([0, 45, 90, 135, 180, 225])
TRAIN = np.array([2.31, 1.2, np.nan, 0.4, 2.4, 2.3])


@pytest.fixture
def history() -> History:
    return History(
        "high-lr",
        "1f2e",
        STEP,
        {
            "train_loss": TRAIN,
            "validation_loss": TRAIN + 0.1,
            "train_accuracy": np.array([0.1, 0.6, np.nan, 0.9, 0.1, 0.1]),
            "validation_accuracy": np.full(6, np.nan),
        },
        np.linspace(2.4, 0.3, 225),
        (
            Event("plateau", 0, 40, ""),
            Event("escape", 140, 225, ""),
            Event("plateau", 180, 225, ""),
        ),
        2.302585,
        {"lr": 0.1, "momentum": 0.9, "batch_size": 32, "seed": 0, "weight_decay": 0.0},
        {"train": 1437},
    )


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_losses_over_steps_with_gaps_closed(history):
    figure = draw.KINDS["loss"](history)
    upper, lower = figure.axes[:2]
    lines = {line.get_label(): line for line in upper.lines}
    # Rows that weren't evaluated don't break the line.
    np.testing.assert_array_equal(lines["training"].get_xdata(), [0, 45, 135, 180, 225])
    np.testing.assert_array_equal(lines["training"].get_ydata(), [2.31, 1.2, 0.4, 2.4, 2.3])
    np.testing.assert_allclose(lines["validation"].get_ydata()[:2], [2.41, 1.3])
    assert upper.get_yscale() == "log"
    assert lower.get_ylabel() == "accuracy"
    curves = [line for line in lower.lines if line.get_marker() != "o"]
    assert len([line for line in curves if len(line.get_xdata()) > 1]) == 1


def logged(axes):
    """Steps at which dots stand in a line, by its colour."""
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    return {line.get_color(): line.get_xdata().tolist() for line in dots}


def test_dots_mark_logged_losses_where_these_are_sparse(history):
    figure = draw.KINDS["loss"](history)
    look = theme.LOOKS["paper"]
    evaluated = [0, 45, 135, 180, 225]
    assert logged(figure.axes[0]) == {look.train: evaluated, look.validation: evaluated}
    assert logged(figure.axes[1]) == {look.train: evaluated}
    assert "logged" in figure.drawn
    # A loss of each step up to 100, then one at 200: dots on both sides of what nobody knows.
    step = np.append(np.arange(101), 200)
    some = {"train_loss": np.linspace(2.0, 1.0, 102)}
    dense = replace(history, step=step, measures=some, batch_loss=np.ones(200), events=())
    assert logged(draw.KINDS["loss"](dense).axes[0]) == {look.train: [100, 200]}
    step = np.arange(0, 1001, 2)
    every = replace(
        dense, step=step, measures={"train_loss": 1 / (1 + step)}, batch_loss=np.ones(1000)
    )
    figure = draw.KINDS["loss"](every)
    assert logged(figure.axes[0]) == {}
    assert "logged" not in figure.drawn


def test_what_happened_is_a_band_and_named(history):
    figure = draw.KINDS["loss"](history)
    spans = {
        (tuple(np.round(patch.get_facecolor()[:3], 3)), patch.get_x(), patch.get_width())
        for patch in figure.axes[0].patches
        if isinstance(patch, Rectangle)
    }
    colour = {n: tuple(np.round(to_rgba(c)[:3], 3)) for n, c in theme.EPISODES.items()}
    # The plateau covers the rest of the escape.
    assert spans == {
        (colour["plateau"], 0, 40),
        (colour["escape"], 140, 40),
        (colour["plateau"], 180, 45),
    }
    written = texts(figure)
    # On the spot, once each; no legend.
    for name in ("escape", "plateau", "training", "validation", "batches"):
        assert written.count(name) == 1, name
    assert "2.30 ignoring the input" in written


@pytest.mark.parametrize("width", [3.25, 5.0])
def test_most_of_it_is_data_and_labels_keep_apart(history, width):
    figure = draw.KINDS["loss"](history, style=Style(width=width))
    figure.canvas.draw()
    places = [axes.get_position() for axes in figure.axes]
    assert sum(place.width * place.height for place in places) > 0.7
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    for k, box in enumerate(boxes):
        for other in boxes[:k]:
            wide = min(box.x1, other.x1) - max(box.x0, other.x0)
            tall = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(wide, tall) <= 1


def test_nothing_is_joined_where_no_batch_was_measured_between(history):
    alone = replace(history, batch_loss=np.full(225, np.nan))
    for one, joined in ((history, True), (alone, False)):
        lines = draw.KINDS["loss"](one).axes[0].lines
        curve = next(line for line in lines if line.get_label() == "training")
        assert (curve.get_linewidth() > 0) is joined
        dots = [line for line in lines if line.get_marker() == "."]
        assert sum(len(line.get_xdata()) for line in dots) == (0 if joined else 10)


def test_the_batches_range_is_theirs(history):
    for steps in (2250, 660):  # 660: of single steps there would be no range
        batch = np.tile([0.5, 1.5], steps // 2)
        long = replace(history, batch_loss=batch, step=STEP * steps // 225)
        axes = draw.KINDS["loss"](long).axes[0]
        [band] = [part for part in axes.collections if part.get_alpha() == 0.35]
        x, heights = band.get_paths()[0].vertices.T
        for part in np.array_split(np.argsort(x), 5):
            assert heights[part].min() == pytest.approx(0.5)
            assert heights[part].max() == pytest.approx(1.5)


def test_nothing_happened(history):
    figure = draw.KINDS["loss"](replace(history, events=()))
    assert len(figure.axes) == 2
    assert not [p for p in figure.axes[0].patches if isinstance(p, Rectangle | Polygon)]


def test_a_column_and_a_linear_scale(history):
    figure = draw.KINDS["loss"](history, style=Style(width=3.25, log=False))
    assert figure.get_figwidth() == pytest.approx(3.25)
    assert figure.axes[0].get_yscale() == "linear"


def test_a_diverged_run(history):
    losses = np.array([2.3, 1.0, 9.0, np.inf, np.inf, np.inf])
    figure = draw.KINDS["loss"](replace(history, measures={"train_loss": losses}))
    [marks] = [line for line in figure.axes[0].lines if line.get_label() == "infinite"]
    np.testing.assert_array_equal(marks.get_xdata(), [135, 180, 225])


@pytest.mark.parametrize("highest", [9.0, 9e4, 1e20])
def test_wide_numbers_leave_the_axis_name_on_the_page(history, highest):
    losses = np.array([2.3, 1.0, highest / 30, highest, highest / 3, highest])
    figure = draw.KINDS["loss"](replace(history, measures={"train_loss": losses}))
    figure.canvas.draw()
    upper = figure.axes[0]
    name = upper.yaxis.label.get_window_extent()
    assert name.x0 >= 0
    ticks = [text.get_window_extent() for text in upper.get_yticklabels()]
    assert name.x1 <= min(box.x0 for box in ticks)


def test_too_little_to_draw(history):
    bare = replace(history, measures={"train_loss": np.array([1.0] + [np.nan] * 5)})
    with pytest.raises(LandscapeError) as refused:
        draw.KINDS["loss"](bare)
    assert str(refused.value) == (
        "a loss figure needs full-data losses at two steps, run high-lr has fewer"
    )


def test_its_caption(history):
    assert caption_of_run(history) == (
        "Losses and accuracies of run high-lr by training step.\n\n"
        "Losses of run high-lr (1f2e) over the full data, logged at 5 of 6 recorded steps, "
        "0 to 225. Training: learning rate 0.1, momentum 0.9, batch 32, seed 0. "
        "Training loss: 2.31 at step 0, lowest logged 0.4 at step 135, 2.3 at step 225. "
        "Ignoring the input, a network has training loss 2.303 (ln 10) at best. "
        "Events: plateau: steps 0–40, steps 180–225; escape: steps 140–225 (of which "
        "180–225 plateau)."
    )


def test_its_caption_counts_the_losses_that_are_drawn(history):
    def said(**measures):
        return caption_of_run(replace(history, measures=measures))

    every, some = np.ones(6), np.array([1.0, np.nan, np.nan, 1.0, np.inf, 1.0])
    assert "over the full data, logged at each of 6 recorded steps, 0 to 225." in said(
        train_loss=every
    )
    assert (
        "over the full data, logged that of training at 4 and that of validation at 6 of 6 "
        "recorded steps, 0 to 225."
    ) in said(train_loss=some, validation_loss=every)


def test_its_caption_says_where_the_best_is_that_is_not_drawn(history):
    best = "The best of all recorded weights, 0.3 at step 90, isn't among them: scan s measured it."
    assert best in caption_of_run(replace(history, best=BestWeights(90, 0.3, "s")))
    assert "isn't among them" not in caption_of_run(
        replace(history, best=BestWeights(135, 0.4, ""))
    )


@pytest.mark.parametrize("spike", [0.05, 0.3, 0.5, 0.9, 0.97])
def test_the_name_of_the_constant_output_stands_where_no_loss_runs(history, spike):
    """A spike through its level is much narrower than the name is wide."""
    step = np.arange(0, 2250, 30)
    loss = np.full(75, 1.0)
    loss[-12:] = 2.3
    loss[int(74 * spike)] = 4.0
    measures = {"train_loss": loss, "validation_loss": loss + 0.05}
    one = replace(history, step=step, measures=measures, batch_loss=np.full(2250, np.nan))
    figure = draw.KINDS["loss"](one, style=Style(dpi=100))
    figure.canvas.draw()
    upper = figure.axes[0]
    [name] = [text for text in upper.texts if "ignoring" in text.get_text()]
    box = name.get_window_extent()
    for values in measures.values():
        fine = np.linspace(0, 2220, 40_000)
        at = upper.transData.transform(np.column_stack([fine, np.interp(fine, step, values)]))
        assert not ((at > box.p0) & (at < box.p1)).all(axis=1).any()


def test_where_losses_leave_it_no_room_the_constant_output_has_no_name(history):
    step = np.arange(0, 240, 3)
    loss = np.where(step % 2, 0.5, 9.0)
    one = replace(history, step=step, measures={"train_loss": loss})
    figure = draw.KINDS["loss"](one)
    assert not [text for text in texts(figure) if "ignoring" in text]
    assert "constant" in figure.drawn
