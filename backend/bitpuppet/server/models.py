"""Models by name: the weights that ship with the package, and those of the user's own folder. No torch here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.preset import Preset
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.settings import WEIGHTS
from bitpuppet_client.errors import ParameterError
from bitpuppet_client.limits import MAX_MODELS
from bitpuppet_client.messages import ModelInfo
from bitpuppet_client.schema import check_name

SUFFIX = ".safetensors"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ModelFile:
    """A weights file that jobs can name."""

    info: ModelInfo
    path: Path
    stamp: tuple[int, int]
    """Time of change and size: as long as they stay, so does the rest."""


class ModelFolder:
    """The models of a server. A file of the user's own folder comes before one of the same name that ships."""

    def __init__(self, own: Path, shipped: Path = WEIGHTS) -> None:
        """Name the folders; they need not exist.

        Args:
            own: the user's folder.
            shipped: the package's folder.
        """
        self._folders = (own, shipped)
        self._known: dict[Path, ModelFile] = {}

    def list(self) -> list[ModelInfo]:
        """All models that can be read, by name; at most as many as a message holds."""
        names: dict[str, ModelFile] = {}
        for folder in self._folders:
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                name = path.name.removesuffix(SUFFIX)
                file = self._read(name, path) if name not in names and _is_name(name) else None
                if file is not None:
                    names[name] = file
        return [names[name].info for name in sorted(names)][:MAX_MODELS]

    def find(self, name: str) -> ModelFile:
        """The file of a model.

        Raises:
            Refusal: there is none of this name.
        """
        if _is_name(name):
            for folder in self._folders:
                file = self._read(name, folder / f"{name}{SUFFIX}")
                if file is not None:
                    return file
        known = ", ".join(info.name for info in self.list()) or "none"
        raise Refusal("unknown_model", f"there is no model of this name here, there are: {known[:300]}; name one")

    def _read(self, name: str, path: Path) -> ModelFile | None:
        """What a file holds; None where it is no weights file of ours."""
        try:
            # A link could lead out of the folder, to files that nobody offered.
            if path.is_symlink() or not path.is_file():
                return None
            facts = path.stat()
            stamp = facts.st_mtime_ns, facts.st_size
            known = self._known.get(path)
            if known is not None and known.stamp == stamp:
                return known
            preset = _read_preset(path)
            info = ModelInfo(name, preset.name, _hash(path), preset.canvas)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, BitpuppetError, ParameterError):
            return None
        self._known[path] = ModelFile(info, path, stamp)
        return self._known[path]


def _is_name(name: str) -> bool:
    try:
        check_name("model", name)
    except ParameterError:
        return False
    return True


def _read_preset(path: Path) -> Preset:
    with safe_open(path, framework="np") as file:
        metadata: Mapping[str, str] = file.metadata() or {}
    return Preset.from_metadata(json.loads(metadata["preset"]))


def _hash(path: Path) -> str:
    """SHA-256, shortened to 16 digits: enough to tell two files apart, short enough to read."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            state.update(data)
    return state.hexdigest()[:16]
