"""Builds the Blender extension: dist/bitpuppet-VERSION.zip, and one smaller zip for each platform.

The zip holds `addon/`, LICENSE, the wheels that Blender installs (pyzmq for each platform and Python, and the client),
and, as data, the backend's own wheel, from which the add-on sets up the backend. Blender's official tool validates and
builds it; it comes with Blender and with the module `bpy`. Wheels of pyzmq are loaded once, checked against the digests
below, and kept in a folder: with that folder, and hatchling in this Python, the build needs no internet.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PYZMQ = "27.3.0"
PYZMQ_WHEELS = {
    "cp311-cp311-macosx_10_15_universal2": "86fb4408797aabb54a31e147176ae0f2474d99f1715a36a4564089eca9ef9ce8",
    "cp311-cp311-manylinux_2_26_x86_64.manylinux_2_28_x86_64": (
        "477b8ad30d66fc905c5388351e83b9ac25824b00e82c0d052b72ea6392636dfd"
    ),
    "cp311-cp311-win_amd64": "df98c790f86b6aa2378b4bb94dec7b85b0adb195b880b41e429a4990aed2a8c9",
    "cp311-cp311-win_arm64": "652d68fb398e714540d8a577cef81c548c61394c721bc1b996b5a4028e89f73d",
    "cp312-abi3-macosx_10_15_universal2": "15155fd8f308d3bd47f67a8f6cc809f9db90abbf63c514c384a17622e2cf080f",
    "cp312-abi3-manylinux_2_26_x86_64.manylinux_2_28_x86_64": (
        "858fe25231e0fd8612da142efde019faa5ef63fa150a821a27870e791b38c798"
    ),
    "cp312-abi3-win_amd64": "3ea8e8fa5c097e68fef91d70b150fda96f307758103868018fc4deeb9c214122",
    "cp312-abi3-win_arm64": "2187a5ca80691a5edb30690f02d9fb714e2c32d3dfdeb652e159ff5da2dd4283",
}
"""Tags of each wheel, with its SHA-256. cp311 serves Blender 4.2 to 5.0, cp312-abi3 all with a newer Python."""
PYTHONS = ("cp311", "cp312", "cp313", "cp314")
"""Pythons of the Blenders that the extension is for."""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
TOOL_PATTERN = "*/scripts/addons_core/bl_pkg/cli/blender_ext.py"


class BuildError(Exception):
    """The build cannot go on; one line with the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=CHECKOUT / "dist", help="folder of the zips (default: dist)")
    parser.add_argument("--wheels", type=Path, default=default_cache(), help="folder that keeps the wheels of pyzmq")
    parser.add_argument("--blender-tool", type=Path, help="Blender's blender_ext.py (default: of the module bpy)")
    parser.add_argument("--backend-wheel", type=Path, help="a backend wheel that is built already")
    parser.add_argument("--no-split", action="store_true", help="do not write the zips of single platforms")
    options = parser.parse_args(arguments)
    try:
        tool = options.blender_tool or find_tool()
        with tempfile.TemporaryDirectory(prefix="bitpuppet-extension-") as scratch:
            stage = Path(scratch) / "stage"
            stage_extension(stage, options.wheels, options.backend_wheel)
            check_stage(stage)
            for made in run_tool(tool, stage, options.out, split=not options.no_split):
                print(f"{made} ({made.stat().st_size / 1e6:.1f} MB)")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def default_cache() -> Path:
    """Where wheels are kept between builds."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bitpuppet" / "wheels"


def read_version(checkout: Path = CHECKOUT) -> str:
    """The version, from the one place where it stands."""
    for line in (checkout / "backend/bitpuppet/__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__ = "):
            return line.split('"')[1]
    raise BuildError("backend/bitpuppet/__init__.py has no __version__")


def find_tool() -> Path:
    """Blender's packaging tool, from the module `bpy` beside this Python or from a Blender on the path."""
    places = [Path(entry) / "bpy" for entry in sys.path]
    if blender := shutil.which("blender"):
        places.append(Path(blender).resolve().parent)
    for place in places:
        for found in sorted(place.glob(TOOL_PATTERN)):
            return found
    raise BuildError("Blender's blender_ext.py is not here; pip install bpy, or name it with --blender-tool")


def stage_extension(stage: Path, wheels: Path, backend_wheel: Path | None = None) -> None:
    """Put together the folder from which Blender's tool makes the zip.

    Args:
        stage: new folder.
        wheels: folder that keeps the wheels of pyzmq, filled if need be.
        backend_wheel: a built one; None to build it now.
    """
    shutil.copytree(CHECKOUT / "addon", stage, ignore=LEFT_OUT)
    shutil.copy2(CHECKOUT / "LICENSE", stage)
    shutil.copy2(CHECKOUT / "CREDITS.md", stage)
    (stage / "wheels").mkdir()
    for wheel in collect_pyzmq(wheels):
        shutil.copy2(wheel, stage / "wheels")
    build_wheel(CHECKOUT / "backend" / "bitpuppet_client", stage / "wheels")
    name_pythons(stage / "wheels")
    data = stage / "backend_wheel"
    data.mkdir()
    if backend_wheel is None:
        build_wheel(CHECKOUT, data)
    else:
        shutil.copy2(backend_wheel, data)
    shutil.copy2(CHECKOUT / "constraints.txt", data)
    manifest = stage / "blender_manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    names = [f"./wheels/{wheel.name}" for wheel in (stage / "wheels").iterdir()]
    manifest.write_text(fill_manifest(text, read_version(), names), encoding="utf-8")


