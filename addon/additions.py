"""The character set that is being added: how far it is, and how it ended. The panel of trainings shows it."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from pathlib import Path

import bpy

from .core.errors import ArtError
from .sets import Made, Order, SetMaker, find_program
from .state import current, describe_source
from .training import get_training

_MOST_TOLD = 3
"""Of what hinders training; the panel is narrow."""


@dataclass
class Addition:
    """A set that is under way."""

    maker: SetMaker
    step: str = "Starting the program"
    fraction: float = 0.0
    """0 to 1 of the step."""


def find_addition() -> Addition | None:
    """The one that is under way."""
    found: Addition | None = current().extras.get("addition")
    return found


def begin(scene: bpy.types.Scene, order: Order) -> None:
    """Let the backend's program make a set; the scene's next training is of it.

    Raises:
        ArtError: the program is not known, or another set is being added.
    """
    if find_addition() is not None:
        raise ArtError("A set is being added; wait until it is there")
    state, scene_name = current(), scene.name
    maker = SetMaker(find_program(describe_source()), order)
    addition = Addition(maker)
    training = get_training()
    training.outcome, training.has_failed = "", False
    state.extras["addition"] = addition
    state.stops.append(maker.cancel)
    atexit.register(maker.cancel)  # or the program would outlive Blender

    def tell(step: str, fraction: float) -> None:
        def show() -> None:
            addition.step, addition.fraction = step, fraction

        state.link.post(show)

    def finish(made: Made | None, error: Exception | None) -> None:
        atexit.unregister(maker.cancel)
        state.stops.remove(maker.cancel)
        state.extras.pop("addition", None)
        training = get_training()  # a training may have begun in between
        training.has_failed = made is None
        if made is None:
            training.outcome = str(error)
            return
        training.sets = tuple(sorted({*training.sets, order.name}))
        training.outcome = _describe(order.name, made)
        found = bpy.data.scenes.get(scene_name)  # another file may be open
        if found is not None:
            found.bitpuppet.train.characters = order.name

    state.link.run(lambda: maker.make(tell), finish)


def _describe(name: str, made: Made) -> str:
    """How it ended, with the first things that would hinder its training."""
    count = "1 character" if made.characters == 1 else f"{made.characters} characters"
    told = made.hindrances[:_MOST_TOLD]
    more = len(made.hindrances) - len(told)
    return ". ".join([f"The set {name} is there: {count}", *told, *([f"{more} more"] if more else [])])


def cancel() -> None:
    """Stop it; returns at once."""
    addition = find_addition()
    if addition is not None:
        addition.maker.cancel()


def make_order(folder: str, name: str, replace: bool, key_corner: bool) -> Order:
    """What the file browser's settings ask for. Raises ArtError where no folder is chosen."""
    if not folder:
        raise ArtError("No folder is chosen; choose the one that holds the sheets")
    return Order(Path(bpy.path.abspath(folder)), name, replace, key_corner)
