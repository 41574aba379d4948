"""An animator's characters as a source of scenes for cross-driving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.augmentation import draw_colour_map, recolour
from bitpuppet.data.bank import Bank
from bitpuppet.data.character_set import Character, CharacterSet
from bitpuppet.data.mixture import Scene
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import find_content_box, find_pixel_scale, place_clip, place_like, reduce_frames, restore_clip
from bitpuppet.sprites.palette import OPAQUE_ALPHA

Frames = NDArray[np.uint8]
SHARE_FLIPPED = 0.25
"""Scenes that are mirrored as a whole: characters, poses and drivers alike."""
SHARE_LENT = 0.9
"""Scenes with frames from a bank of the other characters, where those perform the target's animation."""
_INTRODUCTIONS = 2
"""The longest of a character's other animations, by one of which the bank knows it; it takes time to get to know."""
SHARE_HYBRID = 0.5
"""Scenes of a hybrid, where another character performs all that the scene shows: one's upper part on the other's lower
part, in other colours. A set has few characters, and training learnt their looks by heart: what it drew of new ones got
worse with every step."""
SHARE_ALONE = 0.5
"""Scenes whose content is one animation, which is all that a new character often has."""


class Pose(NamedTuple):
    """One animation of one character of a set, by number."""

    character: int
    animation: int


def measure_art(character: Character) -> int:
    """The longer side of what a character's largest animation shows, at its own pixel scale."""
    joined = [animation.frames for animation in character.animations]
    scale = find_pixel_scale(np.concatenate(joined))
    boxes = (find_content_box(reduce_frames(frames, scale)) for frames in joined)
    return max((max(box.width, box.height) for box in boxes if box is not None), default=0)


def fit_character(character: Character, canvas: int) -> Character:
    """The character at its own pixel scale, if it fits a canvas (its side in pixels).

    Art that is drawn at 2 to 8 times its size is reduced by one factor for all animations.

    Raises:
        BitpuppetError: an animation is larger than the canvas, or shows nothing opaque.
    """
    joined = np.concatenate([animation.frames for animation in character.animations])
    scale = find_pixel_scale(joined)
    animations = []
    for animation in character.animations:
        frames = reduce_frames(animation.frames, scale)
        if not (frames[..., 3] >= OPAQUE_ALPHA).any():
            raise BitpuppetError(
                f"{character.name}, {animation.name}: no pixel has alpha {OPAQUE_ALPHA} or more, so it has no colours; "
                "draw it opaque, or leave it out of the set"
            )
        box = find_content_box(frames)
        if box is not None and max(box.width, box.height) > canvas:
            raise BitpuppetError(
                f"{character.name}, {animation.name}: the art is {box.width}x{box.height} pixels, the model's canvas "
                f"holds {canvas}x{canvas}; leave this animation out of the set, or draw it smaller"
            )
        animations.append(replace(animation, frames=frames))
    return replace(character, animations=tuple(animations))


