"""Evaluation with engines whose figures are known beforehand."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from bitpuppet.data.benchmark import Benchmark
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.command import evaluate_all, run_eval_sprites
from bitpuppet.evaluation.report import tabulate_sweep
from bitpuppet.evaluation.retargeting import evaluate_held_out, evaluate_sprites
from bitpuppet.evaluation.swaps import GarmentSwaps, PuppetSwaps, SpriteSwaps, Swap, SwapSet
from bitpuppet.model.preset import Preset

Make = Callable[..., Any]
SHARES = ("exact", "within_16", "union_exact", "union_within_16", "alpha_iou", "perfect_frames")
ACCURACIES = ("joint", "motion", "skin", "bottom", "top", "hair")


def give_target(swap: Swap) -> np.ndarray:
    """As pixel art: a few pixels of the layer sheets have alpha 253."""
    opaque = swap.target[..., 3:] >= 128
    return np.where(opaque, swap.target | np.array([0, 0, 0, 255], np.uint8), 0)


def give_motion(swap: Swap) -> np.ndarray:
    return swap.motion


def give_nothing(swap: Swap) -> np.ndarray:
    return np.zeros_like(swap.target)


def pick(figures: Any, keys: tuple[str, ...]) -> list[float]:
    return [figures[key] for key in keys]


def test_true_targets_are_right_everywhere(data_folder: Path, make_engine: Make, make_oracle: Make) -> None:
    benchmark = Benchmark(data_folder / "sprites")
    swaps = SpriteSwaps(benchmark, 18, seed=3, content_frames=64)
    engine = make_engine([swaps], give_target)
    judge = make_oracle(benchmark, {content.number for content, _, _ in swaps.pairs})
    report = evaluate_sprites(engine, data_folder, pairs=18, seed=3, content_frames=64, judge=judge)
    assert pick(report.raw, SHARES) == [1.0] * len(SHARES)
    # A colour or two of a target may be in none of the other frames, and then in no palette.
    assert min(pick(report.ceiling, SHARES)) >= 0.95
    assert report.ceiling["exact"] >= 0.9999
    # The steps after the palette go by what the other frames show, and take a few pixels for mistakes.
    assert report.ceiling["exact"] - 0.001 <= report.product["exact"] <= report.ceiling["exact"]
    assert pick(report.raw, ACCURACIES) == [1.0] * len(ACCURACIES)
    assert report.ceiling["inception_score"] == pytest.approx(9)
    assert pick(report.ceiling, ("motion", "inception_score")) == pytest.approx([1.0, 9.0])
    assert report.product["motion"] >= 0.8  # this judge knows no strip with a changed pixel
    assert report.rate["hard_bits"] == pytest.approx(3)
    assert report.rate["coded_bits"] == pytest.approx(3.5)
    assert "soft_bits" not in report.rate
    assert report.settings == {"preset": "sprite64", "pairs": 18, "steps": 4, "content_frames": 64, "seed": 3}
    assert engine.calls == [(3 + number, None) for number in range(18)]


def test_driving_strip_has_the_motion_but_not_the_content(
    data_folder: Path, make_engine: Make, make_oracle: Make
) -> None:
    benchmark = Benchmark(data_folder / "sprites")
    swaps = SpriteSwaps(benchmark, 18, seed=3)
    engine = make_engine([swaps], give_motion)
    judge = make_oracle(benchmark, {who.number for pair in swaps.pairs for who in pair[:2]})
    report = evaluate_sprites(engine, data_folder, pairs=18, seed=3, judge=judge)
    assert report.product["motion"] == report.raw["motion"] == 1.0
    assert report.raw["joint"] <= 0.1
    assert report.product["joint"] <= 0.1
    assert report.product["exact"] < 0.6
    assert report.product["perfect_frames"] == 0.0
    assert [pair.error for pair in report.errors] == sorted(pair.error for pair in report.errors)


def test_no_drawing_gets_nothing(make_engine: Make) -> None:
    engine = make_engine([PuppetSwaps(2)], give_nothing)
    report = evaluate_held_out(engine, None, "puppets", pairs=2)
    assert pick(report.product, SHARES) == [0.0] * len(SHARES)
    assert not set(ACCURACIES) & set(report.product)


def test_palette_stage_repairs_slightly_wrong_colours(make_engine: Make) -> None:
    def fade(swap: Swap) -> np.ndarray:
        return swap.target + np.where(swap.target[..., 3:] > 0, (-2.0, 2.0, -2.0, -30.0), 0.0)

    engine = make_engine([PuppetSwaps(2, content_frames=64)], fade)
    report = evaluate_held_out(engine, None, "puppets", pairs=2, content_frames=64)
    assert report.raw["exact"] == 0.0
    assert report.product["exact"] > 0.9


def test_held_out_garments_need_no_judge(data_folder: Path, make_engine: Make) -> None:
    engine = make_engine([GarmentSwaps(data_folder / "lpc", 2)], give_target)
    report = evaluate_held_out(engine, data_folder, "garments", pairs=2, steps=2)
    assert report.raw["alpha_iou"] == 1.0
    assert report.settings["steps"] == 2
    assert [steps for _, steps in engine.calls] == [2, 2]


def test_garments_without_data_are_refused(make_engine: Make) -> None:
    with pytest.raises(BitpuppetError, match="BITPUPPET_DATA"):
        evaluate_held_out(make_engine([], give_target), None, "garments", pairs=1)


def test_other_canvas_is_refused(make_engine: Make, tmp_path: Path) -> None:
    engine = make_engine([], give_target, preset=dataclasses.replace(Preset(), canvas=32))
    with pytest.raises(BitpuppetError, match="canvas of 32"):
        evaluate_sprites(engine, tmp_path, pairs=1)


def test_soft_bits_are_asked_for_where_the_engine_knows_them(make_engine: Make) -> None:
    engine = make_engine([PuppetSwaps(2)], give_target)
    engine.count_soft_bits = lambda clips: float(sum(len(clip) for clip in clips))
    report = evaluate_held_out(engine, None, "puppets", pairs=2)
    assert report.rate["soft_bits"] == 16.0


def test_watch_is_told_and_may_cancel(make_engine: Make) -> None:
    told = []

    def watch(what: str, done: int, of: int) -> None:
        told.append((what, done, of))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_held_out(make_engine([PuppetSwaps(3)], give_target), None, "puppets", pairs=3, watch=watch)
    assert told == [("retargeting puppets", 1, 3), ("retargeting puppets", 2, 3)]


def test_report_is_json_table_and_pictures(make_engine: Make, tmp_path: Path) -> None:
    swaps = PuppetSwaps(3)
    report = evaluate_held_out(make_engine([swaps], give_motion), None, "puppets", pairs=3)
    values = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert values["product"]["exact"] == report.product["exact"]
    assert values["worst"][0]["error"] >= values["worst"][-1]["error"]
    console = Console(file=io.StringIO(), width=120)
    console.print(report.to_table())
    console.print(tabulate_sweep([report]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"{100 * report.product['exact']:.2f} %" in text
    assert "judge" not in text
    assert f"{100 * report.ceiling['exact']:.2f} %" in text
    files = report.write_pictures(swaps, tmp_path / "pictures")
    assert [file.name for file in files] == ["puppets-best.png", "puppets-median.png", "puppets-worst.png"]
    for file in files:
        with Image.open(file) as image:
            assert image.width > 8 * 64 * 2


def test_pictures_need_an_existing_parent(make_engine: Make, tmp_path: Path) -> None:
    report = evaluate_held_out(make_engine([PuppetSwaps(1)], give_target), None, "puppets", pairs=1)
    with pytest.raises(BitpuppetError, match="cannot be made"):
        report.write_pictures(PuppetSwaps(1), tmp_path / "missing" / "pictures")


def test_everything_in_one_run(data_folder: Path, make_engine: Make, make_oracle: Make, tmp_path: Path) -> None:
    benchmark = Benchmark(data_folder / "sprites")
    sets = [SpriteSwaps(benchmark, 2, content_frames=count) for count in (1, 4)]
    held_out: list[SwapSet] = []
    for count in (1, 4):
        held_out += [PuppetSwaps(1, content_frames=count), GarmentSwaps(data_folder / "lpc", 1, content_frames=count)]
    engine = make_engine([*sets, *held_out], give_target)
    judge = make_oracle(benchmark, {content.number for content, _, _ in sets[0].pairs})
    found = evaluate_all(
        engine,
        data_folder,
        judge,
        pairs=2,
        content_frames=4,
        held_out=1,
        sweep_steps=(1, 4),
        sweep_content=(1, 4),
        pictures=tmp_path,
    )
    assert [report.name for report in found.reports] == ["sprites", "garments", "puppets"]
    assert [(r.settings["steps"], r.settings["content_frames"]) for r in found.sweep] == [(1, 4), (4, 4), (4, 1)]
    swept = [(r.name, r.settings["content_frames"]) for r in found.sweep_held_out]
    assert swept == [("garments", 1), ("garments", 4), ("puppets", 1), ("puppets", 4)]
    assert len(engine.calls) == 2 * 3 + 2 + 2, "the setting of the main report is not measured twice"
    assert len(found.pictures) == 9
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert all(math.isfinite(value) for value in values["reports"][0]["product"].values())
    console = Console(file=io.StringIO(), width=200)
    found.print_tables(console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(f"sweep of {name}" in printed for name in ("sprites", "garments", "puppets"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pairs": 0}, "--pairs is 0"),
        ({"content_frames": 65}, "--content-frames is 65"),
        ({"seed": -1}, "--seed is -1"),
        ({"held_out": -1}, "--held-out is -1"),
        ({"pictures": Path("no") / "such" / "folder"}, "--pictures"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_loaded(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BitpuppetError, match=message):
        run_eval_sprites(**settings)
