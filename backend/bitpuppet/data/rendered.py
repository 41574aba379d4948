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
from bitpuppet.sprites.anchor import place_like
from bitpuppet.sprites.images import read_bytes

Frames = NDArray[np.uint8]
PLAN, CHARACTER, SURFACE = "rendered.json", "character.json", ".surface.png"
HELD_OUT_EVERY = 10
"""One character in so many, by its number, is for tests alone."""
_TURN = "turn"
"""The action that shows all directions: seen from another one it is the same pictures at other moments."""
CAPACITY = 16_000
"""Clips that are kept in memory, 131 KB each where frames have 64 pixels, and as much again with surfaces."""
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
        return self._read(character, motion, ".png")

    def read_surface(self, character: str, motion: int) -> Frames | None:
        """Which points of the body the frames show, (T, size, size, 4); None where the folder does not know.

        Red, green and blue say where a point is when the character is at rest: 0 to 255 along the axis across, from
        front to back, and up, red 127.5 in the middle (`--surfaces` of tools/render_characters.py). Alpha is 0 where
        nothing is shown. Errors as of `read`.
        """
        if not (self.root / character / f"{self.motions[motion][0]}{SURFACE}").is_file():
            return None
        return self._read(character, motion, SURFACE)

    def _read(self, character: str, motion: int, ending: str) -> Frames:
        action, direction = self.motions[motion]
        path = self.root / character / f"{action}{ending}"
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

    def __init__(
        self, root: Path, canvas: int, *, held_out: bool = False, surfaces: bool = False, capacity: int = CAPACITY
    ) -> None:
        """Open a folder.

        Args:
            root: the folder.
            canvas: side of the model's canvas in pixels, on which the frames must fit.
            held_out: draw those that training never shows, instead of those that it does.
            surfaces: read them, where the folder has them.
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
        self._canvas, self._capacity, self._surfaces = canvas, capacity, surfaces
        self._clips: OrderedDict[tuple[str, int], tuple[Frames, Frames | None]] = OrderedDict()

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """See `Source`."""
        character, driver = self.pick_two(rng)
        motions = rng.permutation(len(self.folder.motions))[:clips]
        shown = [self.clip(character, int(motion)) for motion in motions]
        names = [self.name(int(motion), len(clip)) for motion, clip in zip(motions, shown, strict=True)]
        surfaces = [self.surface(character, int(motion)) for motion in motions] if self._surfaces else None
        return Scene(shown, self.clip(driver, int(motions[0])), names=names, surfaces=surfaces)

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
        return self._open(character, motion)[0]

    def surface(self, character: str, motion: int) -> Frames:
        """Which points of the body the clip shows, see `RenderedFolder.read_surface`; 0 where nobody knows."""
        clip, surface = self._open(character, motion)
        return np.zeros_like(clip) if surface is None else surface

    def _open(self, character: str, motion: int) -> tuple[Frames, Frames | None]:
        key = character, motion
        if key not in self._clips:
            frames = self.folder.read(character, motion)
            clip, anchor = place_clip(frames, self._canvas)
            surface = self.folder.read_surface(character, motion) if self._surfaces else None
            if surface is not None and surface.shape != frames.shape:
                raise BitpuppetError(
                    f"{self.folder.root / character} has surfaces that do not fit its frames; remove its files that "
                    f"end in {SURFACE}, and make them again"
                )
            self._clips[key] = clip, None if surface is None else place_like(surface, anchor)
            if len(self._clips) > self._capacity:
                self._clips.popitem(last=False)
        return self._clips[key]


def make_rendered_mixture(root: Path, canvas: int, *, seed: int = 0) -> Mixture:
    """What `render64` is trained on; half of the characters are recoloured. Errors as in `RenderedSource`."""
    return Mixture([Share(RenderedSource(root, canvas, surfaces=True), 1.0, 1 / 2)], seed=seed)


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
