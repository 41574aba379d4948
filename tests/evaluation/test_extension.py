"""Extension measured, with stand-ins for model, prior and judge."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from bitpuppet.data.animations import Animation, draw_puppets
from bitpuppet.data.benchmark import MOTIONS
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.extension import (
    LOOP_FRAMES,
    Example,
    ExtensionReport,
    draw_examples,
    measure_extension,
    run_eval_extend,
)
from bitpuppet.jobs.continuation import ExtendSettings

Frames = NDArray[np.uint8]
Tokens = NDArray[np.int64]


@dataclass
class MirrorEngine:
    """Each distinct frame has a number, which is its motion token and is drawn as that frame; in turn if `faulty`."""

    faulty: bool = False

    def __post_init__(self) -> None:
        self.known: dict[bytes, int] = {}
        self.frames: list[Frames] = []

    @property
    def coder(self) -> None:
        raise AssertionError("nobody packs here")

    def encode_motion(self, motion: Frames) -> Tokens:
        for frame in motion:
            if frame.tobytes() not in self.known:
                self.known[frame.tobytes()] = len(self.frames)
                self.frames.append(frame)
        return np.array([[self.known[frame.tobytes()]] for frame in motion], dtype=np.int64)

    def count_bits(self, tokens: Tokens) -> float:
        return 1.0

    def draw(self, content: Frames, tokens: Tokens, **_: object) -> NDArray[np.float32]:
        drawn = np.stack([self.frames[token] for (token,) in tokens]).astype(np.float32)
        return drawn[::-1] if self.faulty else drawn


class CyclePrior:
    """Repeats what it was given."""

    def continue_motion(
        self, tokens: Tokens, frames: int, *, seeds: tuple[object, ...] = ((0,),), **_: object
    ) -> Tokens:
        return np.stack([tokens[np.arange(frames) % len(tokens)] for _ in seeds])

    def measure_arrival(self, tokens: Tokens, goal: Tokens) -> float:
        return 0.0


class OrderJudge:
    """Knows one strip, and says motion 2 for it and motion 5 for all others."""

    def __init__(self, strip: Frames) -> None:
        self.strip = strip

    def classify(self, strips: Frames) -> dict[str, NDArray[np.float64]]:
        answers = np.zeros((len(strips), 9))
        for answer, strip in zip(answers, strips, strict=True):
            answer[2 if np.array_equal(strip, self.strip) else 5] = 1
        return {"motion": answers}


@pytest.fixture(scope="module")
def animation() -> Animation:
    found = draw_puppets(np.random.default_rng(0), 20, 5, 64)
    return next(one for one in found if len(one.frames) == 8 and len(np.unique(one.frames, axis=0)) == 8)


def measure(animation: Animation, engine: MirrorEngine, motion: int | None = 2) -> ExtensionReport:
    judge = OrderJudge(animation.frames)
    examples = [Example(animation, motion)] * 3
    settings = ExtendSettings(32, seed=3)
    return measure_extension(engine, CyclePrior(), "sprites", examples, settings, judge, {"preset": "none"})  # type: ignore[arg-type]


def test_cycles_that_go_on_are_right_at_whole_cycles_alone(animation: Animation) -> None:
    report = measure(animation, MirrorEngine())
    for figures in (report.product, report.drawn):
        assert figures["windows_right"] == figures["windows_right_true"] == 1
        # Of the windows that begin at frames 1 to 32, four begin where a cycle does.
        assert figures["all_windows_right"] == figures["all_windows_right_true"] == pytest.approx(4 / 32)
        assert figures["clips"] == 3
        assert figures["loops_by_cycle"] == 0
    assert (report.product["copied_frames"], report.drawn["copied_frames"]) == (1, 0)
    assert report.settings == {"preset": "none", "frames": 32, "temperature": 0.8, "top_p": 0.95, "seed": 3}


def test_model_that_draws_something_else_is_found_out(animation: Animation) -> None:
    report = measure(animation, MirrorEngine(faulty=True))
    assert report.product["windows_right"] == 1, "copies are right whatever the model draws"
    assert report.drawn["windows_right"] < 1
    assert report.drawn["windows_right_true"] == 1


def test_sets_without_classes_have_loops_alone(animation: Animation) -> None:
    told: list[tuple[str, int, int]] = []
    examples = [Example(animation)] * 2
    settings = ExtendSettings(4)
    report = measure_extension(
        MirrorEngine(),  # type: ignore[arg-type]
        CyclePrior(),  # type: ignore[arg-type]
        "puppets",
        examples,
        settings,
        watch=lambda *done: told.append(done),
    )
    assert "windows_right" not in report.product
    assert 0 <= report.product["loops_closed"] <= 1
    assert told == [("extending puppets", 1, 2), ("extending puppets", 2, 2)]
    assert len(set(LOOP_FRAMES)) == len(LOOP_FRAMES)


def test_report_is_a_table_and_plain_values(animation: Animation) -> None:
    report = measure(animation, MirrorEngine())
    json.dumps(report.to_json(), allow_nan=False)
    console = Console(record=True, width=120)
    console.print(report.to_table())
    text = console.export_text()
    assert "extension, sprites: preset none, frames 32" in text
    assert "loops: seam no larger than the largest step inside" in text
    assert "100.00 %" in text


def test_puppets_are_held_out_and_the_same_each_time() -> None:
    one, other = (draw_examples("puppets", Path("none"), 7, 64, 3) for _ in range(2))
    assert len(one) == 7
    assert all(a.animation.name == b.animation.name and a.motion is None for a, b in zip(one, other, strict=True))


def test_sprites_are_test_characters_with_balanced_motions(data_folder: Path) -> None:
    examples = draw_examples("sprites", data_folder, 18, 64, 0)
    assert sorted(example.motion for example in examples) == sorted(list(range(9)) * 2)  # type: ignore[type-var]
    assert all(" ".join(MOTIONS[example.motion or 0]) == example.animation.name for example in examples)


def test_garments_are_held_out(data_folder: Path) -> None:
    examples = draw_examples("garments", data_folder, 4, 64, 0)
    assert len(examples) == 4 and all(example.motion is None for example in examples)


def test_data_folder_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BITPUPPET_DATA", str(tmp_path))
    with pytest.raises(BitpuppetError, match="eval extend: BITPUPPET_DATA"):
        run_eval_extend(settings=ExtendSettings(4))
    with pytest.raises(BitpuppetError, match="--clips is 0, it must be from 1 to"):
        run_eval_extend(settings=ExtendSettings(4), clips=0)
