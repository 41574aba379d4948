"""The nearest content frame, and pointing at its pixels."""

from __future__ import annotations

import pytest
import torch

from bitpuppet.model.content import Palette
from bitpuppet.model.metric import Metric
from bitpuppet.model.reference import (
    BLOCKS,
    LEAST_RELATIVE,
    SHIFT,
    SHIFTS,
    Nearest,
    Pointer,
    References,
    mirror,
)

SIDE, PATCH = 8, 4
NEAREST = 2


def make_references() -> References:
    """Two characters of three frames; frame n of the first is filled with colour n + 1, all motion apart."""
    numbers = torch.zeros(2, 3, SIDE, SIDE, dtype=torch.uint8)
    numbers[0] = torch.arange(1, 4)[:, None, None]
    tokens = torch.arange(2 * 3 * 4 * 2, dtype=torch.float32).reshape(2, 3, 4, 2)
    motion = torch.eye(6).reshape(2, 3, 6)
    return References(tokens, motion, torch.tensor([[True, True, True], [True, False, True]]), numbers)


def make_metric() -> Metric:
    """All values of motion count alike."""
    return Metric(6)


def take(*frames: int) -> Nearest:
    """One frame for each character, alone."""
    return weigh([[frame] for frame in frames], [[1.0]] * len(frames))


def weigh(frames: list[list[int]], weights: list[list[float]]) -> Nearest:
    """Some frames for each character."""
    return Nearest(torch.tensor(frames), torch.tensor(weights), torch.ones(len(frames)))


def test_the_frames_with_the_nearest_motion_are_taken_if_they_are_shown() -> None:
    references = make_references()
    wanted = torch.stack([references.motion[0, 2], references.motion[0, 0], references.motion[1, 1], torch.zeros(6)])
    nearest = references.find_nearest(wanted.requires_grad_(), torch.tensor(5.0), make_metric(), NEAREST)
    assert nearest.frames.shape == nearest.weights.shape == (4, NEAREST)
    assert nearest.frames[:2, 0].tolist() == [2, 0]
    assert 1 not in nearest.frames[2:].flatten().tolist()  # it is not shown
    torch.testing.assert_close(nearest.weights.sum(dim=1), torch.ones(4))
    weights = nearest.weights.detach()
    assert weights[0, 0] > 0.99 and float(weights[3, 0]) == pytest.approx(0.5)
    assert nearest.sameness[:2].tolist() == [1, 1] and nearest.sameness[2:].tolist() == pytest.approx(
        [0.0, 0.0067], abs=1e-3
    )
    nearest.weights[:, 0].sum().backward()
    assert wanted.grad is not None and wanted.grad.any()


def test_a_character_with_one_frame_has_one_reference() -> None:
    references = References(*(None if part is None else part[:, :1] for part in make_references()[:4]))  # type: ignore[arg-type]
    nearest = references.find_nearest(torch.randn(4, 6), torch.tensor(1.0), make_metric(), NEAREST)
    assert nearest.frames.tolist() == [[0]] * 4 and nearest.weights.tolist() == [[1.0]] * 4


def test_a_second_reading_passes_the_nearest_over() -> None:
    references = make_references()
    wanted = references.motion[:, 0] + 0.5 * references.motion[:, 2]
    first = references.find_nearest(wanted, torch.tensor(5.0), make_metric(), NEAREST)
    second = references.find_nearest(wanted, torch.tensor(5.0), make_metric(), NEAREST, passed=1)
    assert first.frames[0].tolist() == [0, 2] and second.frames[0].tolist() == [2, 1]
    assert second.weights[0, 0] > second.weights[0, 1] and second.sameness[0] < first.sameness[0]


def test_each_row_of_clips_may_pass_over_its_own_number() -> None:
    references = make_references()
    wanted = references.motion[:, 0] + 0.5 * references.motion[:, 2] + 0.3 * references.motion[:, 1]
    alone = [
        references.find_nearest(wanted, torch.tensor(5.0), make_metric(), NEAREST, passed=passed) for passed in (1, 2)
    ]
    passed = torch.tensor([1, 1, 2, 2])
    both = references.multiply(2).find_nearest(wanted.repeat(2, 1), torch.tensor(5.0), make_metric(), NEAREST, passed)
    assert torch.equal(both.frames[:2], alone[0].frames) and torch.equal(both.frames[2:, :1], alone[1].frames)
    torch.testing.assert_close(both.weights[:2], alone[0].weights)
    assert both.weights[2:].tolist() == [[1, 0], [1, 0]]  # there is one frame left
    assert torch.equal(both.sameness, torch.cat([one.sameness for one in alone]))


def test_tokens_are_mixed_by_weight_at_their_places() -> None:
    references = make_references()
    nearest = weigh([[2, 0], [0, 2]], [[0.75, 0.25], [1.0, 0.0]])
    mixed = references.mix_tokens(nearest, None)
    torch.testing.assert_close(mixed[0], 0.75 * references.tokens[0, 2] + 0.25 * references.tokens[0, 0])
    torch.testing.assert_close(mixed[1], references.tokens[1, 0])
    places = torch.tensor([[3], [1]])
    torch.testing.assert_close(references.mix_tokens(nearest, places)[:, 0], mixed[torch.arange(2), places[:, 0]])


