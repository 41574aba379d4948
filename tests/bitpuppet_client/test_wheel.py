"""The client's own wheel: pure, complete, of the backend's version, and it works without the backend."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import bitpuppet
import bitpuppet_client

CHECKOUT = Path(__file__).parent.parent.parent
SOURCE = CHECKOUT / "backend" / "bitpuppet_client"


def build(source: Path, folder: Path) -> zipfile.ZipFile:
    """Build a project's wheel without the network."""
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=source, capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stderr
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel)


def test_versions_agree() -> None:
    assert bitpuppet_client.__version__ == bitpuppet.__version__


def test_requirements_agree() -> None:
    whole = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    own = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    assert [need for need in own["dependencies"] if need.startswith("pyzmq")] == [
        need for need in whole["dependencies"] if need.startswith("pyzmq")
    ]
    assert own["requires-python"] == whole["requires-python"]
    assert {need.split(">")[0] for need in own["dependencies"]} == {"numpy", "pyzmq"}


def test_sources_are_of_python_3_11() -> None:
    for file in SOURCE.glob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 11))


@pytest.mark.slow
def test_wheel_is_pure_and_complete(tmp_path: Path) -> None:
    with build(SOURCE, tmp_path) as wheel:
        names = set(wheel.namelist())
        metadata = Parser().parsestr(
            wheel.read(f"bitpuppet_client-{bitpuppet.__version__}.dist-info/METADATA").decode()
        )
        wheel.extractall(tmp_path / "site")
    assert wheel.filename is not None and wheel.filename.endswith("-py3-none-any.whl")
    modules = {f"bitpuppet_client/{file.name}" for file in SOURCE.glob("*.py")}
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == modules | {"bitpuppet_client/py.typed", "bitpuppet_client/LICENSE"}
    assert (metadata["Name"], metadata["Version"]) == ("bitpuppet-client", bitpuppet.__version__)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from bitpuppet_client import background, client, launcher\n"
        "assert background.__file__.startswith(sys.argv[1]), background.__file__\n"
        "print(*{'bitpuppet', 'torch', 'PIL'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "", "")


@pytest.mark.slow
def test_main_wheel_still_ships_both_packages(tmp_path: Path) -> None:
    with build(CHECKOUT, tmp_path) as wheel:
        names = set(wheel.namelist())
    assert {"bitpuppet/cli.py", "bitpuppet_client/wire.py", "bitpuppet_client/py.typed"} <= names
    assert "bitpuppet_client/pyproject.toml" not in names
    assert not [name for name in names if name.endswith(".pyc")]
