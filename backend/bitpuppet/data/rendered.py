"""Characters rendered in Blender by tools/render_characters.py: a factorial of looks, actions and directions."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.mixture import Mixture, Scene, Share
from bitpuppet.data.poses import Names, leave_unnamed, name_rendered
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import place_clip, read_clip
from bitpuppet.sprites.images import read_bytes

Frames = NDArray[np.uint8]
PLAN, CHARACTER = "rendered.json", "character.json"
HELD_OUT_EVERY = 10
"""One character in so many, by its number, is for tests alone."""
CAPACITY = 16_000
"""Clips that are kept in memory, of 570 characters with 28 motions: 2.1 GB where frames have 64 pixels."""
_TURN = "turn"
"""The action that shows all directions: seen from another one it is the same pictures at other moments."""
_MAX_JSON = 1 << 20
_NAME = re.compile(r"[a-z][a-z-]{0,30}")


@dataclass(frozen=True)
class RenderedFolder:
    """What a folder of rendered characters holds.

    `size`: side of a frame in pixels. `motions`: action and direction of each motion; all characters have all of them.
    `characters`: names, those of `held_out` among them.
    """

    root: Path
    size: int
    actions: tuple[str, ...]
    directions: tuple[str, ...]
    characters: tuple[str, ...]

    @property
    def motions(self) -> tuple[tuple[str, str], ...]:
        """Action and direction of each motion."""
        return tuple((action, direction) for action in self.actions for direction in self.directions)

    @property
    def held_out(self) -> tuple[str, ...]:
        """The characters that training never shows."""
        return tuple(name for name in self.characters if int(name) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1)

    @property
    def known(self) -> tuple[str, ...]:
        """The characters that training may show."""
        return tuple(name for name in self.characters if int(name) % HELD_OUT_EVERY != HELD_OUT_EVERY - 1)

    def read(self, character: str, motion: int) -> Frames:
        """The frames (T, size, size, 4) of a character performing a motion, soft alpha and all, empty ones included.

        Raises:
            BitpuppetError: the sheet cannot be read, or is of another size than the folder says.
        """
        action, direction = self.motions[motion]
        path = self.root / character / f"{action}.png"
        return read_clip(path, (self.size, self.size), [self.directions.index(direction)]).frames


def open_rendered(root: Path) -> RenderedFolder:
    """Look at a folder of rendered characters; those that are not complete are left out.

    Raises:
        BitpuppetError: it is no such folder, or no character is complete.
    """
    path = root / PLAN
    plan = _read_json(path)
    size, actions, directions = plan.get("size"), _read_names(plan, "actions"), _read_names(plan, "directions")
    if not isinstance(size, int) or not actions or not directions:
        raise BitpuppetError(f"{path} lacks size, actions or directions; render the folder again")
    names = sorted(file.parent.name for file in root.glob(f"*/{CHARACTER}"))
    complete = tuple(name for name in names if name.isdecimal())
    if not complete:
        raise BitpuppetError(f"{root} holds no complete character; run tools/render_characters.py to its end")
    return RenderedFolder(root, size, actions, directions, complete)


class RenderedSource:
    """Rendered characters for the mixture; see `mixture.Source`. Each is driven by any other one."""

    def __init__(self, root: Path, canvas: int, *, held_out: bool = False, capacity: int = CAPACITY) -> None:
        """Open a folder.

        Args:
            root: the folder.
            canvas: side of the model's canvas in pixels, on which the frames must fit.
            held_out: draw those that training never shows, instead of those that it does.
            capacity: clips that are kept in memory.

        Raises:
            BitpuppetError: as `open_rendered`, and when frames are larger than the canvas or there are no two
                characters.
        """
        self.folder = open_rendered(root)
        if self.folder.size > canvas:
            raise BitpuppetError(
                f"{root} has frames of {self.folder.size} pixels, the canvas has {canvas}; render smaller"
            )
        self.characters = self.folder.held_out if held_out else self.folder.known
        if len(self.characters) < 2:
            raise BitpuppetError(
                f"{root} has {len(self.characters)} characters to draw from, two are needed; render more"
            )
        if len(self.folder.motions) < 2:
            raise BitpuppetError(f"{root} has a single motion, two are needed; render more actions or directions")
        self._canvas, self._capacity = canvas, capacity
        self._clips: OrderedDict[tuple[str, int], Frames] = OrderedDict()

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """See `Source`."""
        character, driver = self.pick_two(rng)
        motions = rng.permutation(len(self.folder.motions))[:clips]
        shown = [self.clip(character, int(motion)) for motion in motions]
        names = [self.name(int(motion), len(clip)) for motion, clip in zip(motions, shown, strict=True)]
        return Scene(shown, self.clip(driver, int(motions[0])), names=names)

    def pick_two(self, rng: np.random.Generator) -> tuple[str, str]:
        """Two different characters."""
        one, other = rng.choice(len(self.characters), size=2, replace=False)
        return self.characters[int(one)], self.characters[int(other)]

    def name(self, motion: int, frames: int) -> Names:
        """What `frames` frames of a motion show, see `poses`; the turn is unnamed."""
        action, direction = self.folder.motions[motion]
        if action == _TURN:
            return leave_unnamed(frames)
        return name_rendered(self.folder.actions.index(action), direction, frames)

    def clip(self, character: str, motion: int) -> Frames:
        """A character performing a motion, on the canvas: (T, canvas, canvas, 4)."""
        key = character, motion
        if key not in self._clips:
            self._clips[key], _ = place_clip(self.folder.read(character, motion), self._canvas)
            if len(self._clips) > self._capacity:
                self._clips.popitem(last=False)
        return self._clips[key]


def make_rendered_mixture(root: Path, canvas: int, *, seed: int = 0) -> Mixture:
    """What `render64` is trained on; a third of the characters are recoloured. Errors as in `RenderedSource`.

    Whoever has a rendered character has many of its animations, so content comes from many.
    """
    shares = [Share(RenderedSource(root, canvas), 1.0, 1 / 3)]
    return Mixture(shares, seed=seed, most_clips=9, least_shown=5)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_bytes(path, _MAX_JSON))
    except (ValueError, RecursionError) as error:
        raise BitpuppetError(f"{path} is no JSON that can be read; render the folder again") from error
    if not isinstance(data, dict):
        raise BitpuppetError(f"{path} is no JSON object; render the folder again")
    return data


def _read_names(plan: dict[str, Any], key: str) -> tuple[str, ...]:
    """Names that may be part of a path; none where the value is anything else."""
    names = plan.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        return ()
    return tuple(names)
