"""The build of the extension: what Blender's own validation would let pass."""

from __future__ import annotations

import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import bitpuppet
import bitpuppet_client

CHECKOUT = Path(__file__).parents[2]
MANIFEST = CHECKOUT / "addon" / "blender_manifest.toml"
TAGS = {
    "3D View", "Add Curve", "Add Mesh", "Animation", "Bake", "Camera", "Compositing", "Development", "Game Engine",
    "Geometry Nodes", "Grease Pencil", "Import-Export", "Lighting", "Material", "Mesh", "Modeling", "Node", "Object",
    "Paint", "Physics", "Pipeline", "Render", "Rigging", "Scene", "Sculpt", "Sequencer", "System", "Text Editor",
    "Tracking", "User Interface", "UV",
}  # fmt: skip
"""Those of Blender's manual for add-ons."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = spec_from_file_location("build_extension", CHECKOUT / "tools" / "build_extension.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stage(tmp_path: Path, tool: ModuleType) -> Path:
    """A stage that is right, with empty wheels."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "backend_wheel").mkdir()
    (tmp_path / "wheels" / "bitpuppet_client-0.1.0-py3-none-any.whl").touch()
    tool.name_pythons(tmp_path / "wheels")
    version = tool.read_version()
    (tmp_path / "backend_wheel" / f"bitpuppet-{version}-py3-none-any.whl").touch()
    wheels = [f"./wheels/{path.name}" for path in (tmp_path / "wheels").iterdir()]
    text = tool.fill_manifest(MANIFEST.read_text(encoding="utf-8"), version, wheels)
    (tmp_path / "blender_manifest.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_version_is_the_packages(tool: ModuleType) -> None:
    assert tool.read_version() == bitpuppet.__version__ == bitpuppet_client.__version__


def test_manifest_is_filled(tool: ModuleType) -> None:
    text = tool.fill_manifest(MANIFEST.read_text(encoding="utf-8"), "1.2.3", ["./wheels/b.whl", "./wheels/a.whl"])
    manifest = tomllib.loads(text)
    assert manifest["version"] == "1.2.3" and manifest["wheels"] == ["./wheels/a.whl", "./wheels/b.whl"]
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"] and set(manifest["permissions"]) == {"network", "files"}
    for text in manifest["permissions"].values():
        assert len(text) <= 64 and not text.endswith(".")
    assert len(manifest["tagline"]) <= 64 and not manifest["tagline"].endswith(".")
    assert set(manifest["tags"]) <= TAGS


@pytest.mark.parametrize("broken", ["wheels = []\nversion = '1'\nwheels = []\n", "wheels = []\n"])
def test_manifest_without_its_two_lines_is_refused(tool: ModuleType, broken: str) -> None:
    with pytest.raises(tool.BuildError, match="it must have one"):
        tool.fill_manifest(broken, "1.2.3", [])


def test_right_stage_passes(tool: ModuleType, stage: Path) -> None:
    tool.check_stage(stage)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("bitpuppet_client-0.1.0", "bitpuppet_client-0.2.0", "wheels are not those"),
        ("SPDX:", "", "SPDX"),
        ("linux-x64", "linux-x86_64", "platforms"),
        ("network =", "internet =", "permissions"),
        ("version = ", 'version = "9.9.9" # ', "backend wheels"),
    ],
)
def test_wrong_stage_is_refused(tool: ModuleType, stage: Path, old: str, new: str, complaint: str) -> None:
    manifest = stage / "blender_manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    # The schema's version stands first and is another one.
    head, rest = text.split("\n\n", 1)
    assert old in rest
    manifest.write_text(f"{head}\n\n{rest.replace(old, new, 1)}", encoding="utf-8")
    with pytest.raises(tool.BuildError, match=complaint):
        tool.check_stage(stage)


def test_stage_with_two_backends_or_a_stray_wheel_is_refused(tool: ModuleType, stage: Path) -> None:
    stray = stage / "wheels" / "numpy.whl"
    stray.touch()
    with pytest.raises(tool.BuildError, match="numpy"):
        tool.check_stage(stage)
    stray.unlink()
    (stage / "backend_wheel" / "bitpuppet-0.0.1-py3-none-any.whl").touch()
    with pytest.raises(tool.BuildError, match="backend wheels"):
        tool.check_stage(stage)


def test_python_that_no_wheel_names_is_missed(tool: ModuleType, stage: Path) -> None:
    manifest = stage / "blender_manifest.toml"
    (wheel,) = (stage / "wheels").iterdir()
    assert wheel.name == "bitpuppet_client-0.1.0-cp311.cp312.cp313.cp314-none-any.whl"
    shorter = wheel.name.replace("cp311.cp312.cp313.cp314", "py3")
    wheel.rename(wheel.with_name(shorter))
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(wheel.name, shorter), encoding="utf-8")
    with pytest.raises(tool.BuildError, match="would refuse those Pythons"):
        tool.check_stage(stage)


def test_wheels_serve_every_platform_and_python(tool: ModuleType) -> None:
    """By the manifest's own list of platforms; the wheels for macOS hold both processors."""
    parts = {"linux-x64": "x86_64", "windows-x64": "win_amd64", "windows-arm64": "win_arm64"}
    parts |= {"macos-x64": "universal2", "macos-arm64": "universal2"}
    platforms = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["platforms"]
    assert set(platforms) == set(parts)
    for platform in platforms:
        for python in ("cp311-cp311-", "cp312-abi3-"):
            assert [tags for tags in tool.PYZMQ_WHEELS if tags.startswith(python) and tags.endswith(parts[platform])]


def test_wheel_that_is_not_the_pinned_one_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    for tags in tool.PYZMQ_WHEELS:
        (tmp_path / f"pyzmq-{tool.PYZMQ}-{tags}.whl").write_bytes(b"something else")
    with pytest.raises(tool.BuildError, match="not the pinned file; delete it"):
        tool.collect_pyzmq(tmp_path)


def test_failing_program_shows_what_it_said(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(tool.BuildError, match="it broke; see above"):
        tool.run([sys.executable, "-c", "import sys; print('why'); sys.exit(3)"], "it broke")
    assert "why" in capsys.readouterr().err