def test_numbers_are_those_of_the_pixel_and_its_neighbours() -> None:
    references = make_references()
    image = torch.arange(SIDE * SIDE, dtype=torch.uint8).reshape(SIDE, SIDE)
    references.numbers[1, 2] = image  # type: ignore[index]
    taken = references.take_numbers(take(0, 2), None, PATCH)
    assert taken.shape == (2, SIDE * SIDE, SHIFTS)
    padded = torch.nn.functional.pad(image, (SHIFT,) * 4)
    for token, (top, left) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        for pixel, (y, x) in enumerate([(0, 0), (1, 2), (3, 3)]):
            place = token * PATCH**2 + y * PATCH + x
            window = padded[top + y : top + y + 2 * SHIFT + 1, left + x : left + x + 2 * SHIFT + 1]
            assert taken[1, place].tolist() == window.flatten().tolist(), pixel
    some = references.take_numbers(take(0, 2), torch.tensor([[1], [2]]), PATCH)
    assert torch.equal(some[1], taken[1, 2 * PATCH**2 : 3 * PATCH**2])
    both = references.take_numbers(weigh([[0, 1], [1, 2]], [[1.0, 1.0]] * 2), None, PATCH)
    assert torch.equal(both[1, :, SHIFTS:], taken[1])


def test_a_new_pointer_asks_for_the_same_place_of_the_nearest() -> None:
    references = make_references()
    nearest = weigh([[1, 2], [0, 2]], [[0.9, 0.1], [0.5, 0.5]])
    numbers = references.take_numbers(nearest, None, PATCH)
    pointer = Pointer(16, PATCH, NEAREST)
    logits = pointer(torch.randn(2, 4, 16), torch.zeros(2, SIDE * SIDE, 5), nearest, numbers)
    assert (logits[0].argmax(dim=-1) == 2).all()  # frame 1 of the first character has colour 2 everywhere
    assert (logits[1].argmax(dim=-1) == 0).all()
    logits.sum().backward()
    assert pointer.ask.weight.grad is not None


def test_each_block_of_a_token_points_for_itself() -> None:
    references = make_references()
    image = torch.arange(SIDE * SIDE, dtype=torch.uint8).reshape(SIDE, SIDE)
    references.numbers[0, 0] = image  # type: ignore[index]
    nearest = take(0, 0)
    pointer = Pointer(16, PATCH, NEAREST)
    with torch.no_grad():  # the last block of each token looks one pixel up and to the left
        shifts = pointer.ask.bias[PATCH**2 :].view(BLOCKS**2, NEAREST, SHIFTS)
        shifts[-1] = 0
        shifts[-1, :, (SHIFT - 1) * (2 * SHIFT + 1) + SHIFT - 1] = 9
    logits = pointer(
        torch.zeros(2, 4, 16), torch.zeros(2, SIDE * SIDE, 64), nearest, references.take_numbers(nearest, None, PATCH)
    )
    seen = logits[0].argmax(dim=-1).view(2, 2, PATCH, PATCH)[1, 1]
    half = PATCH // BLOCKS
    assert torch.equal(seen[:half, :half], image[4 : 4 + half, 4 : 4 + half].long())
    assert torch.equal(seen[half:, half:], image[3 + half : 7, 3 + half : 7].long())


def test_mirrored_frames_follow_the_others() -> None:
    frames = torch.arange(2 * 3 * 2 * 4 * 1).reshape(2, 3, 2, 4, 1)
    both = mirror(frames)
    assert torch.equal(both[:, :3], frames)
    assert both[1, 4, 0, :, 0].tolist() == frames[1, 1, 0, :, 0].tolist()[::-1]
    assert torch.equal(mirror(frames[..., 0]), both[..., 0])


def test_pixels_are_numbered_by_their_nearest_colour() -> None:
    palette = Palette.from_rgb(
        torch.tensor([[[250, 0, 0], [0, 250, 0], [0, 0, 0]]], dtype=torch.uint8), torch.tensor([2])
    )
    frame = torch.tensor([[[240, 9, 9, 255], [3, 255, 0, 255]], [[250, 0, 0, 0], [60, 80, 0, 255]]], dtype=torch.uint8)
    assert palette.number_pixels(frame[None]).tolist() == [[[1, 2], [0, 2]]]


def test_pointing_without_a_palette_is_refused() -> None:
    references = make_references()._replace(numbers=None)
    with pytest.raises(ValueError, match="palette"):
        references.take_numbers(take(0, 0), None, PATCH)


def test_the_frame_of_a_driver_that_is_most_like_a_content_frame_is_taken_for_it() -> None:
    references = make_references()
    changes = torch.randn(2, LEAST_RELATIVE, 6)
    changes[:, 0] = 0
    stranger = references.motion[:, :1] + changes + 10 * torch.ones(6)  # as far away from all of them
    stranger[:, 0] -= 9.0
    moved = references.take_over(stranger)
    torch.testing.assert_close(moved[:, 0], references.motion[:, 0])
    torch.testing.assert_close(moved[:, 1:] - moved[:, :-1], stranger[:, 1:] - stranger[:, :-1])
    own = torch.cat([stranger[:, 1:], references.motion[:, 2:]], dim=1)
    torch.testing.assert_close(references.take_over(own), own)  # somebody who drives themselves stays where they are
    hidden = torch.cat([stranger[:, 1:], references.motion[:, 1:2]], dim=1)
    assert torch.equal(references.take_over(hidden)[0], hidden[0])
    assert not torch.equal(references.take_over(hidden)[1], hidden[1]), "that content frame is not shown"
    few = stranger[:, 1:]
    assert torch.equal(references.take_over(few), few)
