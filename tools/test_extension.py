"""Installs the built extension into a real Blender (the module `bpy`) and runs tests/blender in it.

    python tools/test_extension.py                          # Blender 5.0.1
    python tools/test_extension.py --blender 4.2.23         # 4.5.15 likewise
    python tools/test_extension.py --blender 5.2.3 --python python3.13

The environment (about 1 GB, of which 350 MB are loaded) is kept and used again. The backend is the one of --backend, by
default that of the Python that runs this program. Nothing of the user's own Blender is read or written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("pytest==9.2.0", "hatchling==1.33.0")
"""No pyzmq: the tests see that the zip brings it."""
SECONDS = 3600
RUNNER = """
import os, sys
import pytest
status = pytest.main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
os._exit(int(status))  # Blender 4.5 can hang when the interpreter ends
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up, build, test; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blender", default="5.0.1", help="version of the module bpy (default: 5.0.1)")
    parser.add_argument("--python", default="python3.11", help="Python for it: 3.11 to Blender 5.0, then 3.13")
    parser.add_argument("--environment", type=Path, help="folder of the environment; default: one in the user's cache")
    parser.add_argument("--zip", type=Path, help="a built extension; default: build one")
    parser.add_argument("--wheels", type=Path, help="see tools/build_extension.py")
    parser.add_argument("--backend", type=Path, default=Path(sys.executable), help="Python that has bitpuppet")
    parser.add_argument("tests", nargs="*", help="arguments for pytest (default: tests/blender)")
    options = parser.parse_args(arguments)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bitpuppet"
    python = make_environment(options.environment or cache / f"bpy-{options.blender}", options.python, options.blender)
    with tempfile.TemporaryDirectory(prefix="bitpuppet-blender-") as scratch:
        archive = options.zip or build(python, Path(scratch) / "dist", options.wheels)
        return run_tests(python, Path(scratch), archive.resolve(), options.backend, options.tests or ["tests/blender"])


def make_environment(folder: Path, python: str, blender: str) -> Path:
    """An environment with the module `bpy`; its Python."""
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not found.exists():
        program = shutil.which(python)
        if program is None:
            raise SystemExit(f"error: there is no {python}; install it, or name another with --python")
        subprocess.run([program, "-m", "venv", "--clear", str(folder)], check=True)
    needed = [f"bpy=={blender}", *REQUIREMENTS]
    check = f"from importlib.metadata import version; [version(n.split('==')[0]) for n in {needed!r}]"
    if subprocess.run([str(found), "-c", check], capture_output=True, check=False).returncode:
        # Blender's numpy is older than the one that the backend is pinned to.
        environ = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
        subprocess.run([str(found), "-m", "pip", "install", "--quiet", *needed], env=environ, check=True)
    return found


def build(python: Path, out: Path, wheels: Path | None) -> Path:
    """Build the zip for all platforms with that Blender's own tool."""
    command = [str(python), str(CHECKOUT / "tools" / "build_extension.py"), "--out", str(out), "--no-split"]
    subprocess.run([*command, *(["--wheels", str(wheels)] if wheels else [])], check=True)
    (archive,) = out.glob("*.zip")
    return archive


def run_tests(python: Path, scratch: Path, archive: Path, backend: Path, tests: list[str]) -> int:
    """Run pytest inside Blender, with folders of its own for all that Blender and the backend write."""
    environ = dict(os.environ)
    for variable, name in (
        ("BLENDER_USER_RESOURCES", "user"),
        ("BITPUPPET_RUNTIME", "run"),
        ("BITPUPPET_STORE", "store"),
        ("BITPUPPET_MODELS", "models"),
        ("BITPUPPET_SETS", "sets"),
    ):
        (scratch / name).mkdir(mode=0o700)
        environ[variable] = str(scratch / name)
    environ |= {"BITPUPPET_ZIP": str(archive), "BITPUPPET_BACKEND": str(backend.absolute())}
    for variable in ("PYTHONPATH", "PYTHONHOME"):
        environ.pop(variable, None)
    # A backend outlives the extension that started it, while it finishes its jobs.
    options = [
        "-W",
        "ignore:subprocess :ResourceWarning",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-c",
        str(CHECKOUT / "pyproject.toml"),
        "--rootdir",
        str(CHECKOUT),
    ]
    command = [str(python), "-c", RUNNER, *options, *tests]
    return subprocess.run(command, cwd=CHECKOUT, env=environ, timeout=SECONDS, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
