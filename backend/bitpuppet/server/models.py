"""Models by name: the weights that ship with the package, and those of the user's own folder. No torch here."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.preset import Preset
from bitpuppet.server.refusal import Refusal
from bitpuppet.server.settings import WEIGHTS
from bitpuppet_client.errors import ParameterError
from bitpuppet_client.limits import MAX_CARD_FACTS, MAX_CARDS_PER_MESSAGE, MAX_FACT_BYTES, MAX_MODELS
from bitpuppet_client.messages import ModelCard, ModelInfo, Report, shorten
from bitpuppet_client.schema import Scalar, check_name

SUFFIX = ".safetensors"
SET_SUFFIX = ".toml"
_PRIOR = "-prior"
_CHUNK = 1 << 20
_CARD = "card"
"""Key of a file's header: JSON, written by `training.tuned_model`."""
_LONG = 512
"""Characters of a value in a file's header that is for programs."""


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

    def describe(self, after: str | None) -> tuple[tuple[ModelCard, ...], str | None]:
        """One page of cards, by name, and where the next one begins.

        Args:
            after: the last name of the page before; None for the first page.
        """
        names = [info.name for info in self.list() if after is None or info.name > after]
        files = [self.find(name) for name in names[:MAX_CARDS_PER_MESSAGE]]
        cards = tuple(
            ModelCard(
                model=file.info,
                bytes=file.stamp[1],
                created=file.stamp[0] / 1e9,
                own=file.path.parent == self._folders[0],
                facts=_read_facts(file.path),
            )
            for file in files
        )
        return cards, names[MAX_CARDS_PER_MESSAGE - 1] if len(names) > MAX_CARDS_PER_MESSAGE else None

    def check_free(self, name: str) -> None:
        """Raise Refusal when no model can be called so: the name is taken, or means something else."""
        if name.endswith(_PRIOR):
            raise Refusal("bad_parameter", f"names that end in {_PRIOR} are those of motion priors; choose another one")
        if any((folder / f"{name}{SUFFIX}").exists() for folder in self._folders):
            raise Refusal("conflict", f"there is a model {name} already; choose another name, or delete that one")

    def rename(self, name: str, to: str) -> None:
        """Give one of the user's own models another name, and its prior with it.

        Raises:
            Refusal: there is no such model, it is none of the user's, or the other name is taken.
        """
        path = self._find_own(name)
        self.check_free(to)
        with _told(name):
            for ending in (SUFFIX, f"{_PRIOR}{SUFFIX}"):
                source = path.with_name(f"{name}{ending}")
                if source.exists():
                    os.rename(source, path.with_name(f"{to}{ending}"))

    def delete(self, name: str) -> None:
        """Remove one of the user's own models, and its prior. Raises Refusal when it is none."""
        path = self._find_own(name)
        with _told(name):
            path.unlink()
            path.with_name(f"{name}{_PRIOR}{SUFFIX}").unlink(missing_ok=True)

    def _find_own(self, name: str) -> Path:
        path = self.find(name).path
        if path.parent != self._folders[0]:
            raise Refusal("bad_parameter", f"{name} came with bitpuppet; only your own models can be changed")
        return path

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


class SetFolder:
    """The character sets of a server: folders, or `.toml` files."""

    def __init__(self, own: Path) -> None:
        """Name the folder that holds them; it need not exist."""
        self._folder = own

    def list(self) -> list[str]:
        """Names of all sets; at most as many as a message holds."""
        names = {path.name.removesuffix(SET_SUFFIX) for path in self._folder.glob("*")}
        return sorted(name for name in names if _is_name(name) and self._locate(name) is not None)[:MAX_MODELS]

    def find(self, name: str) -> Path:
        """Where a set is. Raises Refusal when there is none of this name."""
        path = self._locate(name) if _is_name(name) else None
        if path is None:
            known = ", ".join(self.list()) or "none"
            raise Refusal("unknown_set", f"there is no character set of this name here, there are: {known[:300]}")
        return path

    def _locate(self, name: str) -> Path | None:
        """A link could lead out of the folder, so it is no set."""
        folder, file = self._folder / name, self._folder / f"{name}{SET_SUFFIX}"
        try:
            if file.is_file() and not file.is_symlink():
                return file
            return folder if folder.is_dir() and not folder.is_symlink() else None
        except OSError:
            return None


def _is_name(name: str) -> bool:
    try:
        check_name("model", name)
    except ParameterError:
        return False
    return True


def _read_metadata(path: Path) -> Mapping[str, str]:
    with safe_open(path, framework="np") as file:
        return file.metadata() or {}


def _read_preset(path: Path) -> Preset:
    return Preset.from_metadata(json.loads(_read_metadata(path)["preset"]))


def _read_facts(path: Path) -> Report:
    """What the header tells people; what is for programs alone is left out."""
    try:
        metadata = _read_metadata(path)
        card = json.loads(metadata.get(_CARD, "{}"))
    except (OSError, SafetensorError, ValueError):
        return {}
    values: dict[str, object] = {name: value for name, value in metadata.items() if len(value) <= _LONG}
    values |= card if isinstance(card, dict) else {}
    figures = values.pop("figures", None)
    values |= figures if isinstance(figures, dict) else {}
    facts: dict[str, Scalar] = {}
    for name, value in sorted(values.items()):
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        if name in ("preset", _CARD) or not _is_name(name) or len(facts) == MAX_CARD_FACTS:
            continue
        if isinstance(value, str):
            facts[name] = shorten(value, MAX_FACT_BYTES)
        elif isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 2**53):
            facts[name] = value if math.isfinite(value) else None
    return facts


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say what the disk refuses, without its paths."""
    try:
        yield
    except OSError as error:
        raise Refusal("failed", f"the file of the model {name} cannot be changed ({error.strerror})") from error


def _hash(path: Path) -> str:
    """SHA-256, shortened to 16 digits: enough to tell two files apart, short enough to read."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            state.update(data)
    return state.hexdigest()[:16]
