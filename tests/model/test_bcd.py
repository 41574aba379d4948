"""The parts joined."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch

from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.model import readings
from bitpuppet.model.bcd import BitrateControlledDiffusion, order_frames, pick_tokens
from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.content import Content, Palette
from bitpuppet.model.denoiser import KEYS
from bitpuppet.model.diffusion import precondition
from bitpuppet.model.preset import PRESETS, Preset
from bitpuppet.model.reference import LEAST_RELATIVE, References
from bitpuppet.sprites import collect_palette, place_clip

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


def encode(model: BitrateControlledDiffusion, frames: torch.Tensor) -> Content:
    return model.encode_content(frames, torch.from_numpy(collect_palette(frames.numpy())))


def join(one: Content, two: Content) -> Content:
    assert one.palette is not None and two.palette is not None
    palette = Palette(*(torch.cat(parts) for parts in zip(one.palette, two.palette, strict=True)))
    assert one.references is not None and two.references is not None
    parts = (
        torch.cat(pair) for pair in zip(one.references[:4], two.references[:4], strict=True) if pair[0] is not None
    )
    return Content(torch.cat([one.tokens, two.tokens]), torch.cat([one.mask, two.mask]), palette, References(*parts))


@torch.inference_mode()
def test_steps_average_what_is_seen_beside_more_references(
    model: BitrateControlledDiffusion, frames: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "preset", replace(TINY, pieces=False))
    monkeypatch.setattr(model.denoiser, "list_shown", lambda *_: None)
    content, tokens = encode(model, frames[:4]), model.encode_motion(frames[2:5])
    motion, memory = model.quantizer.look_up(tokens), model.denoiser.remember(content)
    noise = torch.randn(3, TINY.tokens, TINY.token_width)
    c = precondition(TINY, torch.full((3,), TINY.sigma_max))
    asked = c.scale * noise * TINY.sigma_max, c.noise, motion
    first, second = (model.denoiser(*asked, memory, passed=passed).softmax(-1) for passed in (0, TINY.nearest))
    weight = model.denoiser.weigh_reading(motion, memory, TINY.nearest)
    assert (weight <= 1).all() and (weight > 0).all() and (weight < 1).any()
    seen: list[tuple[int, int]] = []
    clean: list[torch.Tensor] = []

    def watch(step: int, steps: int, tokens: torch.Tensor) -> None:
        seen.append((step, steps))
        clean.append(model.codec.decode(tokens))

    drawn = model.decode(content, tokens, steps=2, noise=noise, callback=watch)
    assert seen == [(1, 2), (2, 2)] and torch.equal(drawn, clean[1])
    for chances, shown in zip((first, first + weight[:, None, None] * second), clean, strict=True):
        wanted = model.codec.decode(model.denoiser.read_out(chances.log(), memory))
        assert torch.equal(wanted, shown)
    assert not torch.equal(clean[0], clean[1])


@torch.inference_mode()
@pytest.mark.parametrize("steps", [4, 9])
def test_readings_together_are_those_one_after_the_other(
    model: BitrateControlledDiffusion, frames: torch.Tensor, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = join(encode(model, frames[:4]), encode(model, frames[:4].flip(0)))
    tokens = model.encode_motion(torch.cat([frames[2:5], frames[3:6]]))
    noise = torch.randn(6, TINY.tokens, TINY.token_width)
    drawn = []
    for together in (1, 18, 64):
        monkeypatch.setattr(readings, "TOGETHER", together)
        drawn.append(model.decode(content, tokens, steps=steps, noise=noise))
    for other in drawn[1:]:
        assert ((other - drawn[0]).abs() > 0.5).float().mean() < 0.001


@torch.inference_mode()
def test_places_are_those_where_any_content_frame_or_its_mirror_image_shows_something(
    model: BitrateControlledDiffusion,
) -> None:
    frames, cells = torch.zeros(3, TINY.canvas, TINY.canvas, 4, dtype=torch.uint8), TINY.canvas // TINY.patch
    frames[0, 0, 0] = frames[2, -1, 1] = torch.tensor([9, 9, 9, 255], dtype=torch.uint8)
    places = model.denoiser.list_shown(model.denoiser.remember(encode(model, frames)), 2)
    wanted = [0, cells - 1, cells**2 - cells, cells**2 - 1]
    assert places is not None and places.tolist() == [wanted, wanted]
    frames[1] = 255
    assert model.denoiser.list_shown(model.denoiser.remember(encode(model, frames)), 2) is None


@torch.inference_mode()
def test_what_a_mirror_shows_is_known_by_the_frames_themselves_too(frames: torch.Tensor) -> None:
    """First by its own reading alone, as without the map; then by what the map says, here by the frame's alone."""
    preset = replace(TINY, knows_mirrored=True)
    torch.manual_seed(0)
    model, older = BitrateControlledDiffusion(preset).eval(), BitrateControlledDiffusion(TINY).eval()
    assert older.load_state_dict(model.state_dict(), strict=False).unexpected_keys == [
        "denoiser.mirrored.weight",
        "denoiser.mirrored.bias",
    ]
    references, before = encode(model, frames[:3]).references, encode(older, frames[:3]).references
    assert references is not None and before is not None
    own, seen = references.motion.chunk(2, dim=1)
    assert torch.equal(references.motion, before.motion) and not torch.equal(own, seen)
    assert model.denoiser.mirrored is not None
    nothing, same = torch.zeros(preset.motion_width, preset.motion_width), torch.eye(preset.motion_width)
    model.denoiser.mirrored.weight.copy_(torch.cat([nothing, same], dim=1))
    mapped = encode(model, frames[:3]).references
    assert mapped is not None
    torch.testing.assert_close(mapped.motion, torch.cat([own, own], dim=1))


