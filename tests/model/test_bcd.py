"""The parts joined."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
from bitpuppet.model.bcd import BitrateControlledDiffusion, pick_tokens
from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.preset import PRESETS
from bitpuppet.sprites import place_clip

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def model() -> BitrateControlledDiffusion:
    torch.manual_seed(0)
    made = BitrateControlledDiffusion(TINY).eval()
    for parameter in made.parameters():  # adaLN-zero starts as the identity; stir it so that conditions matter
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return made


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    placed, _ = place_clip(draw_clip(make_puppet(3, plan="biped", size=48), Motion("walk", "down")), TINY.canvas)
    return torch.from_numpy(placed)


@pytest.mark.parametrize("count", [1, 3, 80])
def test_content_takes_any_number_of_frames(
    model: BitrateControlledDiffusion, frames: torch.Tensor, count: int
) -> None:
    content = model.encode_content(frames[torch.arange(count) % len(frames)])
    assert content.shape == (1, TINY.content_tokens, TINY.width)
    assert content.isfinite().all()


def test_motion_of_a_frame_does_not_depend_on_its_clip(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    together = model.encode_motion(frames)
    apart = torch.cat([model.encode_motion(frame[None]) for frame in frames])
    assert together.shape == (len(frames), TINY.groups)
    assert (together == apart).all()


def test_empty_tokens_are_left_out(frames: torch.Tensor) -> None:
    tokens = PatchCodec(TINY.patch).encode(frames)
    occupied = PatchCodec.occupied(tokens)
    picked = pick_tokens(tokens, int(occupied.sum(1).max()))
    assert int(picked.mask.sum()) == int(occupied.sum())
    for frame, (kept, places) in enumerate(zip(picked.tokens, picked.places, strict=True)):
        torch.testing.assert_close(kept, tokens[frame, places])


def test_an_empty_frame_has_motion_too(model: BitrateControlledDiffusion) -> None:
    assert model.encode_motion(torch.zeros(2, 64, 64, 4, dtype=torch.uint8)).shape == (2, TINY.groups)


def test_decode_follows_content_and_motion(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    content = model.encode_content(frames)
    noise = torch.randn(2, TINY.tokens, TINY.token_width)
    poses = torch.zeros(2, TINY.groups, dtype=torch.int64)
    out = model.decode(content, poses, steps=2, noise=noise)
    assert out.shape == (2, 64, 64, 4)
    assert float(out.min()) >= 0 and float(out.max()) <= 255
    again = model.decode(content, poses, steps=2, noise=noise)
    torch.testing.assert_close(out, again)
    assert not torch.allclose(out, model.decode(content, poses + 1, steps=2, noise=noise))
    assert not torch.allclose(out, model.decode(content * -1, poses, steps=2, noise=noise))


def test_clips_in_a_batch_do_not_mix(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    one, two = model.encode_content(frames), model.encode_content(frames.flip(2))
    noise = torch.randn(4, TINY.tokens, TINY.token_width)
    poses = torch.from_numpy(np.arange(4 * TINY.groups).reshape(4, -1) % TINY.codewords)
    both = model.decode(torch.cat([one, two]), poses, steps=1, noise=noise)
    alone = torch.cat(
        [
            model.decode(content, poses[s], steps=1, noise=noise[s])
            for content, s in ((one, slice(2)), (two, slice(2, 4)))
        ]
    )
    torch.testing.assert_close(both, alone, atol=0.01, rtol=0)
