"""Whether an installed Flywheel works as a whole: ``python smoke.py CHECKOUT``, from any other folder.

A plain script, run by ``test_package.py`` and ``.ci/run`` in the environment that the wheel was
installed into; it leaves with an AssertionError where something is missing.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def main(checkout: Path) -> None:
    import flywheel

    home = Path(flywheel.__file__).resolve()
    assert checkout.resolve() not in home.parents or "site-packages" in home.parts, home
    assert find_spec("models") is None
    assert find_spec("dashboard") is None

    names = flywheel.model_names()
    assert "core_flywheel" in names, names
    for name in names:
        model = flywheel.load(name)
        report = model.check(strict=True)
        assert report.ok, str(report)
        assert any(data.points for data in model.data.values()) or not model.data
    run = flywheel.load("core_flywheel").run()
    assert run.ok, run.status
    assert run.engine == "llvm", run.engine
    assert run.frame.shape == (len(run.time), len(run.names))

    command = Path(sysconfig.get_path("scripts")) / "flywheel"
    with tempfile.TemporaryDirectory() as folder:
        new = [str(command), "new", "tried"]
        subprocess.run(new, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        write = [str(command), "run", "tried.fly", "--out", "run.html", "--out", "run.parquet"]
        subprocess.run(write, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        page = (Path(folder) / "run.html").read_text()
        assert "plotly" in page
        assert (Path(folder) / "run.parquet").read_bytes()[:4] == b"PAR1"

    app = import_module("flywheel.dashboard.app").make_app()
    client = app.server.test_client()
    answer = client.get("/", headers={"Host": "127.0.0.1"})
    assert answer.status_code == 200, answer.status
    assert b"Flywheel" in answer.data
    for asset in (Path(import_module("flywheel.dashboard").__file__).parent / "assets").glob("*.*"):
        with client.get(f"/assets/{asset.name}", headers={"Host": "127.0.0.1"}) as found:
            assert found.status_code == 200, asset
            assert found.data == asset.read_bytes()
    sys.stdout.write(f"flywheel {flywheel.__version__} works from {home.parent}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
