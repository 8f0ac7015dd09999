"""What is installed: the wheel's contents, the light start, and the package as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import flywheel

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = {
    "dash", "flask", "lark", "llvmlite", "numpy", "pandas", "pint", "plotly", "pyarrow", "rich",
    "scipy", "typer",
}  # fmt: skip


def output(*command: str | Path, cwd: Path = ROOT / "docs") -> str:
    """What a command prints; a failing one fails the test with what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def python(code: str, *options: str) -> str:
    """The output of a fresh interpreter, from a folder that is not the checkout."""
    return output(sys.executable, "-P", *options, "-c", code)


def test_every_folder_with_modules_is_packaged() -> None:
    folders = {"flywheel": ROOT / "flywheel", "flywheel.models": ROOT / "models"}
    folders["flywheel.dashboard"] = ROOT / "dashboard"
    expected = {
        ".".join((package, *path.parent.relative_to(folder).parts))
        for package, folder in folders.items()
        for path in folder.rglob("*.py")
    }
    listed = PROJECT["tool"]["setuptools"]["packages"]
    assert sorted(expected) == listed, "add the folder to [tool.setuptools] in pyproject.toml"


def test_each_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for extra in ("dependencies = [", "dashboard = [", "parquet = ["):
        block = text[text.index(f"\n{extra}") :]
        block = block[: block.index("\n]")]
        rows = [line for line in block.splitlines() if line.strip().startswith('"')]
        assert rows
        for row in rows:
            assert re.search(r'",\s+# .{8,}', row), row


def test_importing_is_light() -> None:
    code = (
        "import sys, time; before = set(sys.modules); start = time.perf_counter(); import flywheel;"
        "print(time.perf_counter() - start);"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    runs = [python(code).splitlines() for _ in range(3)]
    assert not HEAVY & set(runs[0][1].split())
    assert min(float(run[0]) for run in runs) < 0.25


def test_loading_and_running_needs_neither_page_nor_tables() -> None:
    code = (
        "import sys, flywheel; model = flywheel.load('core_flywheel'); run = model.run();"
        "assert run.ok and run.outcomes; print(*sys.modules)"
    )
    loaded = {name.partition(".")[0] for name in python(code).split()}
    assert not {"dash", "flask", "pandas", "plotly", "pyarrow", "rich", "scipy", "typer"} & loaded


def test_importing_works_with_warnings_as_errors() -> None:
    python("import flywheel.api, flywheel.cli.app, flywheel.figures.lines", "-W", "error")


def test_public_names() -> None:
    assert len(flywheel.__all__) <= 24
    for name in flywheel.__all__:
        assert getattr(flywheel, name) is not None
    assert dir(flywheel) == sorted(flywheel.__all__)
    assert flywheel.__version__ == PROJECT["project"]["version"]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        flywheel.nonsense  # noqa: B018


def test_changelog_knows_this_version() -> None:
    assert f"## {flywheel.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy of what git knows plus what is new."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = output("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    offline = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    output(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.package
def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    version = flywheel.__version__
    assert tops == {"flywheel", f"flywheel_sd-{version}.dist-info"}
    expected = {"flywheel/py.typed", "flywheel/language/grammar.lark"}
    expected |= {
        f"flywheel/models/{path.relative_to(ROOT / 'models')}"
        for pattern in ("*.fly", "data/*.csv", "chains/*.toml")
        for path in (ROOT / "models").glob(pattern)
    }
    expected |= {
        f"flywheel/dashboard/assets/{path.name}"
        for path in (ROOT / "dashboard" / "assets").iterdir()
        if path.is_file()
    }
    expected |= {
        f"flywheel/cli/templates/{path.name}"
        for path in (ROOT / "flywheel" / "cli" / "templates").glob("*.fly")
    }
    for package, folder in (("flywheel", "flywheel"), ("flywheel/dashboard", "dashboard")):
        expected |= {f"{package}/{path.relative_to(ROOT / folder)}"
                     for path in (ROOT / folder).rglob("*.py")}  # fmt: skip
    assert expected <= names, expected - names
    assert not [name for name in names if "test" in name.lower() or name.endswith(".ipynb")]


@pytest.mark.package
def test_the_wheel_works_by_itself(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own; the dependencies are lent to it, the checkout is not."""
    home = tmp_path / "clean"
    venv.create(home, with_pip=False, symlinks=True)
    scheme = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", vars=scheme))
    lent = Path(sysconfig.get_path("purelib"))
    # A plain path: the .pth files in the lent folder (the editable checkout's too) are not read.
    (site / "lent.pth").write_text(f"{lent}\n")
    interpreter = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet")
    output(*pip, "--no-deps", "--no-index", "--force-reinstall", wheel)
    said = output(interpreter, "-I", "-W", "error", ROOT / "tests" / "smoke.py", ROOT, cwd=tmp_path)
    assert str(site / "flywheel") in said
