from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from landscape import draw
from landscape.draw.elements import episodes
from landscape.draw.look import scale, theme
from landscape.draw.look.style import Style
from landscape.draw.solid import stage, trail
from landscape.store.scans import sentences
from landscape.store.trajectories.trajectory import Event

EVENTS = (
    Event("plateau", 0, 90, ""),
    Event("spike", 300, 300, ""),
    Event("spike", 900, 1170, ""),
    Event("recovery", 1000, 1300, ""),
    Event("escape", 2000, 5355, ""),
    Event("plateau", 2500, 5355, ""),
)


def eventful(scan, events=EVENTS):
    [path] = scan.paths
    return replace(scan, paths=(replace(path, events=events),))


def topmost(step, events):
    """What covers the moment after ``step``, by looking at each event."""
    there = [e for e in events if e.first <= step < e.last]
    return max((episodes.NAMES.index(e.name) for e in there), default=episodes.NONE)


def test_stretches_do_not_overlap_and_the_later_name_covers():
    found = episodes.stretches(EVENTS)
    assert ("spike", 300, 300) in found
    lasting = [(name, first, last) for name, first, last in found if first < last]
    for step in range(5400):
        names = [n for n, first, last in lasting if first <= step < last]
        assert len(names) <= 1
        wanted = topmost(step, EVENTS)
        assert names == ([] if wanted == episodes.NONE else [episodes.NAMES[wanted]])


@pytest.mark.parametrize("every", [1, 7, 45])
def test_segments_belong_to_what_happens_in_them(every):
    step = np.arange(0, 5400, every)
    kinds = episodes.along(step, EVENTS)
    assert len(kinds) == len(step) - 1
    for first, last, kind in zip(step[:-1], step[1:], kinds, strict=True):
        inside = [topmost(moment, EVENTS) for moment in range(first, last)]
        # The one step at 300 is a part of the segments that touch it.
        inside += [episodes.NAMES.index("spike")] * int(first <= 300 <= last)
        assert kind == max(inside)


def test_unknown_names_and_nothing():
    assert episodes.stretches([]) == []
    assert episodes.stretches([Event("eclipse", 1, 5, "")]) == []
    assert sentences.happened(()) == ""
    assert len(episodes.along(np.array([0]), EVENTS)) == 0


def test_the_words():
    assert sentences.happened(EVENTS) == (
        "Events: plateau: steps 0–90, steps 2,500–5,355; spike: step 300, steps 900–1,170; "
        "recovery: steps 1,170–1,300 (on its way since step 1,000, within the spike); "
        "escape: steps 2,000–5,355 (of which 2,500–5,355 plateau)."
    )
    many = [Event("spike", k, k + 5, "") for k in (10, 400, 90)]
    assert sentences.episodes("spike", many) == "3 × spike: steps 10 to 405"
    long = Event("escape", 20, 402, "")
    assert sentences.episodes("escape", [*many, long]) == (
        "escape: steps 20–402 (of which 90–95 spike, 400–402 spike)"
    )
    many += [Event("plateau", 100, 200, "")]
    assert sentences.episodes("escape", [*many, long]) == (
        "escape: steps 20–402 (of which 3 stretches spike or plateau)"
    )


def test_what_is_said_to_be_of_another_kind_is_drawn_as_that():
    """What `stretches` leaves of an event is what the words leave of it."""
    for event in EVENTS:
        said = sentences.episodes(event.name, EVENTS)
        mine = [(a, b) for name, a, b in episodes.stretches(EVENTS) if name == event.name]
        for first, last in mine:
            inside = event.first <= first and last <= event.last
            whole = (first, last) == (event.first, event.last)
            if inside and not whole:
                other = {f"{last:,}–{event.last:,}", f"{event.first:,}–{first:,}"}
                own = f"steps {first:,}–{last:,} (on its way since step {event.first:,}, "
                assert own in said or any(f"of which {one} " in said for one in other)


