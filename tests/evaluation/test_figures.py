"""The figures, on arrays whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bitpuppet.evaluation.figures import MAX_PSNR, PixelCounts, compare_pixels, count_token_bits, score_motions

RED = (200, 0, 0, 255)


def draw_target() -> np.ndarray:
    """Two frames of 4x4: a red bar of four pixels in each."""
    target = np.zeros((2, 4, 4, 4), np.uint8)
    target[:, 1] = RED
    return target


def figures_of(output: np.ndarray, target: np.ndarray) -> dict[str, float]:
    return compare_pixels(output, target).to_figures()


def test_equal_frames_are_right_everywhere() -> None:
    target = draw_target()
    figures = figures_of(target, target)
    assert figures.pop("psnr_on_black") == MAX_PSNR
    assert figures.pop("flicker") == 0.0
    assert set(figures.values()) == {1.0}


def test_flicker_is_what_the_output_changes_and_the_target_does_not() -> None:
    target = np.concatenate([draw_target(), draw_target()[:1]])
    output = target.copy()
    output[1, 1, 0] = (190, 0, 0, 255)  # there and back: two changes
    assert figures_of(output, target)["flicker"] == 2 / 8
    output[1, 3, 3] = RED  # beside the figure, there and back: two more pixels that are seen, both changed
    assert figures_of(output, target)["flicker"] == 4 / 10
    target[1, 1, 0] = RED[::-1]  # a pixel that the target changes does not count
    assert figures_of(output, target)["flicker"] == 2 / 8


def test_known_faults_have_known_figures() -> None:
    target = draw_target()
    output = target.copy()
    output[0, 1, 0] = (184, 16, 0, 255)  # 16 levels off: close
    output[0, 1, 1] = (183, 0, 0, 255)  # 17 levels off: wrong
    output[0, 1, 2] = 0  # missing
    output[0, 3, 3] = RED  # beside the figure
    figures = figures_of(output, target)
    assert figures["exact"] == pytest.approx(5 / 8)
    assert figures["within_16"] == pytest.approx(6 / 8)
    assert figures["union_exact"] == pytest.approx(5 / 9)
    assert figures["union_within_16"] == pytest.approx(6 / 9)
    assert figures["alpha_iou"] == pytest.approx(7 / 9)
    assert figures["perfect_frames"] == pytest.approx(1 / 2)
    error = (16**2 + 16**2 + 17**2 + 200**2 + 200**2) / (2 * 4 * 4 * 3)
    assert figures["psnr_on_black"] == pytest.approx(10 * np.log10(255**2 / error))


def test_half_transparent_output_is_not_exact_but_may_be_close() -> None:
    target = draw_target()
    output = target.copy()
    output[..., 3] = np.where(target[..., 3], 239, 0)
    figures = figures_of(output, target)
    assert (figures["exact"], figures["within_16"], figures["alpha_iou"]) == (0.0, 1.0, 1.0)


def test_nearly_opaque_target_counts_as_pixel_art() -> None:
    target = draw_target()
    target[0, 1, 0, 3] = 253
    target[0, 0, 0] = (9, 9, 9, 100)
    assert figures_of(draw_target(), target)["perfect_frames"] == 1.0


def test_colour_under_alpha_zero_does_not_count() -> None:
    output = draw_target()
    output[:, 0] = (255, 255, 255, 0)
    figures = figures_of(output, draw_target())
    assert figures["perfect_frames"] == 1.0
    assert figures["psnr_on_black"] == MAX_PSNR


def test_floats_are_rounded_and_clipped() -> None:
    output = draw_target().astype(np.float32)
    output[:, 1] += np.array([0.4, -3.0, -0.4, 2.0], np.float32)
    assert figures_of(output, draw_target())["exact"] == 1.0


def test_nothing_to_get_wrong_is_right() -> None:
    empty = np.zeros((1, 2, 2, 4), np.uint8)
    figures = figures_of(empty, empty)
    assert (figures["exact"], figures["alpha_iou"], figures["perfect_frames"]) == (1.0, 1.0, 1.0)
    assert PixelCounts().to_figures()["psnr_on_black"] == MAX_PSNR


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ValueError, match="shape"):
        compare_pixels(draw_target()[:1], draw_target())


@given(arrays.arrays(np.uint8, (3, 2, 3, 4)), arrays.arrays(np.uint8, (3, 2, 3, 4)))
def test_counts_add_up_over_frames(output: np.ndarray, target: np.ndarray) -> None:
    whole = compare_pixels(output, target)
    parts = compare_pixels(output[:1], target[:1]) + compare_pixels(output[1:], target[1:])
    assert parts.squared_error == pytest.approx(whole.squared_error)
    one, two = parts.to_figures(), whole.to_figures()
    one.pop("flicker"), two.pop("flicker")  # a matter of frames that follow one another
    assert one == pytest.approx(two)


@given(arrays.arrays(np.uint8, (2, 2, 3, 4)), arrays.arrays(np.uint8, (2, 2, 3, 4)))
def test_figures_are_finite_shares_in_their_order(output: np.ndarray, target: np.ndarray) -> None:
    figures = figures_of(output, target)
    assert all(0 <= figures[key] <= 1 for key in figures if key != "psnr_on_black")
    assert 0 <= figures["psnr_on_black"] <= MAX_PSNR
    assert figures["exact"] <= figures["within_16"]
    assert figures["union_exact"] <= figures["exact"]


def test_sure_and_balanced_answers_have_the_highest_inception_score() -> None:
    figures = score_motions(np.eye(9))
    assert figures["inception_score"] == pytest.approx(9)
    assert figures["intra_entropy"] == 0
    assert figures["inter_entropy"] == pytest.approx(np.log(9))


def test_one_answer_for_all_or_no_answer_has_the_lowest_inception_score() -> None:
    assert score_motions(np.eye(9)[[4, 4, 4]])["inception_score"] == pytest.approx(1)
    unsure = score_motions(np.full((5, 9), 1 / 9))
    assert unsure["inception_score"] == pytest.approx(1)
    assert unsure["intra_entropy"] == pytest.approx(np.log(9))


def test_entropies_of_a_mixture_are_known() -> None:
    figures = score_motions(np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert figures["intra_entropy"] == pytest.approx(np.log(2) / 2)
    assert figures["inter_entropy"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


def test_token_bits_are_summed_over_groups() -> None:
    tokens = np.array([[0, 5, 1], [1, 5, 1], [2, 5, 0], [3, 5, 0]], np.int64)
    assert count_token_bits(tokens) == pytest.approx(2 + 0 + 1)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_token_bits_stay_within_what_frames_and_codewords_allow(frames: int, groups: int, seed: int) -> None:
    tokens = np.random.default_rng(seed).integers(16, size=(frames, groups))
    assert 0 <= count_token_bits(tokens) <= groups * min(4, np.log2(frames)) + 1e-9