def test_frames_are_the_same_with_and_without_gradients(
    model: BitrateControlledDiffusion, frames: torch.Tensor
) -> None:
    """Without them attention has another kernel, and hidden keys up to a number that this kernel likes."""
    content, tokens = encode(model, frames[:3]), model.encode_motion(frames[1:4])
    content = Content(*(part.clone() if isinstance(part, torch.Tensor) else part for part in content))
    motion, noise = model.quantizer.look_up(tokens.clone()), torch.randn(3, TINY.tokens, TINY.token_width)
    said = []
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            memory = model.denoiser.remember(content)
            assert (memory.blocks[1].keys.shape[2] % KEYS == 0) != grad
            said.append(model.denoiser(noise, torch.zeros(3), motion, memory))
    assert said[1].requires_grad
    torch.testing.assert_close(said[0], said[1].detach(), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_pieces_are_asked_after_the_last_step_alone(
    model: BitrateControlledDiffusion, frames: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, tokens = encode(model, frames[:4]), model.encode_motion(frames[2:5])
    noise, clean = torch.randn(3, TINY.tokens, TINY.token_width), []
    with_pieces = model.decode(content, tokens, steps=2, noise=noise, callback=lambda *seen: clean.append(seen[-1]))
    first = model.codec.decode(clean[0])
    monkeypatch.setattr(model, "preset", replace(TINY, pieces=False))
    clean.clear()
    without = model.decode(content, tokens, steps=2, noise=noise, callback=lambda *seen: clean.append(seen[-1]))
    assert torch.equal(first, model.codec.decode(clean[0]))
    assert not torch.equal(with_pieces, without)


@torch.inference_mode()
def test_pieces_are_sought_in_the_own_frames_nearest_first(
    model: BitrateControlledDiffusion, frames: torch.Tensor
) -> None:
    content = encode(model, frames[:4])
    assert content.references is not None and content.references.numbers is not None
    own = content.references
    lent = own._replace(lead=torch.full(own.mask.shape, 40.0))
    both = content._replace(references=own.join(lent))
    tokens = model.encode_motion(frames[2:5])
    motion, memory = model.quantizer.look_up(tokens), model.denoiser.remember(both)
    shown = model.denoiser.list_nearby(motion, memory, 12)
    assert shown is not None and shown.numbers.shape == (3, 12, TINY.canvas, TINY.canvas)
    apart = model.denoiser.compare(motion, own).sort(dim=1, descending=True, stable=True).indices
    assert torch.equal(shown.numbers[:, :8], content.references.numbers[0, apart])
    assert shown.mask[:, :8].all() and not shown.mask[:, 8:].any()  # nothing that is lent
    alone = model.denoiser.list_nearby(motion, model.denoiser.remember(content), 3)
    assert alone is not None and torch.equal(alone.numbers, shown.numbers[:, :3])


@torch.inference_mode()
def test_steps_beyond_the_last_reference_change_nothing(
    model: BitrateControlledDiffusion, frames: torch.Tensor
) -> None:
    content, tokens = encode(model, frames[:1]), model.encode_motion(frames[2:5])  # seen, and mirrored
    noise, steps = torch.randn(3, TINY.tokens, TINY.token_width), []
    once = model.decode(content, tokens, steps=1, noise=noise)
    often = model.decode(content, tokens, steps=5, noise=noise, callback=lambda step, *_: steps.append(step))
    assert torch.equal(once, often) and steps == [1, 2, 3, 4, 5]
    assert not model.denoiser.weigh_reading(
        torch.zeros(3, TINY.motion_width), model.denoiser.remember(content), 2
    ).any()


@torch.inference_mode()
@pytest.mark.parametrize("sampler", ["readings", "euler"])
def test_progress_is_told_once_a_step_however_many_windows(
    frames: torch.Tensor, sampler: Literal["readings", "euler"]
) -> None:
    model = BitrateControlledDiffusion(replace(TINY, sampler=sampler)).eval()
    content, tokens = encode(model, frames[:4]), model.encode_motion(frames[:5])
    noise, steps = torch.randn(5, TINY.tokens, TINY.token_width), []
    for at_once in (1, 2, 5):
        model.decode(
            content, tokens, steps=3, noise=noise, callback=lambda step, *_: steps.append(step), at_once=at_once
        )
    assert steps == [1, 2, 3] * 3


@pytest.mark.parametrize("count", [1, 3, 80])
def test_content_takes_any_number_of_frames(
    model: BitrateControlledDiffusion, frames: torch.Tensor, count: int
) -> None:
    content = encode(model, frames[torch.arange(count) % len(frames)])
    assert content.palette is not None
    most = int(PatchCodec.occupied(model.codec.encode(frames)).sum(dim=1).max())
    detail = min(count, TINY.detail_frames) * most
    assert TINY.content_tokens < content.tokens.shape[1] <= TINY.content_tokens + detail + len(content.palette.mask[0])
    assert content.tokens.shape[2] == TINY.width and content.tokens.isfinite().all()


def test_a_palette_is_asked_for(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="colours"):
        model.encode_content(frames)


def test_frames_with_detail_come_first_and_none_twice() -> None:
    preset = Preset(detail_frames=4, content_frames=10)
    assert order_frames(3, preset).tolist() == [0, 1, 2]
    order = order_frames(40, preset).tolist()
    assert len(set(order)) == 10 and order[0] == 0 and order[3] == 39
    assert order_frames(40, Preset(detail_frames=0, content_frames=10)).tolist() == sorted(order)


def test_motion_of_a_frame_does_not_depend_on_its_clip(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    together = model.encode_motion(frames)
    apart = torch.cat([model.encode_motion(frame[None]) for frame in frames])
    assert together.shape == (len(frames), TINY.groups)
    assert (together == apart).all()


def test_empty_tokens_are_left_out(frames: torch.Tensor) -> None:
    tokens = PatchCodec(TINY.patch).encode(frames)
    occupied = PatchCodec.occupied(tokens)
    picked = pick_tokens(PatchCodec(TINY.patch), tokens, int(occupied.sum(1).max()))
    assert int(picked.mask.sum()) == int(occupied.sum())
    for frame, (kept, places) in enumerate(zip(picked.tokens, picked.places, strict=True)):
        torch.testing.assert_close(kept, tokens[frame, places])


def test_an_empty_frame_has_motion_too(model: BitrateControlledDiffusion) -> None:
    assert model.encode_motion(torch.zeros(2, 64, 64, 4, dtype=torch.uint8)).shape == (2, TINY.groups)


def test_decode_follows_content_and_motion(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    content = encode(model, frames)
    noise = torch.randn(2, TINY.tokens, TINY.token_width)
    poses = torch.zeros(2, TINY.groups, dtype=torch.int64)
    out = model.decode(content, poses, steps=2, noise=noise)
    assert out.shape == (2, 64, 64, 4)
    assert float(out.min()) >= 0 and float(out.max()) <= 255
    again = model.decode(content, poses, steps=2, noise=noise)
    torch.testing.assert_close(out, again)
    assert not torch.allclose(out, model.decode(content, poses + 1, steps=2, noise=noise))
    other = content._replace(tokens=content.tokens * -1)
    assert not torch.allclose(out, model.decode(other, poses, steps=2, noise=noise))


def test_every_pixel_has_a_colour_of_the_palette(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    noise = torch.randn(2, TINY.tokens, TINY.token_width)
    out = model.decode(encode(model, frames), torch.zeros(2, TINY.groups, dtype=torch.int64), steps=2, noise=noise)
    drawn = out.round().to(torch.uint8).numpy()
    assert set(np.unique(drawn[..., 3])) <= {0, 255}
    known = {tuple(colour) for colour in collect_palette(frames.numpy()).tolist()}
    assert {tuple(colour) for colour in drawn[drawn[..., 3] == 255][:, :3].tolist()} <= known


def test_clips_in_a_batch_do_not_mix(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    one, two = encode(model, frames), encode(model, frames.flip(2))
    noise = torch.randn(4, TINY.tokens, TINY.token_width)
    poses = torch.from_numpy(np.arange(4 * TINY.groups).reshape(4, -1) % TINY.codewords)
    both = model.decode(join(one, two), poses, steps=1, noise=noise)
    alone = torch.cat(
        [
            model.decode(content, poses[s], steps=1, noise=noise[s])
            for content, s in ((one, slice(2)), (two, slice(2, 4)))
        ]
    )
    torch.testing.assert_close(both, alone, atol=0.01, rtol=0)


def test_windows_give_the_frames_of_the_whole_clip(model: BitrateControlledDiffusion, frames: torch.Tensor) -> None:
    content, clips = encode(model, frames), 2
    noise = torch.randn(clips * 15, TINY.tokens, TINY.token_width)
    poses = torch.randint(TINY.codewords, (clips * 15, TINY.groups))
    both = join(content, content)
    whole = model.decode(both, poses, steps=2, noise=noise)
    torch.testing.assert_close(model.decode(both, poses, steps=2, noise=noise, at_once=4), whole)
    alone = model.decode(both, poses, steps=2, noise=noise, at_once=1)
    torch.testing.assert_close(alone, whole)
    still = model.decode(both, poses[:1].expand_as(poses), steps=2, noise=noise)
    assert not torch.equal(still, whole)


@torch.inference_mode()
def test_relative_motion_tells_what_changes_and_not_who_drives(frames: torch.Tensor) -> None:
    torch.manual_seed(0)
    preset = replace(TINY, mirrored=False)
    relative = BitrateControlledDiffusion(replace(preset, relative=True)).eval()
    absolute = BitrateControlledDiffusion(preset).eval()
    absolute.load_state_dict(relative.state_dict())
    content, noise = encode(relative, frames[:1]), torch.randn(LEAST_RELATIVE, TINY.tokens, TINY.token_width)
    tokens = torch.zeros(LEAST_RELATIVE, TINY.groups, dtype=torch.long)
    tokens[::2, 0] = 3
    other = tokens.clone()
    other[:, 1:] = 5  # the same change by somebody of whom all other codewords are different
    drawn = {
        model: [model.decode(content, motion, steps=1, noise=noise) for motion in (tokens, other)]
        for model in (relative, absolute)
    }
    torch.testing.assert_close(*drawn[relative], atol=0.5, rtol=0)
    assert float((drawn[absolute][0] - drawn[absolute][1]).abs().max()) > 2
    assert float((drawn[relative][0][0] - drawn[relative][0][1]).abs().max()) > 2


def test_relative_motion_needs_references() -> None:
    with pytest.raises(BitpuppetError, match="relative to that of references"):
        replace(TINY, reference=False, sampler="euler", relative=True)
