"""Looks at a fine-tuning run: held-out animations, drawn and compared with the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bitpuppet.data.bank import TRUST, Bank
from bitpuppet.data.custom import CustomSource, Pose
from bitpuppet.data.mixture import Scene
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.device import pick_dtype
from bitpuppet.sprites import collect_palette, find_content_box, snap_frames, write_contact_sheet

_SHOWN = 4
TRUSTS = (TRUST, 0.9, 1.2, 0.3)
"""The usual one first, which is kept where none is better. Not 0: in a small set of unlike characters nobody lends well
to anybody, which says nothing of a new one that is like one of them. Whoever is like none borrows nothing anyway."""
_FRAMES = 8
"""Most frames of an animation that are looked at; a look must not cost as much as what it looks at."""


class Looks:
    """The held-out animations of a set."""

    def __init__(self, source: CustomSource, held_out: Sequence[Pose]) -> None:
        """Choose content and drivers once: the rest of the character, and the first other character that there is."""
        self._measured = bool(held_out)
        self._scenes: list[tuple[str, Scene, Bank]] = []
        hidden = set(held_out)
        for pose in held_out or source.targets[:: max(1, len(source.targets) // _SHOWN)][:_SHOWN]:
            character = source.characters[pose.character]
            content = [n for n in range(len(character.animations)) if n != pose.animation]
            content = [n for n in content if Pose(pose.character, n) not in hidden] or content
            driver = next(iter(source.find_drivers(pose)), pose)
            name = f"{character.name}, {character.animations[pose.animation].name}"
            others = [one for number, one in enumerate(source.characters) if number != pose.character]
            self._scenes.append((name, source.make_scene(pose, content, driver), Bank(others, source.canvas)))

    def choose_trust(self, model: BitrateControlledDiffusion, device: torch.device) -> float:
        """How far banks are best trusted (see `Bank`), and from now on are, while the held-out animations are drawn.

        To be asked when the reader knows the set's poses and the denoiser nothing of it: once that has learnt its
        characters it needs the bank less for them than for new ones.
        """
        best, chosen = -1.0, TRUST
        for trust in TRUSTS if self._measured else ():
            self.set_trust(trust)
            right = self.measure(model, device)
            if right is not None and right > best:
                best, chosen = right, trust
        self.set_trust(chosen)
        return chosen

    def set_trust(self, trust: float) -> None:
        """Trust banks so far."""
        for _, _, bank in self._scenes:
            bank.trust = trust

    def measure(
        self, model: BitrateControlledDiffusion, device: torch.device, picture: Path | None = None
    ) -> float | None:
        """Draw all of them in one step, and write a picture of the first ones, if it has a name.

        Returns:
            Share of the pixels of both silhouettes that are exactly right, 0..1; None where nothing is held out.
        """
        right, pixels, rows = 0, 0, []
        for name, scene, bank in self._scenes:
            engine = Engine(model, device, pick_dtype(device), bank)
            target, driver = scene.clips[0][:_FRAMES], scene.driver[:_FRAMES]
            content = np.concatenate(scene.clips[1:])
            drawn = snap_frames(engine.retarget(content, driver, steps=1).frames, collect_palette(content))
            either = (target[..., 3] > 127) | (drawn[..., 3] > 127)
            right += int((drawn == target).all(axis=-1)[either].sum())
            pixels += int(either.sum())
            rows.append((name, driver, drawn, target))
        box = find_content_box(np.concatenate([part for row in rows[:_SHOWN] for part in row[1:]]))
        if box is not None and picture is not None:
            left, top, bottom, side = box.left, box.top, box.bottom, box.right
            lines = [
                (f"{name}: {kind}", np.ascontiguousarray(frames[:, top:bottom, left:side]))
                for name, *parts in rows[:_SHOWN]
                for kind, frames in zip(("driver", "drawn", "true"), parts, strict=True)
            ]
            write_contact_sheet(lines, picture, scale=2 if bottom - top > 32 else 4)
        return right / max(pixels, 1) if self._measured else None
