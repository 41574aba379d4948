"""A bank of characters: what others of a family show of a pose that a new character was never seen in.

A new character is introduced to those of the bank: which of their poses its own frames show, and which of their colours
are which of its own. Any frame of theirs can then be borrowed. It is drawn as a video codec predicts a frame: where a
piece of it looks like a piece of their frames in the new character's poses, the new character's own pixels are moved
there, and elsewhere their pixels are taken, recoloured. Nothing here is learnt.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from bitpuppet.data.character_set import Character, CharacterAnimation
from bitpuppet.data.likeness import ColourMatch, Frames, compare_poses, index_colours, match_colours
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import find_content_box, place_clip, place_like

HEADER = "bank"
"""Key of a model file's header."""
MAX_BYTES = 32 << 20
"""Most that the frames of a packed bank take."""
TRUST, MOST_TRUST = 0.6, 10.0
"""Trust where nothing was measured, and the most. On two characters that training had not seen, 0, 0.3, 0.6 and 0.9 got
40.0, 43.3, 44.4 and 43.9 % of the pixels exactly right; what was lent, by itself, 44.0 %."""
_MOST_SHRUNK = 8
"""How many times as much they may take when they are unpacked."""
INTRODUCED = 2
"""Characters that frames are borrowed from, most alike first."""
LEAST_LIKENESS = 0.12
"""A character that is less alike has nothing to lend."""
_LEAST_SHARE = 0.75
"""Of the likeness of the first one, which others need too."""
_REMEMBERED = 64
"""Introductions that are kept."""
_MOST_CONTENT = 16
"""Frames of the new character that are compared, evenly spaced."""
_IN_ORDER = 0.8
"""Share of the likeness of the best frames that an animation in its own order needs."""
_POSES = 4
"""Frames in which pieces of a borrowed one are looked for, mirrored ones among them."""
_MARGIN = 6
"""Pixels around a borrowed frame in which the new character may have something where the other has nothing."""
_REACH = 4
"""Pixels to each side by which a piece may have moved."""
_RADII = (1, 3)
"""Of the squares around a pixel that are compared."""
_FOUND = 0.7
"""Share of equal pixels, from which a piece counts as found."""


@dataclass(frozen=True, eq=False)
class Acquaintance:
    """A character of the bank that a new one was introduced to."""

    number: int
    """Of the character in the bank."""
    likeness: float
    """Share of the new character's pixels in the poses that both show which recolouring gets right, 0..1."""
    frames: Frames
    """All its frames in the bank's order, (N, canvas, canvas, 4), beside the new character's."""
    colours: ColourMatch
    partners: Frames
    """Its frames in the new character's poses, (I, canvas, canvas, 4)."""
    ours: Frames
    """The new character in these poses, of the same shape."""

    def lend(self, numbers: Sequence[int] | NDArray[np.intp]) -> Frames:
        """Its frames `numbers` as the new character would show them, (len(numbers), canvas, canvas, 4)."""
        asked = self.frames[np.asarray(numbers)]
        out = self.colours.apply(asked)
        indexed = index_colours(np.concatenate([asked, self.partners])).clip(max=255).astype(np.uint8)
        partners = np.concatenate([indexed[len(asked) :], indexed[len(asked) :, :, ::-1]])
        ours = np.concatenate([self.ours, self.ours[:, :, ::-1]])
        sides = ((0, 0), (_REACH, _REACH), (_REACH, _REACH))
        hidden, colours = np.pad(partners, sides), np.pad(ours, (*sides, (0, 0)))
        for frame, wanted in enumerate(indexed[: len(asked)]):
            box = find_content_box(asked[frame : frame + 1])
            if box is None:
                continue
            equal = ((partners == wanted) & (wanted > 0)).sum(axis=(1, 2))
            nearest = np.argsort(-equal, kind="stable")[:_POSES]
            top, left = max(box.top - _MARGIN, 0), max(box.left - _MARGIN, 0)
            down, right = min(box.bottom + _MARGIN, len(wanted)), min(box.right + _MARGIN, len(wanted))
            seen = nearest, slice(top, down + 2 * _REACH), slice(left, right + 2 * _REACH)
            _move_pieces(out[frame, top:down, left:right], wanted[top:down, left:right], hidden[seen], colours[seen])
        return out


