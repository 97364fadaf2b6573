from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from landscape.draw.elements.columns import Columns
from landscape.draw.interactive import turning, window
from landscape.draw.interactive.explorer_data import Entry
from landscape.draw.interactive.window import SurfaceWindow
from landscape.draw.solid import scene
from landscape.errors import LandscapeError
from landscape.store.scans import scanfile, valleyfile


def test_planes_and_valleys_have_a_window(planted):
    plane, line = Entry("a", "plane", planted.bowl(5, 5)), Entry("a", "line", planted.line(5))
    valley = planted.valley(4, jump=None)
    nothing = replace(
        valley,
        measures={"train_loss": np.full_like(valley.measures["train_loss"], np.nan)},
        measured=np.zeros_like(valley.measured),
    )
    entries = [line, plane, Entry("a", "valley", valley), Entry("a", "begun", nothing)]
    assert [one.name for one in window.turnable(entries)] == ["plane", "valley"]
    with pytest.raises(LandscapeError) as caught:
        SurfaceWindow([line])
    assert str(caught.value) == (
        "a window shows planes and valleys, got none that is measured; see lines with --html"
    )


def test_a_valley_up_to_a_step(planted):
    valley = planted.valley()
    shown = turning.turned(valley, 0, log=True)
    assert turning.steps(valley) == valley.slices.step.tolist()
    shadows, trail = shown.walked(320)
    assert shadows == ()
    far = np.concatenate([tube.points for tube in trail.tubes])[:, 0].max()
    x = Columns.of(valley).at(valley.path.travelled)
    np.testing.assert_allclose(far, x[8] / Columns.of(valley).width - 0.5)
    assert [point.name for point, _ in trail.places] == ["start"]
    [(places, says)] = shown.spots(320)
    assert np.isfinite(places[:9]).all()
    assert np.isnan(places[9:]).all()
    heights = shown.box.height * shown.scale.position(valley.path.loss[:9])
    np.testing.assert_allclose(places[:9, 2], heights)
    assert says(8) == "step 320\nloss 1.9"
    assert shown.facts(330) == [
        "column at step 320, loss 1.9, width r₀.₁ 0.115, critical sharpness 10.8"
    ]
    linear = turning.turned(valley, 0, log=False)
    assert (shown.scale.log, linear.scale.log) == (True, False)
    assert np.linalg.norm(shown.eye()) == pytest.approx(1)


def test_a_path_up_to_a_step(planted):
    scan = planted.escape(21, 13)
    step = int(scan.paths[0].step[50])
    part = scene.until(scan, step)
    np.testing.assert_array_equal(part.paths[0].xy, scan.paths[0].xy[:51])
    np.testing.assert_array_equal(part.paths[0].true_loss, scan.paths[0].true_loss[:51])
    assert [point.name for point in part.points] == ["start", "best"]
    shown = turning.turned(scan, 0, log=True)
    assert shown.facts(step)[0].startswith(f"step {step:,}, true loss ")


def test_colours_are_those_of_the_whole_path(planted):
    scan = planted.escape(21, 13)
    shown = scene.of(scan, "train_loss", log=True)
    whole = scene.laid(shown, int(scan.paths[0].step[-1]))
    part = scene.laid(shown, int(scan.paths[0].step[60]))
    count = len(part.tubes[0].points) - 1
    assert count > 10
    np.testing.assert_array_equal(part.tubes[0].colours[:count], whole.tubes[0].colours[:count])


def test_another_measure_has_projections_only(planted):
    scan = planted.escape(21, 13)
    shown = scene.of(scan, "validation_accuracy", log=True)
    assert not shown.scale.log
    laid = scene.laid(shown, int(scan.paths[0].step[-1]))
    assert laid.tubes == []
    assert laid.tracks


def test_places_of_a_path(planted):
    """At true losses over the training loss, on the surface over another measure, none beyond."""
    scan = planted.escape(21, 13)
    path = scan.paths[0]
    shown = scene.of(scan, "train_loss", log=True)
    found = scene.places(shown, path)
    wanted = shown.box.height * shown.scale.position(path.true_loss)
    inside = np.isfinite(found[:, 2])
    assert inside.sum() > 100
    np.testing.assert_allclose(found[inside, 2], wanted[inside])
    far = replace(path, xy=path.xy + np.array([0.0, 1000.0]))
    assert np.isnan(scene.places(shown, far)).all()
    other = scene.of(scan, "validation_accuracy", log=True)
    flat = scene.places(other, path)
    at = int(np.abs(path.xy).sum(axis=1).argmin())
    i, j = np.abs(scan.x).argmin(), np.abs(scan.y).argmin()
    corner = scan.measures["validation_accuracy"][i - 1 : i + 2, j - 1 : j + 2]
    assert corner.min() <= flat[at, 2] / other.box.height <= corner.max()


