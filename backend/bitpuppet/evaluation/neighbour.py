"""The base line of `eval custom`: the training character that is most alike, recoloured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.character_set import Character
from bitpuppet.data.custom import Frames, place_like
from bitpuppet.evaluation.families import Wanted, find_animation
from bitpuppet.evaluation.figures import compare_pixels
from bitpuppet.sprites import collect_palette, place_clip
from bitpuppet.sprites.palette import OPAQUE_ALPHA, find_nearest, pack_colours, unpack_colours


class Neighbour(NamedTuple):
    """A training character, and what is left to do to make it look like the new one."""

    character: Character
    colours: ColourMatch
    likeness: float
    """Share of the pixels of the given animation, over the union of both silhouettes, that recolouring gets right."""


class ColourMatch(NamedTuple):
    """Which colour becomes which, and what becomes of those that were never seen."""

    known: NDArray[np.uint32]
    """Packed colours, sorted."""
    becomes: NDArray[np.uint32]
    """As many."""
    palette: Frames
    """(P, 3): colours that are not known become the one that looks nearest in it."""

    def apply(self, frames: Frames) -> Frames:
        """Recolour (..., 4); alpha becomes 0 or 255."""
        out = np.zeros_like(frames)
        opaque = frames[..., 3] >= OPAQUE_ALPHA
        packed = pack_colours(frames[opaque][:, :3])
        nearest = pack_colours(self.palette)[find_nearest(packed, self.palette)]
        if len(self.known):
            place = np.searchsorted(self.known, packed).clip(max=len(self.known) - 1)
            nearest = np.where(self.known[place] == packed, self.becomes[place], nearest)
        out[opaque] = np.concatenate([unpack_colours(nearest), np.full((len(packed), 1), 255, np.uint8)], axis=1)
        return out


def match_colours(theirs: Frames, ours: Frames) -> ColourMatch:
    """Each colour of `theirs` becomes the colour that `ours` has most often at the same pixels of the same poses.

    Args:
        theirs: uint8 (T, H, W, 4).
        ours: of the same shape.
    """
    both = (theirs[..., 3] >= OPAQUE_ALPHA) & (ours[..., 3] >= OPAQUE_ALPHA)
    pairs = np.stack([pack_colours(theirs[both][:, :3]), pack_colours(ours[both][:, :3])], axis=1)
    distinct, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.lexsort((-counts, distinct[:, 0]))
    known, first = np.unique(distinct[order, 0], return_index=True)
    return ColourMatch(known, distinct[order, 1][first], collect_palette(ours))


def rank_neighbours(case: Wanted, canvas: int) -> list[Neighbour]:
    """The drivers of a case, the one first whose given animation is most alike after recolouring.

    A driver without the given animation in as many frames is compared by its first frames of all, and one without any
    animation of that name by its first animation: a base line must have something to go by.

    Args:
        case: what is wanted.
        canvas: its side in pixels; both stand on it as the model would see them.
    """
    ours, _ = place_clip(case.given.frames, canvas)
    found = []
    for character in case.drivers:
        theirs = find_animation(character, case.given.name, len(ours))
        same_name = next((a for a in character.animations if a.name == case.given.name), character.animations[0])
        frames = (theirs or same_name).frames
        stood, _ = place_clip(frames[np.arange(len(ours)) * len(frames) // len(ours)], canvas)
        colours = match_colours(stood, ours)
        likeness = compare_pixels(colours.apply(stood), ours).to_figures()["union_exact"]
        found.append(Neighbour(character, colours, likeness))
    return sorted(found, key=lambda neighbour: (-neighbour.likeness, neighbour.character.name))


def predict_from_neighbour(case: Wanted, neighbour: Neighbour, canvas: int) -> Frames:
    """The neighbour's frames of the wanted animation in the new character's colours, on the canvas.

    The neighbour keeps the place that its own given animation has beside the new character's.
    """
    wanted = find_animation(neighbour.character, case.wanted.name, len(case.wanted.frames))
    given = find_animation(neighbour.character, case.given.name, len(case.given.frames))
    if wanted is None:
        raise ValueError(f"{neighbour.character.name} does not perform {case.wanted.name}")
    if given is None:
        placed, _ = place_clip(wanted.frames, canvas)
    else:
        placed = place_like(wanted.frames, place_clip(given.frames, canvas)[1])
    return neighbour.colours.apply(placed)