def _move_pieces(out: Frames, wanted: Frames, partners: Frames, ours: Frames) -> None:
    """Overwrite the pixels of `out` (H, W, 4) whose surroundings in `wanted` (H, W) are found in `partners`.

    They come from the same places of `ours`. Both show `_REACH` pixels more on each side: (I, H + 2 R, W + 2 R), and
    with colours (I, H + 2 R, W + 2 R, 4).
    """
    windows = np.lib.stride_tricks.sliding_window_view(partners, wanted.shape, axis=(1, 2))
    same = rearrange(windows == wanted, "i y x h w -> (i y x) h w")
    score = sum((_average(same, radius) for radius in _RADII), np.zeros((), np.float32)) / len(_RADII)
    offsets = np.arange(-_REACH, _REACH + 1)
    far = np.hypot(offsets[:, None], offsets).ravel().astype(np.float32)
    score -= 1e-3 * np.tile(far, len(partners))[:, None, None]  # of equal ones the nearest, of the nearest the first
    best = score.argmax(axis=0)
    found = np.take_along_axis(score, best[None], axis=0)[0] >= _FOUND
    pose, shift = np.divmod(best, len(offsets) ** 2)
    down, right = np.divmod(shift, len(offsets))
    row, column = np.indices(wanted.shape)
    out[found] = ours[pose, row + down, column + right][found]


def _average(same: NDArray[np.bool_], radius: int) -> NDArray[np.float32]:
    """Mean over the square of `radius` pixels around each of (N, H, W); beyond the edge all is equal."""
    side = 2 * radius + 1
    sides = ((0, 0), (radius, radius), (radius, radius))
    sums = np.pad(same.astype(np.uint8), sides, constant_values=1)  # at most 49: no cumulative sum is as fast
    for axis in (1, 2):
        ends = sums.shape[axis] - side + 1
        moved = np.moveaxis(sums, axis, 0)
        sums = np.moveaxis(functools.reduce(np.add, (moved[first : first + ends] for first in range(side))), 0, axis)
    return sums.astype(np.float32) / np.float32(side**2)


def _cut(likeness: NDArray[np.float32], character: Character) -> Iterator[NDArray[np.float32]]:
    """The columns (T, N) of each animation."""
    ends = np.cumsum([len(animation.frames) for animation in character.animations])
    return iter(np.split(likeness, ends[:-1], axis=1))


def _pair(likeness: NDArray[np.float32], character: Character) -> NDArray[np.intp]:
    """Which frame of a character shows the pose of each of ours, (T,), by their likeness (T, N).

    An animation of as many frames that is nearly as much alike frame by frame is the same one: what is alike by chance
    must not disturb its order.
    """
    frames = len(likeness)
    best: NDArray[np.intp] = likeness.argmax(axis=1)
    least, start = _IN_ORDER * likeness.max(axis=1).sum(), 0
    for part in _cut(likeness, character):
        in_order = np.trace(part) if part.shape[1] == frames else 0.0
        if in_order >= least:
            least, best = in_order, start + np.arange(frames)
        start += part.shape[1]
    return best


