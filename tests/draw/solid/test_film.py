from __future__ import annotations

import json
import os
import signal
import sys
import time

import numpy as np
import pytest

from landscape.draw import recipe
from landscape.draw.look.style import Style
from landscape.draw.solid import film, film_frames, view
from landscape.draw.solid.film_frames import Format
from landscape.errors import LandscapeError

from ...cli.mounts import refusal
from ...disturbances import in_a_process, mount, own_mounts


@pytest.fixture
def still(monkeypatch):
    """Frames that need no rendering: one grey each, lighter and lighter."""
    made = []

    def frames(scan, count, style):
        for number in range(count):
            made.append(number)
            wide, high = Format.of(style).size
            yield np.full((high, wide, 3), 10 * number, np.uint8)

    monkeypatch.setattr(film_frames, "frames", frames)
    return made


def pictures(path):
    import imageio_ffmpeg

    stream = imageio_ffmpeg.read_frames(str(path))
    about = next(stream)
    size = about["size"]
    return about, [np.frombuffer(one, np.uint8).reshape(size[1], size[0], 3) for one in stream]


def test_every_frame_is_in_both_films(planted, still, tmp_path):
    told = []
    files = film.write(
        planted.bowl(5, 5),
        tmp_path / "new" / "orbit",
        formats=("mp4", "gif"),
        frames=6,
        caption="what a paper says",
        report=lambda done, total: told.append((done, total)),
    )
    assert [file.name for file in files] == ["orbit.mp4", "orbit.gif", "orbit.caption.txt"]
    assert sorted(file.name for file in files[0].parent.iterdir()) == sorted(
        file.name for file in files
    )
    assert files[2].read_text() == "what a paper says\n"
    assert told == [(number, 12) for number in range(1, 13)]
    about, found = pictures(files[0])
    assert (about["size"], about["fps"]) == ((960, 720), 24)
    levels = [float(picture.mean()) for picture in found]
    np.testing.assert_allclose(levels, 10 * np.arange(6), atol=3)
    about, found = pictures(files[1])
    assert about["size"] == (640, 480)
    np.testing.assert_allclose(
        [float(picture.mean()) for picture in found[:6]], 10 * np.arange(6), atol=6
    )


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_film_holds_its_recipe_and_still_plays(planted, still, tmp_path, ending):
    text = json.dumps({"format": recipe.FORMAT, "padding": "ö" * 600}, ensure_ascii=True)
    [file, _] = film.write(
        planted.bowl(5, 5), tmp_path / "orbit", formats=(ending,), frames=4, recipe=text
    )
    assert recipe.READERS[f".{ending}"](file) == text
    assert len(pictures(file)[1]) >= 4
    [plain, _] = film.write(planted.bowl(5, 5), tmp_path / "b", formats=(ending,), frames=4)
    assert recipe.READERS[f".{ending}"](plain) is None


def test_a_wider_film_has_more_pixels(planted, still, tmp_path):
    style = Style(width=10.8)
    files = film.write(
        planted.bowl(5, 5), tmp_path / "a", formats=("mp4", "gif"), frames=2, style=style
    )
    assert [pictures(file)[0]["size"] for file in files[:2]] == [(1440, 1080), (960, 720)]
    assert Format.of(Style(theme="talk")).size == (960, 720)
    with pytest.raises(LandscapeError) as caught:
        film.write(planted.bowl(5, 5), tmp_path / "b", style=Style(width=3.25))
    assert str(caught.value) == (
        "a film's width must be at least 5 inches with theme paper, got 3.25"
    )


def test_it_turns_from_the_camera_that_was_asked_for(planted, no_gl, monkeypatch):
    seen = []

    def fitted(corners, azimuth, elevation, size, margins):
        seen.append((azimuth, elevation))
        return real(corners, azimuth, elevation, size, margins)

    real = film_frames.perspective.fitted
    monkeypatch.setattr(film_frames.perspective, "fitted", fitted)
    scan = planted.escape(5, 5)
    next(film_frames.frames(scan, 4, Style(camera=(-60.0, 50.0))))
    assert seen[:4] == [(-60.0, 50.0), (30.0, 50.0), (120.0, 50.0), (210.0, 50.0)]
    seen.clear()
    next(film_frames.frames(scan, 4, Style()))
    x, y, _ = view.eye(scan)
    assert seen[0] == (pytest.approx(np.degrees(np.arctan2(y, x))), film_frames.ELEVATION)


def test_frames_are_made_one_at_a_time(planted, still, tmp_path):
    ahead = []
    film.write(
        planted.bowl(5, 5),
        tmp_path / "orbit",
        frames=8,
        report=lambda done, total: ahead.append(len(still) - done),
    )
    assert set(ahead) == {0}


