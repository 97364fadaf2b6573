"""What gets installed: the packages named in setup.cfg, their data, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from build import ProjectBuilder
from packaging.metadata import Metadata
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


def test_the_readme_lists_every_extra_that_users_install() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"`'\.\[(\w+)\]'`", text)
    extras = set(config()["options.extras_require"]) - {"test", "dev", "docs"}
    assert sorted(listed) == sorted(extras)


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


@pytest.mark.slow
def test_the_wheel_made_of_the_source_archive_works_and_both_describe_themselves(
    checkout: Path, tmp_path: Path
) -> None:
    """As it is published: `python -m build` makes the wheel from what the archive holds."""
    dist = tmp_path / "dist"
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(checkout)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (archive,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    for described in (_of_archive(archive), _of_wheel(wheel)):
        metadata = Metadata.from_email(described, validate=True)
        assert str(metadata.version) == landscape.__version__
        assert metadata.description_content_type == "text/markdown"
        assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = str(environment / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", python]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    # The libraries of this environment, behind its own: PyTorch isn't downloaded once more.
    (site_packages,) = environment.glob("lib/python*/site-packages")
    libraries = sysconfig.get_paths()["purelib"]
    (site_packages / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    where = run(environment, "import landscape; print(landscape.__file__)", tmp_path)
    assert Path(where) == site_packages / "landscape" / "__init__.py"
    program = str(environment / "bin" / "landscape")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for words in (
        ("--help",),
        ("train", "--model", "mlp", "--data", "moons", "--steps", "9", "-o", "bare-run"),
        ("scan", "bare-run", "--plane", "random", "--size", "5"),
    ):
        done = subprocess.run(
            [program, *words], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "bare-run" / "figures" / "random-final-0-contour.png").is_file()


def _of_archive(file: Path) -> bytes:
    with tarfile.open(file) as archive:
        (name,) = (n for n in archive.getnames() if re.fullmatch(r"[^/]+/PKG-INFO", n))
        found = archive.extractfile(name)
        assert found is not None
        return found.read()


def _of_wheel(file: Path) -> bytes:
    with ZipFile(file) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return archive.read(name)
