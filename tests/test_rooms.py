"""The rooms: who may import what, and what no file of the project may hold.

The rules read the syntax tree, so a word in a comment or a string breaks none of them. Each rule is tried on small
sources first: a rule that finds nothing anywhere would pass for ever.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

CHECKOUT = Path(__file__).parent.parent
FOLDERS = ("addon", "backend", "tests", "tools")
MAX_LINES = 400

HEAVY = ("torch", "torchvision", "transformers", "accelerate", "diffusers", "safetensors.torch")
"""What costs seconds to import and gigabytes to install."""
BLENDER = ("bpy", "bmesh", "mathutils", "gpu", "blf", "bl_math", "aud")
"""Modules that exist inside Blender only."""
WITHOUT_BLENDER = ("core", "installation.py", "installer.py", "link.py", "process.py", "server.py", "sets.py")
"""Of the add-on: what works in threads or is tried without Blender."""
UNSAFE_MODULES = ("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")
UNSAFE_CALLS = ("eval", "exec", "torch.load", "torch.jit.load", "os.system", "os.popen")
UNSAFE_KEYWORDS = ("shell", "allow_pickle")


@dataclass(frozen=True)
class Room:
    """What the files of one folder may import; of several rooms that hold a file, the innermost counts."""

    folder: str
    """Path from the checkout, with slashes; a file may be a room too."""
    refused: tuple[str, ...] = ()
    """Modules, with all that lies in them, which may not be imported."""
    allowed: tuple[str, ...] | None = None
    """The only modules, besides the standard library, which may be imported; None for all that are not refused."""


ROOMS = (
    Room("", refused=HEAVY + BLENDER),
    Room("addon", refused=(*HEAVY, "bitpuppet")),
    *(Room(f"addon/{name}", refused=(*HEAVY, *BLENDER, "bitpuppet")) for name in WITHOUT_BLENDER),
    Room("backend/bitpuppet", refused=BLENDER),
    Room("backend/bitpuppet/data", refused=(*BLENDER, "bitpuppet.model", "bitpuppet.training", "bitpuppet.evaluation")),
    Room(
        "backend/bitpuppet/data/puppets",
        allowed=("numpy", "PIL", "einops", "bitpuppet.data.puppets", "bitpuppet.sprites", "bitpuppet.errors"),
    ),
    Room(
        "backend/bitpuppet/model",
        refused=(
            *BLENDER,
            "bitpuppet.cli",
            "bitpuppet.commands",
            "bitpuppet.data",
            "bitpuppet.evaluation",
            "bitpuppet.jobs",
            "bitpuppet.server",
            "bitpuppet.training",
        ),
    ),
    Room("backend/bitpuppet/sprites", allowed=("numpy", "PIL", "einops", "bitpuppet.sprites", "bitpuppet.errors")),
    Room(
        "backend/bitpuppet/sprites/video",
        allowed=("numpy", "PIL", "einops", "av", "bitpuppet.sprites", "bitpuppet.errors"),
    ),
    Room("backend/bitpuppet_client", allowed=("numpy", "zmq", "bitpuppet_client")),
    Room("tests", refused=BLENDER),
    Room("tests/blender", refused=HEAVY),
    Room("tests/gui", refused=HEAVY),
    Room("tests/sprites", refused=HEAVY + BLENDER),
    Room("tools", refused=HEAVY),
    Room("tools/rendering", refused=HEAVY + BLENDER),
    Room("tools/rendering/scene.py", refused=HEAVY),
)
LIGHT = ("bitpuppet.cli", "bitpuppet.data.puppets", "bitpuppet.server.service", "bitpuppet.sprites", "bitpuppet_client")
"""Modules whose import must not load torch, by whatever way: Blender, `--help` and the artwork cannot wait for it."""


def lies_in(module: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of the packages or lies in one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def find_room(path: str) -> Room:
    """The innermost room that holds a file, given by its path from the checkout."""
    holding = [room for room in ROOMS if not room.folder or PurePosixPath(path).is_relative_to(room.folder)]
    return max(holding, key=lambda room: len(room.folder))


def name_of(node: ast.expr) -> str:
    """Dotted name of an expression, such as `torch.load`; empty where it has none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := name_of(node.value)):
        return f"{owner}.{node.attr}"
    return ""


