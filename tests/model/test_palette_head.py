"""The palette and the head that chooses from it."""

from __future__ import annotations

import torch

from bitpuppet.model.content import Palette
from bitpuppet.model.palette_head import PaletteHead

COLOURS = torch.tensor([[[255, 0, 0], [0, 255, 0], [9, 9, 9]], [[0, 0, 255], [0, 0, 0], [0, 0, 0]]], dtype=torch.uint8)


def test_the_first_colour_is_transparent_and_padding_does_not_count() -> None:
    palette = Palette.from_rgb(COLOURS, torch.tensor([3, 1]))
    assert palette.colours.shape == (2, 4, 4)
    assert palette.colours[:, 0].tolist() == [[-1] * 4] * 2
    assert palette.colours[0, 1].tolist() == [1, -1, -1, 1]
    assert palette.mask.tolist() == [[True, True, True, True], [True, True, False, False]]


def test_only_colours_that_count_are_chosen_for_any_number_of_frames() -> None:
    torch.manual_seed(0)
    palette = Palette.from_rgb(COLOURS, torch.tensor([3, 1]))
    head = PaletteHead(8, 2, 4)
    keys = head.make_keys(palette, torch.randn(2, 4, 8))
    logits = head(torch.randn(10, 3, 8), keys)
    assert logits.shape == (10, 12, 4)
    assert logits.argmax(dim=-1)[5:].max() <= 1 and logits.argmax(dim=-1)[:5].max() == 3
    chosen = head.choose(logits, palette)
    assert chosen.shape == (10, 3, 16)
    pixels = chosen.reshape(10, 12, 4)
    blue, clear = torch.tensor([-1.0, -1.0, 1.0, 1.0]), torch.full((4,), -1.0)
    is_known = (pixels[5:] == blue).all(-1) | (pixels[5:] == clear).all(-1)
    assert bool(is_known.all())


def test_choosing_gives_the_colour_with_the_largest_logit() -> None:
    palette = Palette.from_rgb(COLOURS, torch.tensor([3, 1]))
    head = PaletteHead(8, 2, 4)
    logits = torch.zeros(2, 4, 4)
    logits[0, 2, 3] = 5.0
    pixels = head.choose(logits, palette).reshape(2, 4, 4)
    torch.testing.assert_close(pixels[0, 2], torch.tensor([9 / 127.5 - 1] * 3 + [1.0]))
    assert bool((pixels[0, 0] == -1).all())
