"""The engine on a small model with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs import engine as engine_module
from bitpuppet.jobs.engine import PREVIEWED, Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.latent_codec import LatentCodec
from bitpuppet.model.preset import PRESETS
from bitpuppet.sprites import MAX_FRAMES, place_clip

Frames = NDArray[np.uint8]


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(PRESETS["tiny"])
    for tensor in model.state_dict().values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.5)  # what starts at zero draws nothing
    return Engine(model.requires_grad_(False), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def frames() -> Frames:
    puppet = make_puppet(3, plan="biped", size=48)
    return place_clip(draw_clip(puppet, puppet.motions[5], 5), 64)[0]


def test_seed_alone_chooses_the_noise(engine: Engine, frames: Frames) -> None:
    first = engine.retarget(frames, frames, seed=4, steps=2)
    torch.manual_seed(99)
    np.testing.assert_array_equal(engine.retarget(frames, frames, seed=4, steps=2).frames, first.frames)
    assert not np.array_equal(engine.retarget(frames, frames, seed=5, steps=2).frames, first.frames)
    assert first.frames.shape == (5, 64, 64, 4)
    assert first.frames.min() >= 0 and first.frames.max() <= 255


def test_tokens_are_those_of_the_motion(engine: Engine, frames: Frames) -> None:
    drawn = engine.retarget(frames[:1], frames, steps=1)
    np.testing.assert_array_equal(drawn.tokens, engine.encode_motion(frames))
    assert drawn.tokens.shape == (5, PRESETS["tiny"].groups)
    assert drawn.bits_per_frame == pytest.approx(engine.count_bits(drawn.tokens))


def test_motion_is_compared_by_what_its_tokens_stand_for(engine: Engine, frames: Frames) -> None:
    tokens = engine.encode_motion(frames)
    between = engine.compare_motion(tokens, tokens[1:])
    assert between.shape == (5, 4) and between.min() >= 0
    same = (tokens[:, None] == tokens[None, 1:]).all(axis=2)
    np.testing.assert_array_equal(between < 1e-3, same)


def test_callback_is_called_after_each_step_with_all_frames(
    engine: Engine, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "frames_at_once", lambda _: 2)
    seen = []
    engine.retarget(frames, frames, steps=3, callback=lambda step, total, view: seen.append((step, total, view.shape)))
    assert seen == [(step, 3, (5, 64, 64, 4)) for step in (1, 2, 3)]


def test_drawing_tokens_is_the_second_half_of_retargeting(engine: Engine, frames: Frames) -> None:
    tokens = engine.encode_motion(frames)
    whole = engine.retarget(frames[:2], frames, seed=3, steps=2)
    np.testing.assert_array_equal(engine.draw(frames[:2], tokens, seed=3, steps=2), whole.frames)
    packed = engine.retarget(frames[:2], engine.coder.pack(tokens), seed=3, steps=2)
    np.testing.assert_array_equal(packed.frames, whole.frames)
    np.testing.assert_array_equal(packed.tokens, tokens)
    for count in (0, MAX_FRAMES + 1):
        with pytest.raises(BitpuppetError, match=f"the motion has {count} frames"):
            engine.draw(frames, np.zeros((count, tokens.shape[1]), dtype=np.int64))


def test_tokens_are_mixed_by_their_codewords(engine: Engine) -> None:
    preset = PRESETS["tiny"]
    first, second = (np.full((3, preset.groups), number, dtype=np.int64) for number in (1, 5))
    shares = np.array([0.0, 0.4, 1.0], dtype=np.float32)  # halfway, both would be as near
    mixed = engine.mix_tokens(first, second, shares)
    np.testing.assert_array_equal(mixed[[0, 2]], np.stack([first[0], second[0]]))
    books = engine.model.quantizer.codebooks
    between = 0.6 * books[:, 1] + 0.4 * books[:, 5]
    nearest = (books - between[:, None]).square().sum(-1).argmin(dim=1)
    np.testing.assert_array_equal(mixed[1], nearest.numpy())


def test_batches_do_not_change_the_result(engine: Engine, frames: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = engine.retarget(frames, frames, seed=1, steps=2)
    monkeypatch.setattr(engine_module, "frames_at_once", lambda _: 2)
    pieces = engine.retarget(frames, frames, seed=1, steps=2)
    np.testing.assert_array_equal(pieces.tokens, whole.tokens)
    np.testing.assert_allclose(pieces.frames, whole.frames, atol=0.5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"steps": 0}, "--steps is 0, it must be from 1 to 100"),
        ({"steps": 101}, "--steps is 101"),
        ({"seed": -1}, "--seed is -1"),
        ({"seed": 2**63}, "--seed is"),
    ],
)
def test_numbers_out_of_range(engine: Engine, frames: Frames, options: dict[str, int], match: str) -> None:
    with pytest.raises(BitpuppetError, match=match):
        engine.retarget(frames, frames, **options)


@pytest.mark.parametrize("count", [0, MAX_FRAMES + 1])
def test_number_of_frames_out_of_range(engine: Engine, frames: Frames, count: int) -> None:
    with pytest.raises(BitpuppetError, match=f"the motion has {count} frames"):
        engine.retarget(frames, np.broadcast_to(frames[:1], (count, 64, 64, 4)))


def test_device_that_is_not_there() -> None:
    with pytest.raises(BitpuppetError, match="--device nonsense: cannot be used here"):
        Engine.load("tiny", None, "nonsense")


def test_an_autoencoder_that_takes_long_can_be_stopped_before_and_after_the_steps(
    autoencoder_folder: Path, frames: Frames
) -> None:
    sizes = replace(
        PRESETS["heads"], canvas=64, latent_channels=4, width=32, heads=2, stem_width=8, encoder_blocks=1, steps=1
    )
    codec = LatentCodec.load(autoencoder_folder, sizes)
    codec.at_once = 2
    engine = Engine(BitrateControlledDiffusion(sizes, codec), torch.device("cpu"), torch.float32)
    told: list[tuple[int, int, int]] = []
    engine.retarget(frames, frames, callback=lambda step, steps, drawn: told.append((step, steps, len(drawn))))
    assert told == [(0, 1, 0)] * 6 + [(1, 1, PREVIEWED)] + [(1, 1, 0)] * 3

    for stop in (0, 5, 8):
        heard = []

        def end(step: int, steps: int, drawn: NDArray[np.float32], heard: list[int] = heard, stop: int = stop) -> None:
            heard.append(step)
            if len(heard) > stop:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            engine.retarget(frames, frames, callback=end)
        assert len(heard) == stop + 1