def list_imports(tree: ast.Module, path: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and the modules that an import can mean: `from a import b` is a, and a.b if that is a module."""
    package = PurePosixPath(path).relative_to("backend").parent.parts if path.startswith("backend/") else ()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, (alias.name,)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield node.lineno, (node.module or "", f"{node.module}.{alias.name}")
        elif isinstance(node, ast.ImportFrom) and package:
            # Outside backend/ a relative import cannot leave its folder's room: there is nothing to find there.
            above = package[: len(package) - node.level + 1]
            module = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                yield node.lineno, (module, f"{module}.{alias.name}")
        elif isinstance(node, ast.Call) and name_of(node.func) in ("importlib.import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, (first.value,)


def check_imports(tree: ast.Module, path: str) -> Iterator[str]:
    """Imports that the file's room does not have."""
    room = find_room(path)
    for line, modules in list_imports(tree, path):
        module = modules[-1]
        if lies_in(modules[0], room.refused) or lies_in(module, room.refused):
            yield f"{path}:{line}: {modules[0]} may not be imported in {room.folder or 'this folder'}"
        elif room.allowed is None or modules[0].split(".")[0] in sys.stdlib_module_names:
            continue
        elif not any(lies_in(name, room.allowed) for name in modules):
            yield f"{path}:{line}: {room.folder} may import only {', '.join(room.allowed)}; not {modules[0]}"


def check_safety(tree: ast.Module, path: str) -> Iterator[str]:
    """What can run foreign code or hide a failure."""
    for line, modules in list_imports(tree, path):
        if lies_in(modules[0], UNSAFE_MODULES):
            yield f"{path}:{line}: {modules[0]} runs code from files; use safetensors or JSON"
        elif modules[-1] in UNSAFE_CALLS:
            yield f"{path}:{line}: {modules[-1]} is not for this project"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if name_of(node.func).removeprefix("builtins.") in UNSAFE_CALLS:
                yield f"{path}:{node.lineno}: {name_of(node.func)}() is not for this project"
            for keyword in node.keywords:
                off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg in UNSAFE_KEYWORDS and not off:
                    yield f"{path}:{node.lineno}: {keyword.arg}= is not for this project"
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{path}:{node.lineno}: a bare except also swallows Ctrl-C; name the errors"


def check_shape(tree: ast.Module, source: str, path: str) -> Iterator[str]:
    """Length and docstring. Of empty files, only a package's own needs none, and only among the tests."""
    lines = len(source.splitlines())
    if lines > MAX_LINES:
        yield f"{path}: {lines} lines, at most {MAX_LINES}; split it"
    empty_package = path.startswith("tests/") and path.endswith("__init__.py") and not tree.body
    if not empty_package and not ast.get_docstring(tree):
        yield f"{path}: the module has no docstring"


def check_source(source: str, path: str) -> list[str]:
    """All rules on one file, given by its path from the checkout with slashes."""
    tree = ast.parse(source, path)
    return [*check_imports(tree, path), *check_safety(tree, path), *check_shape(tree, source, path)]


def find_sources() -> list[Path]:
    """The project's Python files, without what tools keep in hidden folders."""
    found = [file for folder in FOLDERS for file in (CHECKOUT / folder).rglob("*.py")]
    found += CHECKOUT.glob("*.py")
    return sorted(file for file in found if not any(p.startswith(".") for p in file.relative_to(CHECKOUT).parts))


def test_project_keeps_the_rules() -> None:
    files = find_sources()
    paths = [file.relative_to(CHECKOUT).as_posix() for file in files]
    assert {"backend/bitpuppet/errors.py", "tests/test_rooms.py"} <= set(paths), "the walk misses files"
    broken = [
        rule
        for file, path in zip(files, paths, strict=True)
        for rule in check_source(file.read_text(encoding="utf-8"), path)
    ]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("module", LIGHT)
def test_light_module_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}\nprint(*sorted({set(HEAVY)!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("addon/panels/view.py", "import torch"),
        ("addon/panels/view.py", "from bitpuppet.sprites import read_clip"),
        ("addon/installer.py", "def f():\n    import bpy"),
        ("addon/core/sheets.py", "from mathutils import Vector"),
        ("tools/rendering/looks.py", "import bpy"),
        ("tools/build_extension.py", "from transformers import T5Config"),
        ("setup.py", "import torch.nn"),
        ("setup.py", "import bpy"),
        ("backend/bitpuppet/model/bcd.py", "import bpy"),
        ("backend/bitpuppet/model/bcd.py", "from bitpuppet.training.loop import Trainer"),
        ("backend/bitpuppet/model/bcd.py", "from ..training import loop"),
        ("backend/bitpuppet/cli.py", "from mathutils import Vector"),
        ("backend/bitpuppet/data/lpc.py", "from bitpuppet import model"),
        ("backend/bitpuppet/data/puppets/clips.py", "import torch"),
        ("backend/bitpuppet/data/puppets/clips.py", "from bitpuppet.data.lpc import Wardrobe"),
        ("backend/bitpuppet/sprites/grid.py", "def f():\n    import torch"),
        ("backend/bitpuppet/sprites/grid.py", "from safetensors.numpy import load_file"),
        ("backend/bitpuppet/sprites/grid.py", "from bitpuppet.model import bcd"),
        ("backend/bitpuppet/sprites/grid.py", "from ..model import bcd"),
        ("backend/bitpuppet/sprites/grid.py", "from bitpuppet import model"),
        ("backend/bitpuppet/sprites/grid.py", "import av"),
        ("backend/bitpuppet_client/wire.py", "from PIL import Image"),
        ("backend/bitpuppet_client/wire.py", "import bitpuppet.errors"),
        ("backend/bitpuppet_client/wire.py", "import importlib\nimportlib.import_module('torch')"),
        ("tests/sprites/test_grid.py", "import torch"),
        ("tests/blender/test_install.py", "from torch import Tensor"),
        ("tests/model/test_bcd.py", "import bpy"),
    ],
)
def test_import_from_a_foreign_room_is_found(path: str, line: str) -> None:
    assert len(check_source(f'"""Docs."""\n{line}\n', path)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("addon/panels/view.py", "import bpy\nfrom bitpuppet_client import wire\nfrom . import torch"),
        ("addon/installer.py", "import subprocess\nfrom .process import Runner"),
        ("tools/build_extension.py", "import bpy"),
        ("tools/rendering/scene.py", "import bpy\nfrom mathutils import Euler"),
        ("backend/bitpuppet/cli.py", "import torch"),
        ("backend/bitpuppet/model/bcd.py", "import torch\nfrom bitpuppet.model.codec import PatchCodec\nmodel.eval()"),
        ("backend/bitpuppet/data/mixture.py", "from bitpuppet.data import lpc\nfrom bitpuppet.sprites import Clip"),
        ("backend/bitpuppet/data/layers.py", "from safetensors.numpy import load_file"),
        (
            "backend/bitpuppet/sprites/grid.py",
            "import json, numpy\nfrom PIL import Image\nfrom .clip import Clip",
        ),
        ("backend/bitpuppet/sprites/video/container.py", "import av"),
        ("backend/bitpuppet/sprites/grid.py", "from bitpuppet import errors\nfrom einops import rearrange"),
        ("backend/bitpuppet_client/wire.py", "import zmq.auth\nimport numpy as np\nfrom bitpuppet_client import keys"),
        ("tests/blender/test_install.py", "import bpy"),
        ("tests/model/test_bcd.py", "import torch"),
    ],
)
def test_import_from_the_own_room_is_let_pass(path: str, line: str) -> None:
    assert check_source(f'"""Docs about torch and bpy."""\n{line}\n', path) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from shelve import open",
        "eval(text)",
        "exec(text)",
        "builtins.eval(text)",
        "torch.load(path)",
        "from torch import load",
        "os.system(text)",
        "from os import system",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=flag)",
        "try:\n    work()\nexcept:\n    pass",
    ],
)
def test_unsafe_line_is_found(line: str) -> None:
    assert len(check_source(f'"""Docs."""\n{line}\n', "backend/bitpuppet/model/bcd.py")) == 1


def test_safe_neighbours_are_let_pass() -> None:
    source = '"""eval(x)"""\nmodel.eval()\nrun(a, shell=False)\ntry:\n    work()\nexcept OSError:\n    raise\n'
    assert check_source(source, "backend/bitpuppet/model/bcd.py") == []


def test_length_and_docstring_are_asked_for() -> None:
    path = "backend/bitpuppet/model/bcd.py"
    assert check_source('"""Docs."""\n' + "x = 1\n" * (MAX_LINES - 1), path) == []
    assert "401 lines" in check_source('"""Docs."""\n' + "x = 1\n" * MAX_LINES, path)[0]
    assert "docstring" in check_source("# a comment is none\n", path)[0]
    assert check_source("", "tests/sprites/__init__.py") == []
    assert "docstring" in check_source("", "backend/bitpuppet/__init__.py")[0]
