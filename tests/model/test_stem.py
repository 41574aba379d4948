"""The stem reads the motion of frames."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bitpuppet.model.bcd import take_tokens
from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.encoder import Encoder
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.stem import Stem

TINY = PRESETS["tiny"]


def draw_frames(count: int, canvas: int = 64) -> torch.Tensor:
    frames = torch.zeros(count, canvas, canvas, 4, dtype=torch.uint8)
    for number in range(count):
        frames[number, 20 : 40 + number, 10 + number : 30] = torch.tensor([200, 100, 10 * number, 255])
    return frames


def pick_all(frames: torch.Tensor, patch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    tokens = PatchCodec(patch).encode(frames)
    order = torch.stack([torch.randperm(tokens.shape[1]) for _ in tokens])
    return tuple(take_tokens(PatchCodec(patch), tokens, order))


@pytest.mark.parametrize("patch", [8, 16])
def test_patches_in_any_order_join_to_the_frame(patch: int) -> None:
    frames = draw_frames(3)
    joined = Stem(8, 32, 64, patch).join(*pick_all(frames, patch))
    colours = torch.cat([frames[..., :3] * (frames[..., 3:] > 0), frames[..., 3:]], dim=-1)
    torch.testing.assert_close(joined, colours.permute(0, 3, 1, 2) / 127.5 - 1)


@pytest.mark.parametrize("patch", [8, 16])
def test_a_cell_is_a_patch(patch: int) -> None:
    stem = Stem(8, 32, 64, patch)
    frames = torch.full((1, 4, 64, 64), -1.0)
    cells = stem.see(frames)
    assert cells.shape[2:] == (64 // patch, 64 // patch)
    assert stem.pool(cells).shape == (1, stem.channels * 16)


def test_all_weights_learn_to_read_motion() -> None:
    torch.manual_seed(0)
    encoder = Encoder(TINY)
    assert encoder.stem is not None
    encoder.forward_motion(*pick_all(draw_frames(3), TINY.patch)).pow(3).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in encoder.stem.parameters())


def test_posture_begins_as_nothing_and_learns_what_no_sum_of_cells_says() -> None:
    """Whether two cells are alike is no sum over cells."""
    torch.manual_seed(0)
    plain, stem = Stem(8, 1, 64, 16), Stem(8, 1, 64, 16, hidden=32)
    stem.load_state_dict(plain.state_dict(), strict=False)
    picked = pick_all(draw_frames(3), 16)
    assert torch.equal(plain(*picked), stem(*picked))
    assert stem.posture is not None
    here, there = torch.randint(0, 2, (2, 256))
    cells = torch.zeros(256, stem.channels, 16)
    cells[:, 0, 0], cells[:, 0, 9] = here.float(), there.float()
    cells, alike = cells.flatten(1), (here == there).float()[:, None]
    optimizer = torch.optim.Adam(stem.posture.parameters(), lr=0.02)
    for _ in range(150):
        loss = (stem.posture(cells) - alike).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.02


def test_without_a_stem_t5_reads_motion() -> None:
    torch.manual_seed(0)
    encoder = Encoder(replace(TINY, stem_width=0))
    encoder.forward_motion(*pick_all(draw_frames(3), TINY.patch)).pow(3).sum().backward()
    assert encoder.motion_query.grad is not None and encoder.motion_query.grad.any()


def test_motion_of_a_frame_depends_on_that_frame_alone() -> None:
    torch.manual_seed(0)
    encoder = Encoder(TINY)
    tokens, places, mask = pick_all(draw_frames(3), TINY.patch)
    together = encoder.forward_motion(tokens, places, mask)
    alone = encoder.forward_motion(tokens[1:2], places[1:2], mask[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[1])
