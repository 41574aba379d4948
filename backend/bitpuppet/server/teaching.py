"""A training of the service: the same fine-tuning as the command line's. Torch is imported in `teach` only."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from bitpuppet.data.character_set import read_character_set
from bitpuppet.data.folder import find_data
from bitpuppet.server.lessons import Fact, Frames, Lesson, Plan, Taught, Watch
from bitpuppet.server.refusal import Refusal

if TYPE_CHECKING:
    from bitpuppet.training.tuning_recipe import Tuned, TuningProgress


def teach(plan: Plan, watch: Watch) -> Taught:
    """Fine-tune a model; see `lessons.Teach`.

    Raises:
        BitpuppetError: the base or the character set cannot be used, or the disk is too small.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    watch(Lesson(0, 0))  # before the slow beginning, in case nobody wants it any more
    characters = read_character_set(plan.characters)
    from bitpuppet.training.fine_tuning import FineTuning
    from bitpuppet.training.tuning_recipe import TuningRecipe

    minutes = TuningRecipe.minutes if plan.minutes is None else float(plan.minutes)
    recipe = TuningRecipe(minutes=minutes, steps=plan.steps, seed=plan.seed)
    run = FineTuning(
        characters, plan.folder, recipe, base=plan.preset, weights=plan.base, data=find_data(), device=plan.device
    )
    if run.checkpoint_file.is_file():
        run.resume()
    else:
        estimate = run.estimate()
        _check_room(plan.folder, 2 * estimate.checkpoint_bytes)
    goes_on = watch(Lesson(run.step, run.steps))

    def tell(progress: TuningProgress) -> None:
        nonlocal goes_on
        goes_on = watch(_describe(progress))

    tuned = run.run(tell, should_stop=lambda: not goes_on)
    return Taught(tuned.model, _list_facts(tuned))


def read_picture(path: Path) -> Frames:
    """A sample picture as frames (1, H, W, 4)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA"), dtype=np.uint8)[None]


def _describe(progress: TuningProgress) -> Lesson:
    samples = progress.samples
    return Lesson(
        step=progress.step,
        steps=progress.steps,
        loss=progress.loss,
        held_out=progress.held_out,
        eta_seconds=max(progress.seconds_left, 0.0),
        sample=None if samples is None or not samples.is_file() else lambda: read_picture(samples),
    )


def _check_room(folder: Path, needed: int) -> None:
    """Raise Refusal when the checkpoints will not fit on the disk."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Refusal(
            "store_full",
            f"this training needs {needed >> 20} MiB of the server's disk for its checkpoints, {free >> 20} are free; "
            "make room",
        )


def _list_facts(tuned: Tuned) -> dict[str, Fact]:
    figures = {"held_out_before": tuned.held_out_before, "held_out": tuned.held_out}
    known = {name: round(value, 4) for name, value in figures.items() if value is not None and np.isfinite(value)}
    return {"ended": tuned.ended, **known}