def test_a_film_that_is_stopped_leaves_what_was_there(planted, still, tmp_path):
    (tmp_path / "orbit.mp4").write_bytes(b"older")

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film.write(planted.bowl(5, 5), tmp_path / "orbit", frames=8, report=stop)
    assert [file.name for file in tmp_path.iterdir()] == ["orbit.mp4"]
    assert (tmp_path / "orbit.mp4").read_bytes() == b"older"


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_full_disk_leaves_no_half_film(planted, still, monkeypatch, tmp_path, ending, share):
    if reason := refusal():
        pytest.skip(reason)
    noise = np.zeros((2, 720, 960, 3), np.uint8)
    noise[:, :90] = np.random.default_rng(0).integers(0, 16, (2, 90, 960, 1)) * 16
    monkeypatch.setattr(film_frames, "frames", lambda scan, count, style: iter(noise))
    [whole, _] = film.write(planted.bowl(5, 5), tmp_path / "whole", formats=(ending,))
    pages = max(1, int(share * (whole.stat().st_size - 1)) // 4096)
    disk = tmp_path / "disk"
    disk.mkdir()

    def write():
        own_mounts()
        mount("tmpfs", disk, kind="tmpfs", size=str(4096 * pages))
        with pytest.raises(LandscapeError) as caught:
            film.write(planted.bowl(5, 5), disk / "a", formats=(ending,), recipe="{}")
        return f"{caught.value}, {[path.name for path in disk.iterdir()]}"

    said = in_a_process(write)
    assert said.startswith(f"a film can't be written to {disk}, ffmpeg said: ")
    assert said.endswith("; choose another folder, []")


def test_without_the_encoder(planted, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(LandscapeError) as caught:
        film.write(planted.bowl(5, 5), tmp_path / "orbit")
    assert str(caught.value) == (
        "a film needs the package imageio-ffmpeg, it is not installed: "
        "pip install 'sgd-landscape[film]'"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"formats": ("avi",)}, "a film's format must be one of mp4, gif, got avi"),
        ({"frames": 1}, "a film needs at least 2 frames, got 1"),
    ],
)
def test_mistakes(planted, tmp_path, more, message):
    with pytest.raises(LandscapeError) as caught:
        film.write(planted.bowl(5, 5), tmp_path / "orbit", **more)
    assert str(caught.value) == message


def test_a_line_has_no_film(planted):
    with pytest.raises(LandscapeError, match="needs a scan of a plane"):
        next(film_frames.frames(planted.line(5), 4, Style()))


def check(scan, style):
    made = list(film_frames.frames(scan, 3, style))
    assert [picture.shape for picture in made] == [(720, 960, 3)] * 3
    # It turns: the scene changes, its title and colour bars don't.
    assert np.mean(made[0][100:600, :600] != made[1][100:600, :600]) > 0.1
    np.testing.assert_array_equal(made[0][:40, :600], made[2][:40, :600])
    np.testing.assert_array_equal(made[0][-30:], made[2][-30:])
    # The dot runs along the curve.
    red = [np.argwhere((picture == [214, 39, 40]).all(axis=2)).mean(axis=0) for picture in made]
    assert red[1][1] > red[0][1] + 30
    return made


@pytest.mark.slow
def test_an_orbit_by_vtk(planted, gl):
    made = check(planted.escape(21, 13), Style(renderer="pyvista"))
    # Many colours: a surface, not a blank page.
    assert len(np.unique(made[1][100:600, :600].reshape(-1, 3), axis=0)) > 2000


def test_an_orbit_without_opengl(planted, no_gl):
    check(planted.escape(13, 9), Style())


def test_a_dark_one(planted, no_gl):
    picture = next(film_frames.frames(planted.escape(5, 5), 2, Style(theme="dark")))
    assert picture[2, 950].tolist() == [20, 22, 26]


def test_pyvista_without_opengl(planted, no_gl):
    with pytest.raises(LandscapeError, match=r"^renderer pyvista: no OpenGL"):
        next(film_frames.frames(planted.escape(5, 5), 3, Style(renderer="pyvista")))


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_what_a_killed_one_left_is_gone_with_the_next(planted, still, tmp_path, ending):
    def write(report):
        film.write(planted.bowl(5, 5), tmp_path / "a", formats=(ending,), frames=3, report=report)

    process = os.fork()
    if not process:
        write(lambda done, total: os.kill(os.getpid(), signal.SIGKILL))
    os.waitpid(process, 0)
    left = tmp_path / f".a.{ending}.{process}.{ending}"
    while not left.exists():
        time.sleep(0.01)  # ffmpeg makes it, which isn't killed with us
    write(None)
    assert {path.name for path in tmp_path.iterdir()} == {f"a.{ending}", "a.caption.txt"}