class CustomSource:
    """Scenes of a character set.

    The target and the content stand where the content's own anchor puts them, and the driver where its own does: so it
    is when the model is used, where nobody knows how high a jump will be that is not drawn yet.
    """

    def __init__(self, characters: CharacterSet, canvas: int, *, held_out: Sequence[Pose] = ()) -> None:
        """Prepare a set.

        Args:
            characters: at least one of them has two animations.
            canvas: side of the frames that are drawn, in pixels.
            held_out: animations that are no targets (they may be content and drivers).

        Raises:
            BitpuppetError: a character is larger than the canvas, or there is nothing to drive across.
        """
        self.canvas = canvas
        self.name = characters.name
        self.characters = tuple(fit_character(character, canvas) for character in characters.characters)
        self.targets = [pose for pose in list_targets(self.characters) if pose not in set(held_out)]
        if not self.targets:
            raise BitpuppetError(
                f"{characters.name}: no character has two animations, so nothing can be learnt from the set; add some"
            )
        self._drawn = set(self.targets)
        self.bank = Bank(self.characters, canvas)
        self._lent: dict[tuple[Pose, int], tuple[Frames, Frames] | None] = {}

    def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> Scene:
        """See `Source`. Where no other character performs the first clip's animation, its driver is itself."""
        pose = self.targets[int(rng.integers(len(self.targets)))]
        others = [n for n in range(len(self.characters[pose.character].animations)) if n != pose.animation]
        count = 1 if rng.random() < SHARE_ALONE else max(1, clips - 1)
        known = sorted(others, key=lambda n: -len(self._frames(Pose(pose.character, n))))[:_INTRODUCTIONS]
        first = int(rng.choice(known))
        chosen = [first, *(int(n) for n in rng.permutation(others) if n != first)][:count]
        drivers = self.find_drivers(pose)
        driver = drivers[int(rng.integers(len(drivers)))] if drivers else pose
        scene = self.make_scene(pose, chosen, driver)
        if rng.random() < SHARE_LENT:
            scene = self._lend(scene, pose, chosen)
        doubles = self._find_doubles(pose, chosen)
        if doubles and rng.random() < SHARE_HYBRID:
            double, known = doubles[int(rng.integers(len(doubles)))]
            other = self.make_scene(double, known, driver)
            if scene.lent is not None:
                other = self._lend(other, double, known)
            scene = join_scenes(scene, other, rng)
        if rng.random() < SHARE_FLIPPED:
            lent, lenders = (None if part is None else flip(part) for part in (scene.lent, scene.lenders))
            scene = Scene([flip(clip) for clip in scene.clips], flip(scene.driver), lent, lenders)
        return scene

    def _find_doubles(self, pose: Pose, content: Sequence[int]) -> list[tuple[Pose, list[int]]]:
        """Other characters with all these animations: which of theirs is the target, and which are content."""
        own = self.characters[pose.character].animations
        found = []
        for number, character in enumerate(self.characters):
            if number == pose.character:
                continue
            places = {(one.name, len(one.frames)): n for n, one in reversed(list(enumerate(character.animations)))}
            theirs = [places.get((own[n].name, len(own[n].frames))) for n in (pose.animation, *content)]
            target, *rest = theirs
            known = [n for n in rest if n is not None]
            if target is not None and len(known) == len(rest) and Pose(number, target) in self._drawn:
                found.append((Pose(number, target), known))
        return found

    def _lend(self, scene: Scene, pose: Pose, content: Sequence[int]) -> Scene:
        """The scene with what a bank of all other characters, who know one by `content[0]`, shows of the target."""
        key = pose, content[0]
        animations = self.characters[pose.character].animations
        placed, anchor = place_clip(animations[content[0]].frames, self.canvas)
        if key not in self._lent:
            wanted = animations[pose.animation]
            found = []
            for one in self.bank.introduce(placed, without=pose.character):
                numbers = self.bank.locate(one.number, wanted.name, len(wanted.frames))
                if numbers is not None:
                    found.append((one.lend(numbers), self.bank.placed[one.number][numbers]))
            self._lent[key] = (
                (np.stack([lent for lent, _ in found]), np.stack([own for _, own in found])) if found else None
            )
        pair = self._lent[key]
        if pair is None:
            return scene
        _, wanted_anchor = place_clip(np.concatenate([animations[n].frames for n in content]), self.canvas)
        lent = np.stack([place_like(restore_clip(one, anchor), wanted_anchor) for one in pair[0]])
        return scene._replace(lent=lent, lenders=pair[1])

    def make_scene(self, pose: Pose, content: Sequence[int], driver: Pose) -> Scene:
        """The scene of a target, of the character's animations that content comes from, and of a driver's."""
        animations = self.characters[pose.character].animations
        _, anchor = place_clip(np.concatenate([animations[n].frames for n in content]), self.canvas)
        clips = [place_like(animations[n].frames, anchor) for n in (pose.animation, *content)]
        return Scene(clips, place_clip(self._frames(driver), self.canvas)[0])

    def find_drivers(self, pose: Pose) -> list[Pose]:
        """Animations of other characters with the name and the length of `pose`."""
        wanted = self.characters[pose.character].animations[pose.animation]
        return [
            Pose(c, a)
            for c, character in enumerate(self.characters)
            for a, animation in enumerate(character.animations)
            if c != pose.character and animation.name == wanted.name and len(animation.frames) == len(wanted.frames)
        ]

    def count_occupied(self, patch: int) -> tuple[int, int]:
        """Most patches (their side in pixels) that a frame of the set shows something in, and that all frames do."""
        most, union = 0, np.zeros((self.canvas // patch,) * 2, bool)
        for character in self.characters:
            for animation in character.animations:
                alpha = place_clip(animation.frames, self.canvas)[0][..., 3] > 0
                cells = alpha.reshape(len(alpha), len(union), patch, len(union), patch).any(axis=(2, 4))
                most = max(most, int(cells.sum(axis=(1, 2)).max()))
                union |= cells.any(axis=0)
        return most, int(union.sum())

    def _frames(self, pose: Pose) -> Frames:
        return self.characters[pose.character].animations[pose.animation].frames


def join_scenes(upper: Scene, lower: Scene, rng: np.random.Generator) -> Scene:
    """The scene of a hybrid of two characters, who perform the same; the driver is the first one's.

    Each frame is cut at the same share of the first character's height; the other one's part is recoloured.
    """
    share, colours = rng.uniform(0.25, 0.75), draw_colour_map(rng)

    def join(one: Frames, other: Frames) -> Frames:
        rows = (one[..., 3] > 0).max(axis=-1)
        top, bottom = rows.argmax(axis=-1), rows.shape[-1] - rows[..., ::-1].argmax(axis=-1)
        cut: NDArray[np.float64] = top + share * (bottom - top)
        above: NDArray[np.bool_] = np.arange(rows.shape[-1]) < cut[..., None]
        return np.where(above[..., None, None], one, recolour(other, *colours))

    clips = [join(one, other) for one, other in zip(upper.clips, lower.clips, strict=True)]
    if upper.lent is None or lower.lent is None or upper.lent.shape != lower.lent.shape:
        return Scene(clips, upper.driver)
    return Scene(clips, upper.driver, join(upper.lent, lower.lent), upper.lenders)


def flip(frames: Frames) -> Frames:
    """Frames (..., H, W, 4) mirrored left to right."""
    return np.ascontiguousarray(frames[..., ::-1, :])


def list_targets(characters: Sequence[Character]) -> list[Pose]:
    """All animations whose character has another one."""
    return [
        Pose(c, a)
        for c, character in enumerate(characters)
        if len(character.animations) > 1
        for a in range(len(character.animations))
    ]


def hold_out(characters: Sequence[Character], share: float = 0.1) -> list[Pose]:
    """Animations to measure on while training, by a rule that depends on the set alone.

    Every animation must stay known: only those that another character performs too, in as many frames, are taken,
    evenly spaced among them, at most one of each name. None in sets where nothing is shared.
    """
    names: dict[tuple[str, int], list[Pose]] = {}
    for pose in list_targets(characters):
        animation = characters[pose.character].animations[pose.animation]
        names.setdefault((animation.name, len(animation.frames)), []).append(pose)
    shared = [poses for poses in names.values() if len(poses) > 1]
    count = min(len(shared), max(1, round(share * sum(len(poses) for poses in shared))))
    picked = np.linspace(0, len(shared) - 1, count).round().astype(int) if shared else np.zeros(0, int)
    return [shared[n][place % len(shared[n])] for place, n in enumerate(picked)]
