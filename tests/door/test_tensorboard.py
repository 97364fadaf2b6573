"""What a log holds is read back from its event files, record by record."""

from __future__ import annotations

import io
import re
import struct
import sys
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event

import landscape as ls
from landscape.door.tensorboard import TensorBoardLog
from landscape.errors import LandscapeError


def records(folder):
    """Every value in the order in which it was written, with its step."""
    for file in sorted(folder.glob("events.out.tfevents.*")):
        content, at = file.read_bytes(), 0
        while at < len(content):  # length, its checksum, the event, its checksum
            (length,) = struct.unpack("<Q", content[at : at + 8])
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += 16 + length
            yield from ((value, event.step) for value in event.summary.value)


def logged(folder):
    """Numbers and pictures by tag and step."""
    found = defaultdict(dict)
    for value, step in records(folder):
        if not value.tag.startswith("events"):  # several may stand at one step
            assert step not in found[value.tag], f"{value.tag} is there twice"
            found[value.tag][step] = value_of(value)
    return found


def events_logged(folder):
    return [(value_of(value), step) for value, step in records(folder) if "events" in value.tag]


def value_of(value):
    match value.WhichOneof("value"):
        case "simple_value":
            return value.simple_value
        case "image":
            return Image.open(io.BytesIO(value.image.encoded_image_string))
        case "tensor":
            return value.tensor.string_val[0].decode()


@pytest.mark.slow
def test_all_of_a_run_is_logged_once(blobs, tmp_path):
    log = TensorBoardLog(tmp_path / "log", every=0.0)
    run = ls.train(blobs, lr=0.5, steps=30, record="1", to=tmp_path / "run", callbacks=[log])
    found, trajectory = logged(tmp_path / "log"), run.trajectory
    for name, values in trajectory.scalars().items():
        known = {t: value for t, value in enumerate(values) if not np.isnan(value)}
        assert found[f"steps/{name}"] == pytest.approx(known, rel=1e-6)
    for name, values in trajectory.measures.items():
        known = dict(zip(trajectory.step.tolist(), values, strict=True))
        assert found[f"full/{name}"] == pytest.approx(known, rel=1e-6)
    width, height = run.curves().canvas.get_width_height()
    assert found["figures/loss"][30].size == (width, height)
    # Pictures of a running training are there too, where something new was on the disk.
    assert set(found["figures/loss"]) <= set(range(1, 31))


def test_events_are_logged_where_they_began(tmp_path):
    problem = ls.Problem.builtin("mlp", "moons", width=8)
    spiking = ls.train(problem, lr=0.3, momentum=0.9, epochs=5, to=tmp_path / "run")
    log = TensorBoardLog(tmp_path / "log", figures=())
    log(spiking, ended=True)
    events = spiking.trajectory.events
    assert [event.name for event in events] == ["spike", "recovery"]
    assert events_logged(tmp_path / "log") == [
        (f"{event.name}, steps {event.first} to {event.last}: {event.trigger}", event.first)
        for event in events
    ]


def test_a_finished_run_is_logged_with_a_stride_into_a_writer_of_ones_own(moons, tmp_path):
    writer = SummaryWriter(str(tmp_path / "log"))
    TensorBoardLog(writer, stride=10)(moons, ended=True)
    writer.add_scalar("mine", 1.0, 0)  # it is still open
    writer.close()
    found = logged(tmp_path / "log")
    assert list(found["steps/batch_loss"]) == [0, 10, 20, 30, 40, 50, 60]
    assert found["mine"] == {0: 1.0}


def test_nothing_is_logged_twice(moons, tmp_path):
    log = TensorBoardLog(tmp_path / "log")
    log.follow(moons.folder)
    log(moons, ended=True)
    assert len(logged(tmp_path / "log")["steps/batch_loss"]) == 64  # which refuses doubles


def test_it_is_of_one_run(moons, blobs, tmp_path):
    log = TensorBoardLog(tmp_path / "log")
    log.follow(moons)
    other = ls.train(blobs, steps=1, to=tmp_path / "other")
    message = (
        f"a log is of one run, got {tmp_path / 'other'} after another one; make a log for each"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        log.follow(other)
    log.writer.close()


def test_what_cant_be_is_refused(tmp_path, monkeypatch):
    message = "stride must be at least 1 step, got 0"
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        TensorBoardLog(tmp_path, stride=0)
    for name in ("torch.utils.tensorboard", "tensorboardX"):
        monkeypatch.setitem(sys.modules, name, None)
    message = (
        "logging to TensorBoard needs the package tensorboard or tensorboardX, neither is "
        "installed: pip install tensorboardX"
    )
    with pytest.raises(LandscapeError, match=f"^{re.escape(message)}$"):
        TensorBoardLog(tmp_path)
