from __future__ import annotations

import json
import shlex
import shutil

import pytest

from landscape.store import read
from landscape.store.scans import scanfile
from landscape_cli.settings import user_file

from .conftest import SMALL


@pytest.fixture
def settings(tmp_path):
    """``settings(text)``: a file that holds it."""

    def write(text: str):
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return file

    return write


def refused(landscape, *words) -> str:
    result = landscape(*words)
    assert result.code == 1
    assert result.err.count("\n") == 1
    return result.err.removeprefix("landscape: error: ").removesuffix("\n")


def test_what_is_not_typed_comes_from_the_file(landscape, settings, tmp_path):
    file = settings('[train]\nlr = 0.3\nwidth = 8\nmodel = "mlp"\ndata = "moons"\nepochs = 2\n')
    out = tmp_path / "run"
    result = landscape("train", "--config", file, "--lr", 0.2, "-o", out)
    assert result.code == 0
    assert result.err.splitlines()[0] == (
        f"landscape: note: from {file}: --width=8 --model=mlp --data=moons --epochs=2"
    )
    record = read(out).record
    assert record["settings"]["lr"] == 0.2
    assert record["problem"]["settings"]["width"] == 8


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run that a test may scan."""
    return shutil.copytree(trained, tmp_path / "trained")


@pytest.mark.slow
def test_flags_and_lists(landscape, settings, run):
    file = settings(
        "[scan]\nexact = true\npreview = false\nsize = 5\nquiet = true\n"
        'plane = ["line", "line:0,final"]\nmeasure = ["loss", "gradient-norm"]\n'
    )
    result = landscape("scan", run, "--config", file, "--seed", 77)
    assert (result.code, result.err) == (0, "")
    for name in ("line-final-77", "line-0-final-77"):
        scan = scanfile.load(run / "scans" / f"{name}.h5")
        assert scan.measured.shape == (5,)
        assert scan.tolerance == 0
        assert "gradient_norm" in scan.measures


def test_a_sweep_comes_from_the_file_and_is_recorded_as_it_could_be_typed(
    landscape, settings, tmp_path
):
    file = settings("[train]\nlr = [0.1, 0.2]\nseeds = 2\nwidth = 4\n")
    small = ("--model", "mlp", "--data", "moons", "--epochs", 1)
    assert landscape("train", "--config", file, *small, "-o", tmp_path / "all").code == 0
    runs = {folder.name for folder in (tmp_path / "all").iterdir() if folder.is_dir()}
    assert runs == {f"lr{lr}-seed{seed}" for lr in (0.1, 0.2) for seed in (0, 1)}
    command = shlex.split(read(tmp_path / "all" / "lr0.2-seed1").record["command"])
    assert "--width=4" in command
    assert "--lr=0.2" in command
    assert not any(word.startswith("--config") for word in command)


def test_the_recorded_command_says_what_the_file_added(landscape, settings, run, monkeypatch):
    file = settings("[scan]\nsize = 4\n")
    words = ["scan", str(run), "--plane", "line", "--name", "told", "--config", str(file)]
    monkeypatch.setattr("sys.argv", ["/bin/landscape", *words])
    assert landscape(*words).code == 0
    made = scanfile.load(run / "scans" / "told.h5").provenance["command"]
    assert made == shlex.join(["landscape", "scan", "--size=4", *words[1:]])
    monkeypatch.setattr("sys.argv", ["/bin/landscape", *words[:-2]])
    assert landscape(*words[:-2], "--overwrite", "--size", 3).code == 0
    again = scanfile.load(run / "scans" / "told.h5").provenance["command"]
    assert again == shlex.join(["landscape", *words[:-2]])


def test_resuming_a_training_takes_nothing_from_the_file(landscape, settings, trained):
    file = settings("[train]\nlr = 7.0\n")
    said = refused(landscape, "train", "--resume", trained, "--config", file)
    assert "lr" not in said  # only that it has ended


def test_the_users_own_file_is_read_and_one_here_is_not(
    landscape, configuration, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("config.toml", "landscape.toml", "landscape/config.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[train]\nlr = 0.7\n")
    out = tmp_path / "run"
    landscape("train", *SMALL[:-2], "-o", out)
    assert read(out).record["settings"]["lr"] == 0.05
    monkeypatch.setenv("XDG_CONFIG_HOME", ".")  # a relative one would be this folder
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    landscape("train", *SMALL[:-2], "-o", out, "--overwrite")
    assert read(out).record["settings"]["lr"] == 0.05
    own = tmp_path / "home" / ".config" / "landscape"
    own.mkdir(parents=True)
    (own / "config.toml").write_text("[train]\nlr = 0.6\n")
    landscape("train", *SMALL[:-2], "-o", out, "--overwrite")
    assert read(out).record["settings"]["lr"] == 0.6
    named = tmp_path / "named.toml"
    named.write_text("[scan]\nsize = 3\n")  # instead of one's own, not beside it
    landscape("train", *SMALL[:-2], "--config", named, "-o", out, "--overwrite")
    assert read(out).record["settings"]["lr"] == 0.05


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("problem", '"evil.py:run"'),
        ("set", '["a=1"]'),
        ("sweep", '["set.a=1,2"]'),
        ("trust", "true"),
        ("output", '"/etc"'),
        ("overwrite", "true"),
        ("resume", '"run"'),
        ("config", '"other.toml"'),
    ],
)
def test_what_a_file_cannot_set(key, value, landscape, settings, tmp_path):
    file = settings(f"[train]\n{key} = {value}\n")
    assert refused(landscape, "train", "--config", file, "-o", tmp_path / "new") == (
        f"{file}: train.{key} can't be set in a file; drop it, and give --{key} on the command "
        "line where it is meant"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[view]\nwindw = true\n",
            "{file}: view.windw must be an option of landscape view without its dashes; rename or "
            "drop it, there are html, no-open, scan, window",
        ),
        (
            "[scna]\nsize = 3\n",
            "{file}: scna must be a table named after a command (train, scan, diagnose, report, "
            "compare, view, render, export, info, import); rename or drop it",
        ),
        (
            "view = 3\n",
            "{file}: view must be a table named after a command (train, scan, diagnose, report, "
            "compare, view, render, export, info, import); rename or drop it",
        ),
        (
            "[view]\nwindow = 1\n",
            "{file}: view.window must be true or false, got 1; mend it",
        ),
        (
            "[view]\nscan = 1979-05-27\n",
            "{file}: view.scan must be a number, a text or a list of these, got "
            "datetime.date(1979, 5, 27); mend it",
        ),
        (
            "[view\n",
            "{file} must be TOML, as in [scan] and beneath it size = 101: Expected ']' at the end "
            "of a table declaration (at line 1, column 6)",
        ),
    ],
)
def test_mistakes_name_file_key_and_remedy(text, message, landscape, settings, tmp_path):
    file = settings(text)
    assert refused(landscape, "view", tmp_path, "--config", file) == message.format(file=file)


def test_a_value_of_another_type(landscape, settings, tmp_path):
    file = settings('[train]\nepochs = "many"\n')
    assert refused(landscape, "train", "--config", file, "-o", tmp_path / "new") == (
        f"{file}: train.epochs must be what --epochs takes, got 'many'; "
        "root train --help says what that is"
    )


def test_a_mistake_that_the_library_finds_names_the_file(landscape, settings, trained, tmp_path):
    file = settings("[train]\nbatch-size = 0\n")
    assert refused(landscape, "train", "--config", file, "-q", "-o", tmp_path / "new") == (
        f"--batch-size must be at least 1, got 0; batch-size is set in {file}"
    )
    # One of another option doesn't.
    assert refused(
        *(landscape, "train", "--config", settings("[train]\nlr = 0.1\n"), "-q", "--batch-size", 0)
    ) == ("--batch-size must be at least 1, got 0")


def test_a_file_that_is_not_there(landscape, tmp_path):
    file = tmp_path / "none.toml"
    assert refused(landscape, "view", tmp_path, "--config", file) == (
        f"--config must name a file that can be read, got {file}: No such file or directory"
    )


def test_a_file_without_end(landscape, tmp_path):
    assert refused(landscape, "view", tmp_path, "--config", "/dev/zero") == (
        "/dev/zero must be of at most 1 MiB, got more; is it the right file?"
    )


def test_what_a_command_prints_is_not_mixed_with_the_note(landscape, settings, trained):
    result = landscape("info", trained, "--config", settings("[info]\njson = true\n"))
    assert json.loads(result.out)["id"] == read(trained).id
    assert result.err.startswith("landscape: note: from ")


@pytest.mark.parametrize("home", [None, "relative"])
def test_without_a_home_there_is_no_file(monkeypatch, home):
    def nobody(_):
        raise KeyError

    monkeypatch.setenv("XDG_CONFIG_HOME", "relative too")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    assert user_file() is None
