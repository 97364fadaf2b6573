from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.utils.data import TensorDataset

from landscape.errors import LandscapeError
from landscape.problem import Problem, builtin, flat, load, rebuild, vary
from landscape.problem.load import file_hash
from landscape.problem.neighbours import neighbours
from landscape.problem.rebuild import refuse, to_record

CODE = """
import torch
from landscape.problem import Problem

def make(width=3):
    model = torch.nn.Linear(4, width)
    inputs, classes = torch.randn(30, 4), torch.arange(30) % width
    return Problem(model, (inputs[:20], classes[:20]), (inputs[20:], classes[20:]))
"""


def test_settings_that_are_not_json_are_named(tmp_path):
    (tmp_path / "own.py").write_text(CODE.replace("width=3", "width=3, root=None"))
    problem = load(f"{tmp_path / 'own.py'}:make", {"root": tmp_path})
    with pytest.raises(LandscapeError) as caught:
        to_record(problem, tmp_path)
    assert str(caught.value) == (
        f"a problem's setting must be JSON to be recorded, root is {tmp_path!r}, a PosixPath; "
        "give text or a number and convert it in the function"
    )


# As if the user had said that it may run.
from_record = partial(rebuild.from_record, allow=lambda code: None)


@pytest.fixture
def project(tmp_path):
    """A folder with a problem's file and a run in it."""
    folder = tmp_path / "project"
    (folder / "runs" / "one").mkdir(parents=True)
    (folder / "my_problem.py").write_text(CODE)
    return folder


def recorded(project, **options):
    """A problem from the file, and its record as run.json gives it back."""
    problem = load(f"{project / 'my_problem.py'}:make", {"width": 4}, seed=7)
    problem = vary(problem, **options)
    return problem, json.loads(json.dumps(to_record(problem, project / "runs" / "one")))