class Bank:
    """Characters of one family."""

    def __init__(self, characters: Sequence[Character], canvas: int, trust: float = TRUST) -> None:
        """Keep characters that fit the canvas (its side in pixels), at their own pixel scale.

        `trust`: weight of what is lent for the very pose, 0..10, beside a reading of a model, which has 1.
        """
        self.characters, self.canvas, self.trust = tuple(characters), canvas, trust
        self._met: dict[bytes, list[Acquaintance]] = {}

    @functools.cached_property
    def placed(self) -> tuple[Frames, ...]:
        """All frames of each character, animation after animation, each animation where it stands when it drives."""
        return tuple(
            np.concatenate([place_clip(one.frames, self.canvas)[0] for one in character.animations])
            for character in self.characters
        )

    @functools.cached_property
    def poses(self) -> tuple[NDArray[np.int64], ...]:
        """Which pose each frame of each character shows, by number.

        Frames of two characters are one pose where they have the same place in animations of one name and length.
        """
        numbers: dict[tuple[str, int, int], int] = {}
        return tuple(
            np.array(
                [
                    numbers.setdefault((one.name, len(one.frames), place), len(numbers))
                    for one in character.animations
                    for place in range(len(one.frames))
                ]
            )
            for character in self.characters
        )

    def locate(self, number: int, name: str, frames: int) -> NDArray[np.intp] | None:
        """Which of a character's frames are its animation of that name and length, if it has one."""
        start = 0
        for animation in self.characters[number].animations:
            if animation.name == name and len(animation.frames) == frames:
                return start + np.arange(frames)
            start += len(animation.frames)
        return None

    def introduce(self, content: Frames, without: int | None = None) -> list[Acquaintance]:
        """The characters that a new one is most like, `INTRODUCED` at most, the first one first.

        Args:
            content: frames of the new one, (T, canvas, canvas, 4).
            without: number of a character that is left out.
        """
        key = hashlib.sha256(content.tobytes()).digest() + repr((content.shape, without)).encode()
        if key not in self._met:
            while len(self._met) >= _REMEMBERED:
                self._met.pop(next(iter(self._met)))
            self._met[key] = self._introduce(content, without)
        return self._met[key]

    def _introduce(self, content: Frames, without: int | None) -> list[Acquaintance]:
        chosen = np.unique(np.linspace(0, len(content) - 1, min(len(content), _MOST_CONTENT)).round().astype(int))
        ours = content[chosen]
        indexed = index_colours(ours)
        if not indexed.any():
            return []
        met = [self._meet(number, ours, indexed) for number in range(len(self.characters)) if number != without]
        met = sorted(met, key=lambda one: -one.likeness)[:INTRODUCED]
        return [one for one in met if one.likeness >= max(LEAST_LIKENESS, _LEAST_SHARE * met[0].likeness)]

    def _meet(self, number: int, ours: Frames, indexed: NDArray[np.int64]) -> Acquaintance:
        character, frames = self.characters[number], self.placed[number]
        likeness = compare_poses(indexed, index_colours(frames))
        # The whole character stands where the animation does that shows most of what we see.
        parts = list(_cut(likeness, character))
        best = max(range(len(parts)), key=lambda n: float(parts[n].max(axis=1).sum()))
        anchor = place_clip(character.animations[best].frames, self.canvas)[1]
        moved = np.concatenate([place_like(one.frames, anchor) for one in character.animations])
        if not np.array_equal(moved, frames):
            likeness = compare_poses(indexed, index_colours(moved))
        partners = moved[_pair(likeness, character)]
        colours = match_colours(partners, ours)
        both = (partners[..., 3] >= 128) | (ours[..., 3] >= 128)
        right = (colours.apply(partners) == ours).all(axis=-1) & both
        return Acquaintance(number, float(right.sum() / both.sum()), moved, colours, partners, ours)

    def to_text(self) -> str:
        """The bank for the header of a model file; without the last characters, where all would be too large."""
        kept: list[dict[str, Any]] = []
        size = room = 0
        for character in self.characters:
            animations = [_pack(one) for one in character.animations]
            size += sum(len(one["frames"]) for one in animations)
            room += sum(one.frames.nbytes for one in character.animations)
            if size > MAX_BYTES or room > _MOST_SHRUNK * MAX_BYTES:
                break
            kept.append({"name": character.name, "animations": animations})
        return json.dumps({"characters": kept, "trust": self.trust})

    @classmethod
    def from_text(cls, text: str, canvas: int) -> Bank:
        """Read what `to_text` wrote.

        Raises:
            BitpuppetError: it is damaged.
        """
        try:
            room = _MOST_SHRUNK * MAX_BYTES
            characters = []
            values = json.loads(text)
            trust = float(values.get("trust", TRUST))
            if not 0 <= trust <= MOST_TRUST:
                raise ValueError(f"a trust of {trust:g}")
            for one in values["characters"]:
                animations = tuple(_unpack(packed, room) for packed in one["animations"])
                room -= sum(animation.frames.nbytes for animation in animations)
                characters.append(Character(str(one["name"]), animations))
        except (AttributeError, KeyError, TypeError, ValueError, zlib.error, binascii.Error) as error:
            raise BitpuppetError(f"the model's characters are damaged ({error}); copy its file again") from error
        return cls(characters, canvas, trust)


def _pack(animation: CharacterAnimation) -> dict[str, Any]:
    frames = base64.b85encode(zlib.compress(animation.frames.tobytes(), 9)).decode()
    return {
        "name": animation.name,
        "shape": animation.frames.shape[:3],
        "durations": animation.durations,
        "frames": frames,
    }


def _unpack(packed: dict[str, Any], room: int) -> CharacterAnimation:
    frames, height, width = (int(side) for side in packed["shape"])
    size = 4 * frames * height * width
    if min(frames, height, width) < 1 or size > room:
        raise ValueError(f"an animation of {frames} frames of {width}x{height}")
    data = zlib.decompressobj().decompress(base64.b85decode(packed["frames"]), size + 1)
    pixels = np.frombuffer(data, np.uint8).reshape(frames, height, width, 4)
    return CharacterAnimation(str(packed["name"]), pixels, tuple(int(time) for time in packed["durations"]))
