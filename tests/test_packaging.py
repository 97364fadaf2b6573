"""What gets installed: the packages named in setup.cfg, their data, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from build import ProjectBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pyproject_hooks import quiet_subprocess_runner

import landscape

# Setuptools' general advice on editable installations, handed on by build.
pytestmark = pytest.mark.filterwarnings(r"ignore:[\s\S]*Editable installation")

ROOT = Path(__file__).parents[1]
# Folders in the checkout and the packages that they are installed as.
PACKAGES = {"landscape": "landscape", "cli": "landscape_cli"}
FOLDERS = (*PACKAGES, "tests", "examples", "docs")


def config() -> ConfigParser:
    """Return setup.cfg."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def installed_files() -> set[str]:
    """Return the path in an installation of every source and data file."""
    return {
        Path(package, path.relative_to(ROOT / folder)).as_posix()
        for folder, package in PACKAGES.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_declared_packages_are_the_folders_with_code() -> None:
    folders = {Path(file).parent for file in installed_files() if file.endswith(".py")}
    declared = config()["options"]["packages"].split()
    assert sorted(declared) == sorted(".".join(folder.parts) for folder in folders)
    files = installed_files()
    assert [str(folder) for folder in folders if f"{folder}/__init__.py" not in files] == []


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.split("==") for line in lines if not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, version in pinned}
    options = config()["options.extras_require"]
    listed = [
        config()["options"]["install_requires"],
        options["test"],
        options["dev"],
        options["docs"],
    ]
    wanted = [Requirement(line) for line in "\n".join(listed).split("\n") if line]
    assert wanted
    for requirement in wanted:
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in constraints.txt"
        assert pin in requirement.specifier, f"{requirement} is pinned to {pin}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what a fresh checkout holds, so that nothing left over from a build gets in."""
    copy = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, copy)
        elif path.name in FOLDERS:
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module", params=["wheel", "editable"])
def built(
    request: pytest.FixtureRequest, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Build a wheel, or the one that ``pip install --editable`` installs."""
    # With the setuptools of this environment: an isolated build would have to download it.
    builder = ProjectBuilder(checkout, runner=quiet_subprocess_runner)
    return request.param, Path(builder.build(request.param, tmp_path_factory.mktemp("dist")))


@pytest.fixture(scope="module")
def installation(
    built: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Install what was built, without dependencies, into an environment that has nothing else."""
    kind, wheel = built
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(environment / "bin" / "python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    return kind, environment


def run(environment: Path, code: str, folder: Path) -> str:
    """Return what Python in ``environment`` prints when started in ``folder``."""
    # -E: a PYTHONPATH of whoever runs the tests must not lend a hand.
    command = [str(environment / "bin" / "python"), "-E", "-s", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_wheel_holds_all_files_and_no_others(built: tuple[str, Path]) -> None:
    kind, wheel = built
    if kind == "editable":
        pytest.skip("an editable wheel holds links")
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(names) == sorted(installed_files())
    data = {
        "landscape/py.typed",
        "landscape_cli/py.typed",
        "landscape/problem/datasets/data/digits.npz",
    }
    assert data <= set(names)


def test_console_script_is_declared(built: tuple[str, Path]) -> None:
    _, wheel = built
    entry_points = ConfigParser()
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        entry_points.read_string(archive.read(name).decode())
    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "console_scripts": {"landscape": "landscape_cli.__main__:run"}
    }


def test_installation_shows_only_the_two_packages(installation: tuple[str, Path]) -> None:
    kind, environment = installation
    (site_packages,) = environment.glob("lib/python*/site-packages")
    names = {path.name for path in site_packages.iterdir() if path.suffix != ".dist-info"}
    if kind == "editable":
        assert {name for name in names if not name.startswith("__editable__")} <= {"__pycache__"}
    else:
        assert names == {"landscape", "landscape_cli"}
    scripts = {path.name for path in (environment / "bin").iterdir()}
    assert {name for name in scripts if not re.match("python|activate", name, re.I)} == {
        "landscape"
    }


def test_installation_imports_from_anywhere(
    installation: tuple[str, Path], tmp_path: Path, checkout: Path
) -> None:
    _, environment = installation
    version = "import landscape, landscape_cli; print(landscape.__version__)"
    assert run(environment, version, tmp_path) == landscape.__version__
    # In the checkout too, where the folder's name would hide a package called cli.
    assert run(environment, version, checkout) == landscape.__version__
    search = "import importlib.util as u; print([n for n in %r if u.find_spec(n)])"
    assert run(environment, search % (["cli", "tests", "examples"],), tmp_path) == "[]"
