"""Small wheels for the tests of the installation: a torch with nothing in it, and a backend that says it works."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

WORKING = """
import json, sys
if sys.argv[1:] == ["doctor", "--json"]:
    print(json.dumps({"bitpuppet": "9.9.9", "problems": []}))
"""
BROKEN = """
import json, sys
print(json.dumps({"bitpuppet": "9.9.9", "problems": ["torch does not load"]}))
sys.exit(1)
"""
SLOW = """
import time
print("waiting", flush=True)
time.sleep(600)
"""


def write_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    requires: Sequence[str] = (),
    extras: Sequence[str] = (),
) -> Path:
    """Write a wheel of Python files for any system."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = "".join(["Metadata-Version: 2.1\n", f"Name: {name}\n", f"Version: {version}\n"])
    metadata += "".join(f"Provides-Extra: {extra}\n" for extra in extras)
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    contents = dict(files) | {
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*contents, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in contents.items():
            archive.writestr(file, text)
    return path


def write_backend(folder: Path, program: str = WORKING) -> Path:
    """A wheel of a backend, which needs torch, and diffusers for some models."""
    files = {"bitpuppet/__init__.py": "", "bitpuppet/__main__.py": program}
    requires = ["torch>=2.13", 'diffusers>=0.36; extra == "latent"']
    return write_wheel(folder, "bitpuppet", "9.9.9", files, requires, ["latent"])


def write_torch(folder: Path) -> Path:
    """A wheel of torch."""
    return write_wheel(folder, "torch", "2.13.0", {"torch/__init__.py": ""})