def test_an_escape_straight_to_a_plateau_is_drawn_and_named_too():
    events = (Event("escape", 150, 1800, ""), Event("plateau", 150, 1800, ""))
    assert episodes.stretches(events) == [("plateau", 150, 1800), ("escape", 150, 150)]
    kinds = episodes.along(np.arange(0, 1801, 30), events)
    escape, plateau = (episodes.NAMES.index(name) for name in ("escape", "plateau"))
    # The one step belongs to the segments on both sides of it.
    assert kinds.tolist() == [episodes.NONE] * 4 + [escape] * 2 + [plateau] * 54
    figure = Figure(figsize=(4, 2))
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_xlim(0, 1800)
    episodes.shade(axes, events, 5.0, named=True)
    assert sorted(text.get_text() for text in axes.texts) == ["escape", "plateau"]
    assert sentences.happened(events) == (
        "Events: escape: step 150, straight to a plateau; plateau: steps 150–1,800."
    )


@pytest.mark.parametrize(
    ("others", "covered"),
    [
        ([("plateau", 0, 40), ("spike", 30, 100)], True),
        ([("plateau", 10, 40), ("spike", 50, 100)], False),
        ([("plateau", 11, 100)], False),
        ([("plateau", 10, 99)], False),
        ([("escape", 0, 200)], False),
        ([], False),
    ],
)
def test_what_several_cover_together_is_covered(others, covered):
    event = Event("recovery", 10, 100, "")
    every = [event, *(Event(*other, "") for other in others)]
    assert sentences.is_covered(event, every) == covered
    assert (("recovery", 10, 10) in episodes.stretches(every)) == covered


def test_every_kind_is_named_once_on_its_own_colour():
    figure = Figure(figsize=(4, 2))
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_xlim(0, 1000)
    events = [
        Event("recovery", 500, 520, ""),
        Event("spike", 500, 510, ""),
        Event("escape", 530, 1000, ""),
        Event("plateau", 540, 560, ""),
    ]
    episodes.shade(axes, events, 2.0, named=True)
    names = [text.get_text() for text in axes.texts]
    assert sorted(names) == ["escape", "plateau", "recovery", "spike"]
    for text in axes.texts:
        assert text.get_bbox_patch().get_facecolor() == to_rgba(theme.episode(text.get_text()))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])


@pytest.mark.parametrize("begin", [130, 900, 1794])
def test_a_name_wider_than_its_band_hangs_from_it(begin):
    figure = Figure(figsize=(4, 2), dpi=theme.DPI)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_xlim(0, 1800)
    events = [Event("spike", begin, begin, ""), Event("recovery", begin, begin + 5, "")]
    episodes.shade(axes, events, 4.5, named=True)
    figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_bbox_patch().get_window_extent() for text in axes.texts}
    assert not boxes["spike"].overlaps(boxes["recovery"])
    middles = {"spike": begin, "recovery": begin + 2.5}
    for name, box in boxes.items():
        [[at, _]] = axes.transData.transform([[middles[name], 0.5]])
        assert box.x0 <= at <= box.x1
        others = [other for other in boxes.values() if other.y0 > box.y0]
        # From there to the top it is seen.
        assert not any(other.x0 + 4 < at < other.x1 - 4 for other in others)
    colours = {line.get_color(): line for line in axes.lines}
    for name, middle in middles.items():
        line = colours[theme.strong_episode(name)]
        assert line.get_ydata()[1] == 1.0
        place = axes.transAxes.transform([[line.get_xdata()[0], 0.0]])[0, 0]
        assert place == pytest.approx(axes.transData.transform([[middle, 0.0]])[0, 0], abs=1)


