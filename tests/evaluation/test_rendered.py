"""`eval render` on drawn characters, by an engine that knows the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.data.rendered import open_rendered
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation import rendered
from bitpuppet.evaluation.comparison import SoftCounts
from bitpuppet.evaluation.rendered import (
    SHOWN,
    RenderedStrips,
    RenderedSwaps,
    evaluate_rendered,
    open_rendered_judge,
)

from .conftest import SilhouetteJudge, StubEngine

Frames = NDArray[np.uint8]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache" / "judge.safetensors"
    monkeypatch.setattr(rendered, "find_judge", lambda: place)
    return place.parent


def test_swaps_are_of_held_out_characters_with_true_targets(rendered_root: Path) -> None:
    folder = open_rendered(rendered_root)
    swaps = RenderedSwaps(folder, 8, content_frames=5)
    motions = []
    for number in range(len(swaps)):
        swap = swaps.draw(number)
        assert swap.content.shape == (5, 64, 64, 4) and swap.target.shape == (8, 64, 64, 4)
        assert np.array_equal(swap.motion[..., 3], swap.target[..., 3])
        greys = {int(part[..., 0].max()) for part in (swap.content, swap.target)}
        assert len(greys) == 1 and int(swap.motion[..., 0].max()) not in greys
        assert greys <= {8 * n + 10 for n in (9, 19, 29)}
        assert swap.classes is not None
        motions.append(swap.classes[0])
    assert sorted(motions) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_judge_learns_from_known_characters_alone(rendered_root: Path) -> None:
    strips, classes = RenderedStrips(open_rendered(rendered_root)).draw_strips(np.random.default_rng(0), 40)
    assert strips.shape == (40, 8, 64, 64, 4) and classes.shape == (40, 1)
    assert not {int(strip[..., 0].max()) for strip in strips} & {8 * n + 10 for n in (9, 19, 29)}
    assert set(classes[:, 0]) == {0, 1, 2, 3}


def test_true_targets_are_told_from_base_lines(rendered_root: Path, tmp_path: Path) -> None:
    sets, judge = [RenderedSwaps(open_rendered(rendered_root), 8)], SilhouetteJudge(rendered_root)
    true = StubEngine(sets, lambda swap: swap.target)
    right = evaluate_rendered(true, rendered_root, pairs=8, judge=judge, pictures=tmp_path)
    with Image.open(tmp_path / "render.png") as sheet:
        assert sheet.width > 8 * 64 and sheet.height > SHOWN * 4 * 64
    model, still, driving = (right.columns[name] for name in ("model", "still frame", "driving clip"))
    assert model["psnr"] == 100 and model["soft_iou"] == pytest.approx(1)
    assert still["soft_iou"] < 0.9 and driving["soft_iou"] == pytest.approx(1) and driving["psnr"] < 60
    assert model["motion"] == driving["motion"] == 1 > still["motion"]
    wrong = evaluate_rendered(
        StubEngine(sets, lambda swap: swap.target[..., ::-1, :]), rendered_root, pairs=8, judge=judge
    )
    assert wrong.columns["model"]["soft_iou"] < 0.7 and wrong.columns["model"]["motion"] == 0.25


def test_the_judge_is_trained_once(rendered_root: Path, cache: Path) -> None:
    folder = open_rendered(rendered_root)
    judge = open_rendered_judge(folder, steps=1)
    assert set(judge.accuracy) == {"motion"} and len(list(cache.iterdir())) == 1
    again = open_rendered_judge(folder, steps=1, watch=lambda *progress: pytest.fail("trained again"))
    assert again.accuracy == judge.accuracy


def test_soft_edges_count_by_their_alpha() -> None:
    target = np.zeros((1, 1, 4, 4), dtype=np.uint8)
    target[..., :2, :] = (200, 100, 50, 128)
    output = target.astype(np.float32)
    output[..., 0, 3] = 64
    counts = SoftCounts()
    counts.add(output, target)
    assert counts.to_figures()["soft_iou"] == pytest.approx((64 + 128) / 256)
    lost = np.array([200, 100, 50]) / 255 * 64 / 255
    assert counts.to_figures()["psnr"] == pytest.approx(-10 * np.log10(np.square(lost).sum() / 12), abs=1e-4)
    with pytest.raises(ValueError, match="differ in shape"):
        counts.add(output[:, :, :2], target)


def test_a_folder_with_too_few_characters_is_told(rendered_root: Path, tmp_path: Path) -> None:
    (tmp_path / "rendered.json").write_text((rendered_root / "rendered.json").read_text())
    for name in ("0001", "0009"):
        (tmp_path / name).symlink_to(rendered_root / name)
    with pytest.raises(BitpuppetError, match="has 1 characters for tests"):
        RenderedSwaps(open_rendered(tmp_path), 4)
