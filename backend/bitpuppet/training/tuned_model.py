"""Model files of fine-tuned weights: as those that ship, with a card in their header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bitpuppet.data.bank import HEADER, Bank
from bitpuppet.data.character_set import CharacterSet
from bitpuppet.data.custom import measure_art
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.enlarging import enlarge
from bitpuppet.model.preset import LARGEST_CANVAS, Preset
from bitpuppet.model.weights import SHIPPED, load_model, save_weights

_KEY = "card"
_TEXTS = ("base", "base_digest", "set_name", "set_digest")


@dataclass(frozen=True)
class ModelCard:
    """Where a model comes from."""

    base: str
    """The preset that was begun with."""
    base_digest: str
    """First half of the SHA-256 of its weights file, in hex."""
    set_name: str
    set_digest: str
    """The same of the set's frames."""
    characters: tuple[str, ...] = ()
    animations: int = 0
    steps: int = 0
    seconds: int = 0
    date: str = ""
    """UTC, ISO 8601; empty until the file is written."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """`before` and `best`: exact share of the held-out animations' pixels with the base weights and with these;
    `tokens_kept`: share of the motion tokens of base data that are as the base's."""


def load_base(
    base: str, weights: Path | None, device: torch.device, characters: CharacterSet
) -> BitrateControlledDiffusion:
    """The model that a run begins with, on a canvas that holds the set's art, if there is one.

    Raises:
        BitpuppetError: the weights cannot be used, or are of a preset for videos or for shaded colours.
    """
    model = load_model(base, weights, device)
    if model.preset.reading == "frames" or model.preset.codec == "latent":
        raise BitpuppetError(f"--from {base}: this preset reads clips and not sprites; choose sprite64")
    if model.preset.head != "palette":
        raise BitpuppetError(f"--from {base}: this preset draws shades, and a set has colours; choose sprite64")
    largest = max(measure_art(character) for character in characters.characters)
    return enlarge(model) if model.preset.canvas < min(LARGEST_CANVAS, largest) else model


def mix_states(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between those that a run began with and those that it learnt.

    Halfway a model knows the set nearly as well, and forgets much less ("Robust fine-tuning of zero-shot models",
    Wortsman et al. 2022, arXiv 2109.01903). What reads motion is taken as it was learnt: another lesson holds it to
    what it knew.

    Args:
        base: state of the model before.
        tuned: after; the same names.
        share: of the tuned weights, 0..1.
    """
    read = ("encoder.stem.", "quantizer.")
    return {
        name: value if name.startswith(read) else torch.lerp(base[name], value, share) for name, value in tuned.items()
    }


def save_tuned(path: Path, state: Mapping[str, Tensor], preset: Preset, card: ModelCard, bank: Bank) -> None:
    """Write a model file: bfloat16 safetensors with a bank in the header, under a temporary name first."""
    values = asdict(card) | {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    told = {_KEY: json.dumps(values), "steps": str(card.steps), "data": card.set_name}
    save_weights(path, state, preset, told | {HEADER: bank.to_text()})


def read_card(path: Path) -> ModelCard | None:
    """The card of a model file; None for weights that were not fine-tuned.

    Raises:
        BitpuppetError: the file cannot be read, or its card is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
        if text is None:
            return None
        values: dict[str, Any] = json.loads(text)
        known = {name: values[name] for name in (f.name for f in fields(ModelCard)) if name in values}
        if not all(isinstance(known.get(name), str) for name in _TEXTS):
            raise ValueError("its card lacks the base or the set")
        return ModelCard(**(known | {"characters": tuple(known.get("characters", ()))}))
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise BitpuppetError(f"{path}: not a readable model file ({error}); copy it again") from error


def digest_weights(preset: str, path: Path | None) -> str:
    """What tells one weights file from another."""
    file = path or SHIPPED / f"{preset}.safetensors"
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]


def digest_set(characters: CharacterSet) -> str:
    """What tells one character set from another: names and pixels."""
    digest = hashlib.sha256()
    for character in characters.characters:
        for animation in character.animations:
            digest.update(json.dumps([character.name, animation.name, animation.frames.shape]).encode())
            digest.update(animation.frames.tobytes())
    return digest.hexdigest()[:32]


def read_preset_name(path: Path) -> str:
    """The preset that a weights file says it holds.

    Raises:
        BitpuppetError: it is no weights file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return str(json.loads((file.metadata() or {})["preset"])["name"])
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise BitpuppetError(f"{path}: not a readable weights file of bitpuppet; copy it again") from error
