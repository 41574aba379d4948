"""The base line of `eval custom`: the training character that is most alike, recoloured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bitpuppet.data.character_set import Character
from bitpuppet.data.likeness import ColourMatch, Frames, match_colours
from bitpuppet.evaluation.families import Wanted, find_animation
from bitpuppet.evaluation.figures import compare_pixels
from bitpuppet.sprites import place_clip, place_like


class Neighbour(NamedTuple):
    """A training character, and what is left to do to make it look like the new one."""

    character: Character
    colours: ColourMatch
    likeness: float
    """Share of the pixels of the given animation, over the union of both silhouettes, that recolouring gets right."""


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
