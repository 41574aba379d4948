"""Strips drawn together are those drawn alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bitpuppet.data.bank import Bank
from bitpuppet.data.character_set import Character, CharacterAnimation
from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.batch import retarget_together
from bitpuppet.jobs.engine import Engine
from bitpuppet.jobs.strip import Strip
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS, Preset
from bitpuppet.sprites import place_clip

TINY = PRESETS["tiny"]


def make_engine(preset: Preset) -> Engine:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(preset)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.5)  # what starts at zero draws nothing
    return Engine(model.requires_grad_(False), torch.device("cpu"), torch.float32)


def make_strips(views: tuple[int, ...]) -> list[Strip]:
    """Characters with different numbers of colours, and so many frames."""
    made = []
    for seed, count in enumerate(views, 3):
        puppet, actor = make_puppet(seed, size=48), make_puppet(seed + 20, size=48)
        content, _ = place_clip(draw_clip(puppet, puppet.motions[0], count), 64)
        motion, _ = place_clip(draw_clip(actor, actor.motions[1], 4), 64)
        made.append(Strip(content, motion, seed))
    return made


@pytest.fixture(scope="module")
def strips() -> list[Strip]:
    return make_strips((2, 5, 1))


PLAIN = {"head": "values", "detail_frames": 0, "reference": False, "temporal_width": 0, "sampler": "euler"}
WHOLE = {"head": "palette", "detail_frames": 3, "temporal_width": 16, "reference": True}


def test_what_a_bank_lends_counts_together_as_alone(strips: list[Strip]) -> None:
    plain = make_engine(replace(TINY, **WHOLE))  # type: ignore[arg-type]
    puppet = make_puppet(3, size=48)  # the first strip's own character
    animations = [CharacterAnimation(str(n), draw_clip(puppet, puppet.motions[n], 4), (100,) * 4) for n in (0, 1)]
    bank = Bank([Character("known", tuple(animations))], 64, 9.0)
    engine = Engine(plain.model, torch.device("cpu"), torch.float32, bank)
    together = retarget_together(engine, strips, steps=2)
    for strip, drawn in zip(strips, together, strict=True):
        alone = engine.retarget(strip.content, strip.motion, seed=strip.seed, steps=2)
        assert (np.abs(drawn.frames - alone.frames) > 0.5).mean() < 1e-3
    without = plain.retarget(strips[0].content, strips[0].motion, seed=strips[0].seed, steps=2)
    assert (np.abs(together[0].frames - without.frames) > 0.5).mean() > 0.01


@pytest.mark.parametrize(
    "values",
    [
        PLAIN,
        PLAIN | {"head": "palette"},
        PLAIN | {"detail_frames": 3, "temporal_width": 16},
        PLAIN | {"head": "palette", "detail_frames": 3, "temporal_width": 16},
        PLAIN | WHOLE,
        WHOLE,
    ],
)
def test_together_as_alone(strips: list[Strip], values: dict[str, object]) -> None:
    engine = make_engine(replace(TINY, **values))  # type: ignore[arg-type]
    together = retarget_together(engine, strips, steps=2)
    for strip, drawn in zip(strips, together, strict=True):
        alone = engine.retarget(strip.content, strip.motion, seed=strip.seed, steps=2)
        np.testing.assert_array_equal(drawn.tokens, alone.tokens)
        assert drawn.bits_per_frame == pytest.approx(alone.bits_per_frame)
        far = np.abs(drawn.frames - alone.frames) > 0.5
        assert far.mean() < 0.001  # rounding may turn a choice between two colours, here and there
    assert not np.array_equal(together[0].frames, together[1].frames)


def test_callback_sees_each_strip_and_ends_the_batch(strips: list[Strip]) -> None:
    engine, seen = make_engine(TINY), []

    def watch(step: int, steps: int, previews: list[np.ndarray]) -> None:
        seen.append((step, steps, [preview.shape for preview in previews]))
        if step == 2:
            raise KeyError

    with pytest.raises(KeyError):
        retarget_together(engine, strips, steps=5, callback=watch)
    assert seen == [(step, 5, [(4, 64, 64, 4)] * 3) for step in (1, 2)]


def test_what_no_batch_can_be(strips: list[Strip]) -> None:
    engine = make_engine(TINY)
    with pytest.raises(ValueError, match="one length"):
        retarget_together(engine, [strips[0], replace(strips[1], motion=strips[1].motion[:2])])
    with pytest.raises(ValueError, match="one length"):
        retarget_together(engine, [])
    with pytest.raises(BitpuppetError, match="--steps"):
        retarget_together(engine, strips, steps=0)