def test_a_path_lies_in_bands_of_their_colours(planted):
    scan = eventful(planted.escape(15, 9))
    figure = draw.contour(scan, style=Style(explain=True))
    bands = {
        tuple(collection.get_colors()[0]): collection.get_segments()
        for collection in figure.axes[0].findobj(LineCollection)
        if len(collection.get_colors()) == 1
    }
    kinds = episodes.along(scan.paths[0].step, EVENTS)
    for kind in np.unique(kinds[kinds >= 0]):
        drawn = bands[to_rgba(episodes.COLOURS[episodes.NAMES[kind]])]
        xy = scan.paths[0].xy
        wanted = [xy[k : k + 2] for k in np.flatnonzero(kinds == kind)]
        np.testing.assert_array_equal(np.array(drawn), np.array(wanted))
    written = [text.get_text() for text in figure.axes[0].texts]
    assert {"plateau", "escape", "spike", "recovery"} <= set(written)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "escape: steps 2,000–5,355 (of which 2,500–5,355 plateau)" in legend


def test_names_stand_at_the_longest_stretch(planted):
    scan = eventful(planted.escape(15, 9))
    path = scan.paths[0]
    held = np.ones(len(path.step), np.bool_)
    places = dict(episodes.name_places(path, held))
    kinds = episodes.along(path.step, EVENTS)
    mine = path.xy[np.flatnonzero(kinds == episodes.NAMES.index("plateau"))]
    # The plateau at the end is far longer than the one at the start.
    assert mine[:, 0].min() < places["plateau"][0] < mine[:, 0].max()
    assert places["plateau"][0] > 20
    assert dict(episodes.name_places(path, ~held)) == {}


def test_surfaces_carry_them_over_the_ground(planted):
    scan = eventful(planted.escape(21, 13))
    box, colours = stage.box_of(scan), scale.of(scan, paths=True)
    laid = trail.of(scan, colours, box)
    path = scan.paths[0]
    kinds = episodes.along(path.step, EVENTS)
    for track in laid.tracks:
        for k in range(0, len(track.episode), 40):
            middle = (track.points[k, :2] + track.points[k + 1, :2]) / 2
            xy = box.window.at(middle / box.size + 0.5)
            # The recorded segment that passes there is of that kind.
            a, b = path.xy[:-1], path.xy[1:]
            along = np.clip(
                ((xy - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-12), 0, 1
            )
            near = np.linalg.norm(a + along[:, None] * (b - a) - xy, axis=1)
            assert track.episode[k] in kinds[near < 1e-6 + near.min()]
    assert {name for name, _ in laid.episodes()} == {"plateau", "escape", "spike", "recovery"}


def test_surfaces_name_them(planted, no_gl):
    figure = draw.surface(eventful(planted.escape(15, 9)), style=Style(explain=True))
    written = {text.get_text() for text in figure.axes[0].findobj(Text)}
    assert {"plateau", "escape"} <= written


def test_captions_tell_them(planted):
    assert "escape: steps 2,000–5,355 (of which" in draw.caption(eventful(planted.escape(5, 5)))


def test_on_a_dot_of_a_path_nothing_is_named(planted, no_gl):
    scan = eventful(planted.random(9, 9), EVENTS[:1])
    figure = draw.surface(scan, style=Style(explain=True))
    assert "plateau" not in {text.get_text() for text in figure.axes[0].findobj(Text)}
    assert not any("plateau" in text.get_text() for text in figure.legends[0].get_texts())


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("tall", [1.0, 2.0])
def test_names_stand_beneath_the_lowest_value(scale, tall):
    events = (Event("spike", 40, 42, ""), Event("recovery", 40, 50, ""))
    figure = Figure(figsize=(4, tall))
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_yscale(scale)
    axes.set(xlim=(0, 400), ylim=(0.5, 8))
    episodes.shade(axes, events, 2.0, named=True, lowest=0.6)
    assert axes.get_ylim()[1] == 8
    figure.draw_without_rendering()
    top = max(text.get_bbox_patch().get_window_extent().y1 for text in axes.texts)
    [[_, lowest]] = axes.transData.transform([[45.0, 0.6]])
    assert len(axes.texts) == 2
    assert lowest >= top - 1 or tall == 1.0  # names take no more than MOST of the axis
    low = axes.get_ylim()
    episodes.shade(axes, events, 2.0, named=True, lowest=7.0)
    assert axes.get_ylim() == low
