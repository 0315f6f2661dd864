"""What is shipped: a folder that is missing from a wheel builds silently, so its exact contents are compared."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = {"schemas/": "zbuild/_data/schemas/", "recipes/": "zbuild/_data/recipes/"}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist of git's view of the tree, so that ignored files cannot get in or hide a gap."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in project_files(""):
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    argv = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--sdist", "--outdir", str(out), str(tree)]
    subprocess.run(argv, check=True, capture_output=True)
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def project_files(folder: str) -> set[str]:
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", folder or "."]
    listed = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


def in_wheel(name: str) -> str:
    for folder, shipped in DATA.items():
        if name.startswith(folder):
            return shipped + name.removeprefix(folder)
    return name


def test_the_wheel_holds_every_tracked_file_of_the_package_and_nothing_else(distributions: tuple[Path, Path]):
    with zipfile.ZipFile(distributions[0]) as wheel:
        names = set(wheel.namelist())
    shipped = {name for name in names if ".dist-info/" not in name}
    expected = {in_wheel(name) for folder in ("zbuild", *DATA) for name in project_files(folder)}
    assert shipped == expected
    assert {"zbuild/py.typed", "zbuild/cli/entry.py"} <= shipped
    assert {name.rpartition("/")[2] for name in names - shipped} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "LICENSE",
        "entry_points.txt",
    }


def test_the_wheel_carries_the_schemas(distributions: tuple[Path, Path]):
    with zipfile.ZipFile(distributions[0]) as wheel:
        schemas = [name for name in wheel.namelist() if name.startswith("zbuild/_data/schemas/v1/")]
    assert schemas
    assert all(name.endswith(".schema.json") for name in schemas)


def test_the_sdist_makes_the_same_wheel(distributions: tuple[Path, Path], tmp_path: Path):
    wheel, sdist = distributions
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    argv = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / "dist")]
    subprocess.run([*argv, str(next(tmp_path.glob("zbuild-*")))], check=True, capture_output=True)
    assert next((tmp_path / "dist").glob("*.whl")).read_bytes() == wheel.read_bytes()


def test_an_installed_wheel_finds_its_schemas(distributions: tuple[Path, Path], tmp_path: Path):
    """Unpacked alone, in a venv that sees no checkout: what `resources` finds is what was shipped."""
    python = tmp_path / "venv/bin/python"
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    argv = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*argv, str(distributions[0])], check=True, capture_output=True)
    program = "from zbuild.resources import data_folder as f; print(*(path.name for path in f('schemas').rglob('*')))"
    done = subprocess.run([python, "-I", "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path)
    found = set(done.stdout.split())
    assert found == {"v1", *(Path(name).name for name in project_files("schemas"))}
