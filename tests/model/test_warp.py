"""Pixels that are fetched from references."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from einops import rearrange

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.preset import PRESETS, Preset
from bitpuppet.model.reference import Nearest
from bitpuppet.model.warp import SUMMARY, Warp

PRESET = replace(
    PRESETS["tiny"], name="warped", canvas=16, patch=8, head="values", sampler="euler", nearest=3, warp=True
)
WEIGHTS = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]])


def make_frames(seed: int = 0) -> torch.Tensor:
    """Three references for each of two frames, any pixels, as tokens (2, 3, 4, 256)."""
    pixels = torch.randint(0, 256, (6, 16, 16, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return rearrange(PatchCodec(8).encode(pixels), "(f r) n d -> f r n d", r=3)


def take(weights: torch.Tensor) -> Nearest:
    return Nearest(torch.arange(weights.shape[1]).expand(2, -1), weights, torch.ones(2))


def draw(warp: Warp, frames: torch.Tensor, places: torch.Tensor | None = None) -> torch.Tensor:
    hidden = torch.zeros(2, 4 if places is None else places.shape[1], PRESET.width)
    drawn: torch.Tensor = warp(hidden, frames, take(WEIGHTS), places)
    return drawn


def set_asked(warp: Warp, reference: int, value: int, wanted: float) -> None:
    """Ask every pixel for the same: flow along x (0) or y (1), or the share (2) of one reference."""
    with torch.no_grad():
        warp.ask.bias.view(64, 3, 3)[:, reference, value] = wanted


def test_it_starts_with_the_mean_of_what_stands_at_the_same_place() -> None:
    frames = make_frames()
    mean = (frames * WEIGHTS[:, :, None, None]).sum(dim=1)
    torch.testing.assert_close(draw(Warp(PRESET), frames), mean, atol=1e-5, rtol=1e-4)
    places = torch.tensor([[3, 0], [1, 2]])
    wanted = torch.take_along_dim(mean, places[..., None], dim=1)
    torch.testing.assert_close(draw(Warp(PRESET), frames, places), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("along", "axis"), [(0, -1), (1, -2)])
def test_flow_fetches_from_whole_cells_away(along: int, axis: int) -> None:
    warp, frames = Warp(PRESET), make_frames()
    set_asked(warp, 1, 2, 50.0)
    set_asked(warp, 1, along, 3.0)
    got, shown = (
        rearrange(part, "f (h w) (p q c) -> f c (h p) (w q)", h=2, p=8, c=4)
        for part in (draw(warp, frames), frames[:, 1])
    )
    torch.testing.assert_close(got.narrow(axis, 0, 13), shown.narrow(axis, 3, 13), atol=1e-4, rtol=1e-4)
    edge = shown.narrow(axis, 15, 1).expand_as(shown.narrow(axis, 13, 3))
    torch.testing.assert_close(got.narrow(axis, 13, 3), edge, atol=1e-4, rtol=1e-4)


def test_each_pixel_chooses_its_reference() -> None:
    warp, frames = Warp(PRESET), make_frames()
    with torch.no_grad():
        asked = warp.ask.bias.view(64, 3, 3)
        asked[:32, 0, 2], asked[32:, 2, 2] = 50.0, 50.0
    drawn = draw(warp, frames)
    torch.testing.assert_close(drawn[..., :128], frames[:, 0, :, :128], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(drawn[..., 128:], frames[:, 2, :, 128:], atol=1e-5, rtol=1e-4)


def test_fewer_references_than_the_preset_takes_are_enough() -> None:
    warp, frames = Warp(PRESET), make_frames()[:, :1]
    hidden = torch.randn(2, 4, PRESET.width)
    drawn = warp(hidden, frames, take(torch.ones(2, 1)), None)
    torch.testing.assert_close(drawn, frames[:, 0], atol=1e-5, rtol=1e-4)
    assert warp.describe(frames).shape == hidden.shape


def test_references_are_told_apart_one_by_one() -> None:
    warp, frames = Warp(PRESET), make_frames()
    assert not warp.describe(frames).any(), "nothing, before it has learnt"
    with torch.no_grad():
        warp.look.weight[:, 2 * SUMMARY :] = 1.0  # the third alone
    assert torch.equal(warp.describe(frames), warp.describe(torch.cat([frames[:, [1, 0]], frames[:, 2:]], dim=1)))
    assert not torch.equal(warp.describe(frames), warp.describe(frames.flip(1)))


def test_flow_learns_to_follow_what_has_moved() -> None:
    torch.manual_seed(0)
    warp = Warp(PRESET)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")

    def show(centre: float) -> torch.Tensor:
        blob = torch.exp(-((x - centre) ** 2 + (y - 8) ** 2) / 20)
        return rearrange(blob.expand(2, 4, -1, -1), "f c (h p) (w q) -> f (h w) (p q c)", p=8, q=8)

    frames, target = show(6.0)[:, None], show(8.0)
    hidden = torch.randn(2, 4, PRESET.width)
    optimizer = torch.optim.Adam(warp.parameters(), lr=1e-2)
    errors = []
    for _ in range(40):
        error = (warp(hidden, frames, take(torch.ones(2, 1)), None) - target).square().mean()
        optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.05 * errors[0]


@pytest.mark.parametrize("canvas", [64, 128])
def test_render64_draws_with_any_number_of_content_frames(canvas: int) -> None:
    preset = replace(PRESETS["render64"], canvas=canvas, width=64, encoder_blocks=1, denoiser_blocks=2, stem_width=8)
    model = BitrateControlledDiffusion(preset).eval()
    frames = torch.randint(0, 256, (3, canvas, canvas, 4), dtype=torch.uint8)
    for count in (1, 3):
        content, tokens = model.encode_content(frames[:count]), model.encode_motion(frames)
        drawn = model.decode(content, tokens, steps=1, noise=torch.randn(3, preset.tokens, preset.token_width))
        assert drawn.shape == (3, canvas, canvas, 4) and drawn.isfinite().all()


@pytest.mark.parametrize("change", [{"reference": False}, {"head": "palette"}, {"prediction": "edm"}])
def test_presets_without_values_to_fetch_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(BitpuppetError, match="set warp to false"):
        replace(Preset(head="values", sampler="euler", warp=True), **change)  # type: ignore[arg-type]