def test_steps_of_several_paths(planted):
    scan = planted.escape(5, 5)
    later = replace(scan.paths[0], step=scan.paths[0].step + 1)
    both = scene.recorded_steps(replace(scan, paths=(scan.paths[0], later)))
    assert both[:4] == [0, 1, 45, 46]


SCRIPT = """
    import sys
    from pathlib import Path
    import numpy as np
    from landscape.draw.interactive.explorer_data import Entry
    from landscape.draw.interactive.window import SurfaceWindow
    from landscape.draw.solid import scene
    from landscape.quantities import number
    from landscape.draw.making import open_work

    entries = [Entry("run", name, open_work(Path(name)).subject) for name in sys.argv[1:4]]
    window = SurfaceWindow(entries, size=(640, 430))
    window.plotter.show(interactive_update=True, auto_close=False)
    assert window.plotter.render_window.GetClassName() == "vtkXOpenGLRenderWindow"
    drawn = []

    def look(change):
        change()
        window.plotter.update()
        picture = window.plotter.screenshot(None, return_img=True)
        assert not drawn or np.mean(picture != drawn[-1]) > 0.001, len(drawn)
        drawn.append(picture)

    def drag():
        interactor = window.plotter.iren.interactor
        interactor.SetEventInformation(300, 200)
        interactor.LeftButtonPressEvent()
        interactor.SetEventInformation(380, 215)
        interactor.MouseMoveEvent()
        interactor.LeftButtonReleaseEvent()

    def key(name):
        interactor = window.plotter.iren.interactor
        interactor.SetKeySym(name)
        interactor.KeyPressEvent()

    look(lambda: None)
    look(drag)
    # On a recorded place of the path, as VTK itself sees it, its values are told.
    path, row = window.entry.scan.paths[0], 70
    place = scene.places(window.shown.scene, path)[row]
    renderer = window.plotter.renderer
    renderer.SetWorldPoint(*place, 1)
    renderer.WorldToDisplay()
    at = np.round(renderer.GetDisplayPoint()[:2]).astype(int).tolist()
    assert np.abs(window.pixels(place[None])[0] - at).max() <= 1
    interactor = window.plotter.iren.interactor
    interactor.SetEventInformation(*at)
    look(lambda: interactor.MouseMoveEvent())
    told = window.hovered.split("\\n")
    near = [k for k in range(len(path.step)) if told[0] == f"step {path.step[k]:,}"]
    assert len(near) == 1, told
    away = window.pixels(scene.places(window.shown.scene, path))[near[0]] - at
    assert np.hypot(*away) < 2, away
    assert told[1:] == [
        f"loss {number(path.true_loss[near[0]], 4)}",
        f"x {number(path.xy[near[0], 0], 4)}",
        f"y {number(path.xy[near[0], 1], 4)}",
    ]
    interactor.SetEventInformation(3, 3)
    look(lambda: interactor.MouseMoveEvent())
    assert window.hovered == ""
    view = window.plotter.camera.position
    look(lambda: window.choose(step=30))
    assert window.plotter.camera.position == view
    for name in ("Left", "l", "m", "h", "n"):
        look(lambda: key(name))
    look(drag)
    look(lambda: key("0"))
    assert window.entry.name == "bowl.h5"
    look(lambda: key("n"))
    assert window.entry.name == "valley.h5"
    look(lambda: window.choose(step=3))
    look(lambda: key("l"))
    window.plotter.close()
    print("closed after", len(drawn))
"""


@pytest.mark.slow
def test_a_window_opens_turns_and_closes(planted, gl, tmp_path):
    if shutil.which("Xvfb") is None:
        if os.environ.get("CI"):
            pytest.fail("the build server must have Xvfb")
        pytest.skip("Xvfb is not installed")
    for name, scan in (("escape.h5", planted.escape(15, 9)), ("bowl.h5", planted.bowl(11, 11))):
        scanfile.save(tmp_path / name, scan)
    valleyfile.save(tmp_path / "valley.h5", planted.valley(6, jump=None))
    read, write = os.pipe()
    # Else it begins anew once its first client has gone, and refuses who comes meanwhile.
    options = ["-noreset", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), *options],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(write)
        with os.fdopen(read) as told:
            display = told.readline().strip()
        assert display, "Xvfb did not start"
        environment = {**os.environ, "DISPLAY": f":{display}"}
        environment.pop("VTK_DEFAULT_OPENGL_WINDOW", None)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(SCRIPT), "escape.h5", "bowl.h5", "valley.h5"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        server.terminate()
        server.wait()
    assert (done.returncode, done.stdout) == (0, "closed after 15\n"), done.stderr[-2000:]
