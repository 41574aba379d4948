"""Bounds of rendered swaps: choices by somebody who knows true frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.rendered import open_rendered
from bitpuppet.evaluation.rendered import RenderedSwaps, evaluate_rendered, read_strip, read_strips
from bitpuppet.evaluation.rendered_bounds import MotionReader, OwnFrames, choose_given
from bitpuppet.evaluation.swaps import Swap
from bitpuppet.jobs.engine import Retargeted

from .conftest import SilhouetteJudge, StubEngine

Frames = NDArray[np.uint8]


@dataclass
class ReadingEngine(StubEngine):
    """Reads motion from the block that is opaque: its first and last row and column are the tokens."""

    def encode_motion(self, motion: Frames) -> NDArray[np.int64]:
        return np.stack([_box(frame) for frame in motion])

    def compare_motion(self, tokens: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.abs(tokens[:, None] - others[None]).sum(axis=2).astype(np.float32)

    def retarget(self, content: Frames, motion: Frames, *, seed: int = 0, steps: int | None = None) -> Retargeted:
        drawn = super().retarget(content, motion, seed=seed, steps=steps)
        return Retargeted(drawn.frames, self.encode_motion(motion), drawn.bits_per_frame)


def _box(frame: Frames) -> NDArray[np.int64]:
    rows, columns = np.nonzero(frame[..., 3] == 255)
    return np.array([rows.min(), rows.max(), columns.min(), columns.max()])


def test_the_best_given_frame_is_that_of_least_error() -> None:
    levels = np.array([10, 200, 90], dtype=np.uint8)
    content = np.zeros((3, 4, 4, 4), dtype=np.uint8)
    content[...] = levels[:, None, None, None]
    content[..., 3] = 255
    wanted = np.zeros((2, 4, 4, 4), dtype=np.uint8)
    wanted[..., :3] = np.array([100, 190])[:, None, None, None]
    wanted[..., 3] = 255
    chosen = choose_given(Swap("test", content, wanted, wanted, None))
    assert chosen[:, 0, 0, 0].tolist() == [90, 200]


def test_colour_under_no_alpha_is_not_compared() -> None:
    content = np.full((2, 4, 4, 4), 200, dtype=np.uint8)
    content[0, ..., 3] = 0
    content[1, ..., :3] = 60
    wanted = np.zeros((1, 4, 4, 4), dtype=np.uint8)
    assert choose_given(Swap("test", content, wanted, wanted, None))[0, 0, 0, 0] == 200


def test_own_frames_are_found_by_what_the_tokens_say(rendered_root: Path) -> None:
    folder = open_rendered(rendered_root)
    swaps = RenderedSwaps(folder, 8)
    engine = ReadingEngine([swaps], lambda swap: swap.motion)
    assert isinstance(engine, MotionReader) and not isinstance(StubEngine([], lambda swap: swap.motion), MotionReader)
    own = OwnFrames(engine, lambda name: np.concatenate(read_strips(folder, name)))
    for number in range(len(swaps)):
        swap = swaps.draw(number)
        character = swaps.name_content(number)
        assert any(np.array_equal(read_strip(folder, character, motion), swap.target) for motion in range(4))
        chosen = own.choose(character, engine.encode_motion(swap.motion))
        np.testing.assert_array_equal(chosen[..., 3], swap.target[..., 3])
        assert set(np.unique(chosen[..., 0])) == set(np.unique(swap.target[..., 0]))


def test_bounds_stand_beside_base_lines(rendered_root: Path) -> None:
    sets = [RenderedSwaps(open_rendered(rendered_root), 8)]
    judge = SilhouetteJudge(rendered_root)
    found = evaluate_rendered(ReadingEngine(sets, lambda swap: swap.motion), rendered_root, pairs=8, judge=judge)
    still, given, own = (found.columns[n] for n in ("still frame", "best given frames", "own frames by tokens"))
    assert own["psnr"] == 100 > given["psnr"] >= still["psnr"]
    assert own["soft_iou"] == 1 and own["motion"] == 1
    blind = evaluate_rendered(StubEngine(sets, lambda swap: swap.motion), rendered_root, pairs=8, judge=judge)
    assert "own frames by tokens" not in blind.columns and blind.columns["best given frames"] == given
