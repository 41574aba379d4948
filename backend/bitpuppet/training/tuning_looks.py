"""Looks at a fine-tuning run: held-out animations, drawn and compared with the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from bitpuppet.data.bank import TRUST, Bank
from bitpuppet.data.custom import CustomSource, Pose
from bitpuppet.data.mixture import Frames, Scene
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.device import pick_dtype
from bitpuppet.sprites import collect_palette, find_content_box, snap_frames, write_contact_sheet

_SHOWN = 4
TRUSTS = (1.2, 0.9, 0.6, 0.3)
"""The highest first, which is taken where none is better: what is lent for the very pose is then always believed."""
_NEWCOMERS = 10
"""Most animations that it is chosen by."""
_FRAMES = 8
"""Most frames of an animation that are looked at; a look must not cost as much as what it looks at."""


class _Look(NamedTuple):
    """An animation that is drawn and compared."""

    name: str
    scene: Scene
    bank: Bank
    """All characters but the one that is drawn."""


class Looks:
    """The held-out animations of a set."""

    def __init__(self, source: CustomSource, held_out: Sequence[Pose]) -> None:
        """Choose content and drivers once: the rest of the character, and the first other character that there is."""
        self._measured = bool(held_out)
        self._scenes: list[_Look] = []
        hidden = set(held_out)
        for pose in held_out or source.targets[:: max(1, len(source.targets) // _SHOWN)][:_SHOWN]:
            character = source.characters[pose.character]
            content = [n for n in range(len(character.animations)) if n != pose.animation]
            content = [n for n in content if Pose(pose.character, n) not in hidden] or content
            driver = next(iter(source.find_drivers(pose)), pose)
            name = f"{character.name}, {character.animations[pose.animation].name}"
            self._scenes.append(_make_look(name, source, pose, content, driver))
        self._newcomers = _list_newcomers(source)

    def choose_trust(self, model: BitrateControlledDiffusion, device: torch.device) -> float:
        """How far banks are best trusted (see `Bank`), and from now on are.

        It is chosen on characters of the set, each shown in one animation alone and without itself in the bank, as a
        new one would be. To be asked when the reader knows the set's poses and the denoiser nothing of it: once that
        has learnt its characters, it needs the bank less for them than for new ones.
        """
        best, chosen = -1.0, TRUST
        for trust in TRUSTS if self._newcomers else ():
            self.set_trust(trust)
            right = _count_right(self._newcomers, model, device).share
            if right > best:
                best, chosen = right, trust
        self.set_trust(chosen)
        return chosen

    def set_trust(self, trust: float) -> None:
        """Trust banks so far."""
        for look in (*self._scenes, *self._newcomers):
            look.bank.trust = trust

    def measure(
        self, model: BitrateControlledDiffusion, device: torch.device, picture: Path | None = None
    ) -> float | None:
        """Draw all of them in one step, and write a picture of the first ones, if it has a name.

        Returns:
            Share of the pixels of both silhouettes that are exactly right, 0..1; None where nothing is held out.
        """
        found = _count_right(self._scenes, model, device)
        rows = found.rows[:_SHOWN]
        box = find_content_box(np.concatenate([part for row in rows for part in row[1:]]))
        if box is not None and picture is not None:
            left, top, bottom, side = box.left, box.top, box.bottom, box.right
            lines = [
                (f"{name}: {kind}", np.ascontiguousarray(frames[:, top:bottom, left:side]))
                for name, *parts in rows
                for kind, frames in zip(("driver", "drawn", "true"), parts, strict=True)
            ]
            write_contact_sheet(lines, picture, scale=2 if bottom - top > 32 else 4)
        return found.share if self._measured else None


def _list_newcomers(source: CustomSource) -> list[_Look]:
    """Animations that others perform too, evenly spread, each of a character that is shown in its longest other one."""
    found: list[tuple[Pose, int, Pose]] = []
    for pose in source.targets:
        character = source.characters[pose.character]
        drivers = source.find_drivers(pose)
        others = [n for n in range(len(character.animations)) if n != pose.animation]
        if drivers and others:
            longest = max(others, key=lambda n: len(character.animations[n].frames))
            found.append((pose, longest, drivers[0]))
    places = np.linspace(0, len(found) - 1, min(len(found), _NEWCOMERS)).round().astype(int)
    return [
        _make_look(source.characters[pose.character].name, source, pose, [given], driver)
        for pose, given, driver in (found[place] for place in places)
    ]


def _make_look(name: str, source: CustomSource, pose: Pose, content: Sequence[int], driver: Pose) -> _Look:
    """The look at a target, shown in animations `content`; see `CustomSource.make_scene`."""
    others = [one for number, one in enumerate(source.characters) if number != pose.character]
    return _Look(name, source.make_scene(pose, content, driver), Bank(others, source.canvas))


class _Found(NamedTuple):
    """What was drawn of some looks."""

    share: float
    """Of the pixels of both silhouettes that are exactly right, 0..1."""
    rows: list[tuple[str, Frames, Frames, Frames]]
    """Name, driver, what was drawn, and what is true, of each."""


def _count_right(looks: Sequence[_Look], model: BitrateControlledDiffusion, device: torch.device) -> _Found:
    """Draw looks in one step each."""
    right, pixels, rows = 0, 0, []
    for name, scene, bank in looks:
        engine = Engine(model, device, pick_dtype(device), bank)
        target, driver = scene.clips[0][:_FRAMES], scene.driver[:_FRAMES]
        content = np.concatenate(scene.clips[1:])
        drawn = snap_frames(engine.retarget(content, driver, steps=1).frames, collect_palette(content))
        either = (target[..., 3] > 127) | (drawn[..., 3] > 127)
        right += int((drawn == target).all(axis=-1)[either].sum())
        pixels += int(either.sum())
        rows.append((name, driver, drawn, target))
    return _Found(right / max(pixels, 1), rows)