def fill_manifest(text: str, version: str, wheels: Iterable[str]) -> str:
    """Write version and wheels into the manifest's two lines for them."""
    lines = text.splitlines()
    listed = "".join(f'  "{wheel}",\n' for wheel in sorted(wheels))
    for start, new in (("version = ", f'version = "{version}"'), ("wheels = ", f"wheels = [\n{listed}]")):
        found = [number for number, line in enumerate(lines) if line.startswith(start)]
        if len(found) != 1:
            raise BuildError(f"blender_manifest.toml has {len(found)} lines {start!r}, it must have one")
        lines[found[0]] = new
    return "\n".join(lines) + "\n"


def collect_pyzmq(folder: Path) -> list[Path]:
    """All wheels of pyzmq, from the folder, or from PyPI where it has them not yet; digests are checked each time."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for tags, digest in PYZMQ_WHEELS.items():
        wheel = folder / f"pyzmq-{PYZMQ}-{tags}.whl"
        if not wheel.exists():
            download(tags, folder)
        if hash_file(wheel) != digest:
            raise BuildError(f"{wheel} is not the pinned file; delete it and build again")
        found.append(wheel)
    return found


def download(tags: str, folder: Path) -> None:
    """Load one wheel of pyzmq from the package index."""
    python, abi, platform = tags.split("-")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--implementation", "cp", "--python-version", python.removeprefix("cp"), "--abi", abi]
    for name in platform.split("."):
        command += ["--platform", name]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run([*command, "--dest", scratch, f"pyzmq=={PYZMQ}"], f"pyzmq for {tags} cannot be loaded")
        name = f"pyzmq-{PYZMQ}-{tags}.whl"
        if not (Path(scratch) / name).exists():
            raise BuildError(f"the package index gave another file than {name}; renew the pins in this program")
        (Path(scratch) / name).replace(folder / name)


def build_wheel(project: Path, out: Path) -> None:
    """Build a wheel of one of our projects."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out)]
    if importlib.util.find_spec("hatchling"):  # then nothing need be loaded for the build
        command.append("--no-build-isolation")
    run([*command, str(project)], f"the wheel of {project} cannot be built")


def name_pythons(folder: Path) -> None:
    """Name the Pythons in the client's file name.

    Blender takes an extension to be for those Pythons alone that its wheels name one by one: beside the pyzmq for
    cp311, neither `abi3` nor `py3` counts, and a Blender with Python 3.13 would refuse the extension.
    """
    (wheel,) = folder.glob("bitpuppet_client-*-py3-none-any.whl")
    wheel.rename(wheel.with_name(wheel.name.replace("-py3-", f"-{'.'.join(PYTHONS)}-")))


def check_stage(stage: Path) -> None:
    """What Blender's own validation lets pass, and users would then meet.

    Raises:
        BuildError: the first mistake.
    """
    manifest = tomllib.loads((stage / "blender_manifest.toml").read_text(encoding="utf-8"))
    listed = {name.removeprefix("./") for name in manifest["wheels"]}
    there = {f"wheels/{path.name}" for path in (stage / "wheels").iterdir()}
    if listed != there:
        raise BuildError(f"the manifest's wheels are not those of the folder: {sorted(listed ^ there)}")
    named = {tag for name in listed for tag in name.split("-")[-3].split(".")}
    if missing := set(PYTHONS) - named:
        raise BuildError(f"no wheel of the manifest names {sorted(missing)}, so Blender would refuse those Pythons")
    if not all(name.startswith("SPDX:") for name in manifest["license"]):
        raise BuildError("a license of the manifest has no SPDX: in front")
    known = {"linux-x64", "windows-x64", "windows-arm64", "macos-x64", "macos-arm64"}
    if unknown := set(manifest["platforms"]) - known:
        raise BuildError(f"the manifest names platforms that Blender does not know: {sorted(unknown)}")
    if not {"network", "files"} <= set(manifest.get("permissions", {})):
        raise BuildError("the manifest does not ask for the permissions network and files")
    backends = [path.name for path in (stage / "backend_wheel").glob("*.whl")]
    if len(backends) != 1 or backends[0].split("-")[1] != manifest["version"]:
        raise BuildError(f"the stage holds the backend wheels {backends}, it must be one of {manifest['version']}")


def run_tool(tool: Path, stage: Path, out: Path, *, split: bool) -> list[Path]:
    """Validate the stage, build the zips, and validate those; the files that were made, the one for all first."""
    out.mkdir(parents=True, exist_ok=True)
    python = [sys.executable, "-I", str(tool)]
    run([*python, "validate", str(stage)], "Blender refuses the extension")
    made: list[Path] = []
    with tempfile.TemporaryDirectory(dir=out, prefix=".build-") as scratch:
        for number, options in enumerate([[], ["--split-platforms"]] if split else [[]]):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            command = [*python, "build", "--source-dir", str(stage), "--output-dir", str(folder), *options]
            run(command, "Blender's tool made no zip")
            for made_zip in sorted(folder.glob("*.zip")):
                run([*python, "validate", str(made_zip)], f"Blender refuses {made_zip.name}")
                made.append(made_zip.replace(out / made_zip.name))
    return made


def run(command: list[str], complaint: str) -> None:
    """Run a program; what it printed is shown if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        raise BuildError(f"{complaint}; see above")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
