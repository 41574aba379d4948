"""`eval heads` on drawn clips, by an engine that knows the answer and a meter that reads faces from colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.data.heads import list_heads, split_heads
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.faces import LANDMARKS, LEFT_EYE, RIGHT_EYE, Points
from bitpuppet.evaluation.heads import draw_pairs, evaluate_heads, measure_flicker
from bitpuppet.jobs.engine import Retargeted
from bitpuppet.model.preset import PRESETS
from bitpuppet.sprites import write_gif

Frames = NDArray[np.uint8]
SMALL = replace(PRESETS["heads"], canvas=16)


class ColourMeter:
    """The red of the first pixel is where the face is, its blue says whose it is; green frames have no face."""

    def find_landmarks(self, frames: Frames) -> Points:
        points = np.zeros((len(frames), LANDMARKS, 3))
        points[:, LEFT_EYE, 0], points[:, RIGHT_EYE, 0] = -50, 50
        points += frames[:, :1, 0, :1] * [1.0, 0.0, 0.0]
        points[frames[:, 0, 0, 1] > 128] = np.nan
        return points

    def embed(self, frames: Frames, landmarks: Points) -> Points:
        assert len(frames) == len(landmarks)
        found = np.zeros((len(frames), 128))
        found[:, 0] = frames[:, 0, 0, 2] / 255
        return found


class Stub:
    """Draws the colour of the content with the motion of the driver, or what `spoil` makes of it."""

    preset = SMALL

    def retarget(self, content: Frames, motion: Frames, *, seed: int = 0, steps: int | None = None) -> Retargeted:
        drawn = motion.astype(np.float32)
        drawn[..., 2] = content[0, 0, 0, 2]
        return Retargeted(drawn, np.arange(len(motion), dtype=np.int64)[:, None], 40.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three people, each of a blue of their own, whose red moves; the third is nobody that training knows."""
    for number, person in enumerate(("p1", "p2", "p107")):
        (tmp_path / person).mkdir()
        for clip in range(2 if person != "p107" else 1):
            frames = np.zeros((20, 16, 16, 4), dtype=np.uint8)
            frames[..., 3], frames[..., 2] = 255, 100 * number
            frames[..., 0] = (np.arange(20) * (5 + clip) % 100)[:, None, None]
            write_gif(frames, tmp_path / person / f"{clip}.gif", [40] * 20)
    return tmp_path


def test_pairs_are_of_clips_that_training_did_not_see(folder: Path) -> None:
    split = split_heads(list_heads(folder))
    pairs = list(draw_pairs(split, "known", 16, clips=2))
    assert [pair.own for pair in pairs] == [True, False, True, False]
    for pair in pairs:
        assert len(pair.driving) == 20 and pair.driving[1, 0, 0, 0] == 6  # the second clip, which is held out
        assert pair.content[-1, 0, 0, 0] == 19 * 5  # the first one
        assert (pair.content[0, 0, 0, 2] == pair.driving[0, 0, 0, 2]) == pair.own
    (pair,) = draw_pairs(split, "unknown", 16, clips=5)
    assert pair.own and len(pair.driving) == 10
    assert pair.content[..., 0].max() < pair.driving[..., 0].min()  # the halves of the only clip


def test_the_model_is_beside_its_base_lines(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = evaluate_heads(
        Stub(), folder, ColourMeter(), clips=2, pictures=tmp_path, watch=lambda *progress: told.append(progress)
    )
    assert (tmp_path / "heads-known.png").stat().st_size > 1000
    model, still, driving = (found.columns[name] for name in ("model", "still frame", "driving clip"))
    assert model["self_identity"] == model["cross_identity"] == still["cross_identity"] == 1
    assert driving["cross_identity"] == pytest.approx(1 - 100 / 255, abs=1e-3)
    assert model["self_motion_error"] == model["cross_motion_error"] == 0 < still["self_motion_error"]
    assert model["self_psnr"] == 100 > still["self_psnr"] and "self_psnr" in driving
    assert still["self_flicker"] == 0 < model["self_flicker"] == pytest.approx(driving["self_flicker"])
    assert found.rate["kbit_per_second"] == 1.0 and found.rate["coded_bits"] == 40
    assert told[-1] == ("driving known people", 4, 4)
    assert found.to_json()["columns"]["model"]["faces_found"] == 1
    assert "self motion error" in [str(cell) for cell in found.to_table().columns[0].cells]


def test_what_cannot_be_measured_is_left_out_or_told(folder: Path) -> None:
    class Faceless(Stub):
        def retarget(self, content: Frames, motion: Frames, *, seed: int = 0, steps: int | None = None) -> Retargeted:
            drawn = super().retarget(content, motion, seed=seed, steps=steps)
            drawn.frames[..., 1] = 255
            return drawn

    column = evaluate_heads(Faceless(), folder, ColourMeter(), clips=1).columns["model"]
    assert column["faces_found"] == 0 and "self_motion_error" not in column
    with pytest.raises(BitpuppetError, match="--clips is 0"):
        evaluate_heads(Stub(), folder, ColourMeter(), clips=0)
    (folder / "p107" / "0.gif").unlink()
    with pytest.raises(BitpuppetError, match="no clips of unknown people"):
        evaluate_heads(Stub(), folder, ColourMeter(), "unknown")


def test_flicker_is_what_goes_to_and_fro() -> None:
    ramp = np.zeros((6, 2, 2, 4), dtype=np.uint8)
    ramp[..., :3] = (np.arange(6) * 10)[:, None, None, None]
    assert measure_flicker(ramp) == 0 == measure_flicker(ramp[:2])
    ramp[::2, ..., :3] = 0
    assert measure_flicker(ramp) > 40