def assert_same(problem: Problem, other: Problem) -> None:
    assert torch.equal(flat(problem.model), flat(other.model))
    for mine, theirs in zip(problem.train, other.train, strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(problem.validation[0], other.validation[0])


def refused(record, folder, **options) -> str:
    with pytest.raises(LandscapeError) as caught:
        from_record(record, folder, **options)
    return str(caught.value)


@pytest.mark.parametrize("options", [{}, {"train_samples": 9, "label_noise": 0.5}])
def test_builtin(tmp_path, options):
    problem = vary(builtin("mlp", "moons", width=4, seed=3), **options)
    record = json.loads(json.dumps(to_record(problem, tmp_path)))
    assert record["kind"] == "builtin"
    again = from_record(record, tmp_path / "elsewhere")
    assert_same(problem, again)
    assert again.source == problem.source


@pytest.mark.parametrize("options", [{}, {"train_samples": 9, "label_noise": 0.5}])
def test_file(project, options):
    problem, record = recorded(project, **options)
    assert record["kind"] == "file"
    assert record["function"] == "make"
    assert record["path"] == str(project / "my_problem.py")
    assert record["relative_path"] == "../../my_problem.py"
    again = from_record(record, project / "runs" / "one")
    assert_same(problem, again)
    assert again.source == problem.source


def test_module(project, monkeypatch):
    (project / "a_module_of_mine.py").write_text(CODE)
    monkeypatch.chdir(project)
    problem = load("a_module_of_mine:make")
    record = to_record(problem, project)
    assert_same(problem, from_record(record, project))


def test_a_file_that_a_module_imports_has_changed(project, monkeypatch):
    """From its own package and from beside that, and what its package is on the way."""
    package = project / "package_of_mine" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from .near import TWO\n")
    (package / "near.py").write_text("TWO = 2\n")
    (package / "unused.py").write_text("")
    (package / "task.py").write_text("import beside_of_mine\nfrom .. import parts_of_mine\n" + CODE)
    (package.parent / "parts_of_mine.py").write_text("")
    (project / "beside_of_mine.py").write_text("")
    monkeypatch.chdir(project)
    spec = "package_of_mine.inner.task:make"
    problem = load(spec)
    record = to_record(problem, project)
    assert list(record["imports"]) == [
        "beside_of_mine.py",
        *("package_of_mine/__init__.py", "package_of_mine/inner/__init__.py"),
        *("package_of_mine/inner/near.py", "package_of_mine/parts_of_mine.py"),
    ]
    (package / "unused.py").write_text("1")
    assert_same(problem, from_record(record, project))
    (package / "near.py").write_text("TWO = 3\n")
    new = hashlib.sha256(b"TWO = 3\n").hexdigest()[:12]
    old = hashlib.sha256(b"TWO = 2\n").hexdigest()[:12]
    assert refused(record, project) == (
        f"{package}/near.py, which task.py imports, must be as it was when run {project} was "
        f"trained, got sha256 {new} instead of {old}; put it back, or accept the changes with "
        "--accept-changes"
    )
    assert_same(problem, from_record(record, project, accept_changes=True))


def test_a_module_that_has_changed(project, monkeypatch):
    (project / "changing_module_of_mine.py").write_text(CODE)
    monkeypatch.chdir(project)
    record = to_record(load("changing_module_of_mine:make"), project)
    (project / "changing_module_of_mine.py").write_text(CODE + "# Looks harmless.\n")
    assert refused(record, project).startswith(
        f"changing_module_of_mine must be as it was when run {project} was trained, got sha256 "
    )


def test_of_an_installed_module_the_files_of_its_package_are_known(tmp_path, monkeypatch):
    """And no other library's, which may be thousands."""
    monkeypatch.setattr(
        "landscape.problem.neighbours.sysconfig.get_paths", lambda: {"purelib": str(tmp_path)}
    )
    for name, text in {
        "mine/__init__.py": "import other",
        "mine/task.py": "import other.deep, mine.parts",
        "mine/parts.py": "import single",
        "other/__init__.py": "",
        "other/deep.py": "",
        "single.py": "import other",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    inside = ["mine/__init__.py", "mine/parts.py"]
    assert list(neighbours(tmp_path / "mine" / "task.py", "mine.task")) == inside
    assert list(neighbours(tmp_path / "single.py", "single")) == []
    assert list(neighbours(tmp_path / "mine" / "__init__.py", "mine")) == []


def test_file_and_run_moved_together(project, tmp_path):
    problem, record = recorded(project)
    moved = project.rename(tmp_path / "moved")
    assert_same(problem, from_record(record, moved / "runs" / "one"))


def test_only_the_run_moved(project, tmp_path):
    problem, record = recorded(project)
    moved = tmp_path / "deep" / "down" / "there"
    moved.mkdir(parents=True)
    assert_same(problem, from_record(record, moved))


def test_run_moved_to_where_another_file_has_the_name(project, tmp_path):
    problem, record = recorded(project)
    other = tmp_path / "other"
    shutil.copytree(project, other)
    (other / "my_problem.py").write_text("raise SystemExit")
    assert_same(problem, from_record(record, other / "runs" / "one"))


def test_a_file_that_is_imported_has_changed(project):
    """Wherever it is imported, and by whichever file."""
    code = (project / "my_problem.py").read_text()
    (project / "my_problem.py").write_text("from parts import width\n" + code)
    (project / "parts").mkdir()
    (project / "parts" / "__init__.py").write_text("")
    (project / "parts" / "width.py").write_text("def of():\n    import json, numbers_of_mine\n")
    (project / "parts" / "deep").mkdir()
    (project / "parts" / "deep" / "__init__.py").write_text("from ..near import *\n")
    (project / "parts" / "near.py").write_text("")
    (project / "parts" / "__init__.py").write_text("from . import deep\n")
    (project / "numbers_of_mine.py").write_text("EIGHT = 8\n")
    (project / "unused.py").write_text("")
    problem, record = recorded(project)
    inside = ("__init__", "deep/__init__", "near", "width")
    names = ["numbers_of_mine.py", *(f"parts/{name}.py" for name in inside)]
    assert list(record["imports"]) == names
    assert_same(problem, from_record(record, project / "runs" / "one"))
    (project / "unused.py").write_text("1")
    (project / "numbers_of_mine.py").write_text("EIGHT = 9\n")
    assert refused(record, project).startswith(
        f"{project}/numbers_of_mine.py, which my_problem.py imports, must be as it was when run "
    )
    (project / "numbers_of_mine.py").unlink()
    assert "got none that it imports instead of" in refused(record, project)
    again = from_record(record, project / "runs" / "one", accept_changes=True)
    assert_same(problem, again)


def test_of_a_run_without_imports_nobody_knows_what_they_were(project):
    (project / "my_problem.py").write_text("import beside\n" + CODE)
    (project / "beside.py").write_text("")
    problem, record = recorded(project)
    del record["imports"]
    (project / "beside.py").write_text("1")
    assert_same(problem, from_record(record, project / "runs" / "one"))


def test_file_is_gone(project):
    _, record = recorded(project)
    path = project / "my_problem.py"
    path.unlink()
    assert refused(record, project) == (
        f"the file of run {project}'s problem must exist, {path} doesn't; "
        "give it with --problem FILE.py:function"
    )


def test_changed_file(project):
    problem, record = recorded(project)
    path = project / "my_problem.py"
    path.write_text(CODE + "# Looks harmless.\n")
    new = file_hash(f"{path}:make")
    assert refused(record, project / "runs" / "one") == (
        f"{path} must be as it was when run {project / 'runs' / 'one'} was trained, "
        f"got sha256 {new[:12]} instead of {record['sha256'][:12]}; "
        "put it back, or accept the changes with --accept-changes"
    )
    assert_same(problem, from_record(record, project / "runs" / "one", accept_changes=True))


def test_changed_file_is_not_run(project):
    _, record = recorded(project)
    flag = project / "was-run"
    (project / "my_problem.py").write_text(f"open({str(flag)!r}, 'w')\n1 / 0\n")
    assert "got sha256" in refused(record, project / "runs" / "one")
    assert not flag.exists()


@pytest.mark.parametrize(
    ("part", "name"), [("inputs[:20]", "training"), ("inputs[20:]", "validation")]
)
def test_changed_data(project, part, name):
    """As from a file of data: the code is the same, what it finds isn't."""
    scale = project / "scale.txt"
    code = CODE.replace(part, f"{part} * float(open({str(scale)!r}).read())", 1)
    (project / "my_problem.py").write_text(code)
    scale.write_text("1.0")
    _, record = recorded(project)
    from_record(record, project)
    scale.write_text("1.001")
    message = refused(record, project)
    key = "data" if name == "training" else "validation_data"
    start = (
        f"the problem's {name} data must be what run {project} was trained with, got fingerprint "
    )
    end = (
        f" instead of {record[key][:12]}; "
        "put the data back, or accept the changes with --accept-changes"
    )
    assert message.startswith(start)
    assert message.endswith(end)
    assert len(message) == len(start) + 12 + len(end)
    from_record(record, project, accept_changes=True)


@pytest.mark.parametrize("accept_changes", [False, True])
def test_changed_layout(project, accept_changes):
    _, record = recorded(project)
    other, _ = recorded(project)
    other = Problem(torch.nn.Linear(4, 4, bias=False), other.train)
    assert refused(record, project, problem=other, accept_changes=accept_changes) == (
        f"the problem must have the parameters that run {project} was trained with, "
        "got 1 tensors against 2; give that problem with --problem FILE.py:function"
    )


def test_made_in_python(problem, tmp_path):
    record = json.loads(json.dumps(to_record(problem, tmp_path)))
    assert record["kind"] == "python"
    assert record["validation_data"] is None
    assert refused(record, tmp_path) == (
        f"run {tmp_path} was recorded from Python and can't make its problem again; "
        "give it with --problem FILE.py:function"
    )
    assert from_record(record, tmp_path, problem=problem) is problem


def test_given_problem_is_checked_too(problem, tmp_path):
    record = to_record(problem, tmp_path)
    inputs, targets = problem.train
    other = Problem(problem.model, (inputs + 1, targets))
    assert "training data must be what" in refused(record, tmp_path, problem=other)
    assert from_record(record, tmp_path, problem=other, accept_changes=True) is other


def test_dataset(net, images, tmp_path):
    problem = Problem(net, TensorDataset(*images))
    record = to_record(problem, tmp_path)
    again = Problem(net, TensorDataset(*images))
    assert from_record(record, tmp_path, problem=again) is again
    images[1][0] = (images[1][0] + 1) % 3
    assert "training data must be what" in refused(record, tmp_path, problem=again)


@pytest.mark.parametrize("kind", ["file", "module"])
def test_code_is_not_run_unasked(project, monkeypatch, kind):
    """Nor is anything imported to see what it is: not the package that the module is in either."""
    _, record = recorded(project)
    ran = project / "was-run"
    package = project / "own_package"
    package.mkdir()
    for file in (project / "my_problem.py", package / "__init__.py", package / "made.py"):
        file.write_text(f"open({str(ran)!r}, 'w')\n")
    spec = f"{project / 'my_problem.py'}:make"
    if kind == "module":
        monkeypatch.chdir(project)
        spec = "own_package.made:make"
        record |= {"kind": kind, "function": spec}
    with pytest.raises(LandscapeError) as caught:
        rebuild.from_record(record, project / "runs" / "one")
    assert str(caught.value) == (
        f"a record's code isn't run unasked, got {spec}; give the problem with "
        "--problem FILE.py:function, or from Python use landscape.sgd.problem_of(run)"
    )
    assert not ran.exists()
    code = rebuild.named_code(record, project / "runs" / "one")
    file = project / "my_problem.py" if kind == "file" else package / "made.py"
    assert code == rebuild.NamedCode(spec, str(file), hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(LandscapeError, match="isn't run unasked"):
        refuse(code)
    assert not ran.exists()


def test_code_of_the_interpreter_is_found_and_not_run():
    record = {"kind": "module", "function": "posix:system", "sha256": ""}
    assert rebuild.named_code(record, Path()) == rebuild.NamedCode("posix:system", "", "")


UNSEEDED = """
import torch
from landscape.problem import Problem

def data():
    inputs = torch.randn(30, 4)
    return Problem(torch.nn.Linear(4, 2), (inputs, torch.arange(30) % 2))
"""


def test_data_that_is_drawn_anew_is_explained(tmp_path):
    """Watched in a script that called the function, then given with --problem."""
    (tmp_path / "mine.py").write_text(UNSEEDED)
    spec = f"{tmp_path / 'mine.py'}:data"
    watched = replace(load(spec, seed=9), source=None)
    record = to_record(watched, tmp_path)
    assert refused(record, tmp_path, problem=load(spec)) == (
        f"the problem's training data must be what run {tmp_path} was trained with, but {spec} "
        "draws it anew with every seed; give a function that first seeds as the training did "
        "(torch.manual_seed(1), say); where that can't be known, have it draw from a generator of "
        "its own, torch.Generator().manual_seed(0), and train again"
    )
    # What the message says first is enough: this is the problem that was trained.
    again = "def again():\n    torch.manual_seed(9)\n    return data()\n"
    (tmp_path / "again.py").write_text(f"{UNSEEDED}\n{again}")
    same = load(f"{tmp_path / 'again.py'}:again")
    assert from_record(record, tmp_path, problem=same) is same
    # With a generator of its own it is other data that is told.
    seeded = UNSEEDED.replace("(30, 4)", "(30, 4, generator=torch.Generator().manual_seed(0))")
    (tmp_path / "mine.py").write_text(seeded)
    assert "put the data back" in refused(record, tmp_path, problem=load(spec))


def test_batches_of_a_loss_that_has_them_are_recorded(tmp_path):
    def contrast(model, batch):
        return model(batch).square().mean(), len(batch)

    inputs = torch.arange(24.0).reshape(12, 2)
    problem = Problem(torch.nn.Linear(2, 2), inputs, objective=contrast, batch_size=4)
    record = json.loads(json.dumps(to_record(problem, tmp_path)))
    assert record["objective"] == {"coupled": True, "loss_dtype": "float32", "batch_size": 4}
    assert from_record(record, tmp_path, problem=problem) is problem
    other = replace(problem, batch_size=6)
    assert refused(record, tmp_path, problem=other) == (
        f"the problem's loss must be measured as run {tmp_path} was, over batches of 4, got "
        "batches of 6; put batch_size= back, or accept the change with --accept-changes"
    )
    assert from_record(record, tmp_path, problem=other, accept_changes=True) is other
