"""The ablation: one budget, one difference a row, and nothing finished is done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitpuppet.data.benchmark import split_characters
from bitpuppet.data.mixture import make_mixture
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation import ablation, ablation_data, probes, rendered
from bitpuppet.evaluation.ablation import PRESET, ROWS, ROWS_RENDERED, Ablation, SameSegment, Settings, run_ablation
from bitpuppet.evaluation.judge import HEADS, Judge, JudgeNetwork

QUICK = Settings(steps=2, pairs=1, puppets_only=True)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller models and batches, so that a row takes a second."""
    sizes = replace(PRESET, width=32, heads=2, encoder_blocks=1, denoiser_blocks=1)
    monkeypatch.setattr(ablation, "PRESET", sizes)
    monkeypatch.setattr(ablation, "RECIPE", replace(ablation.RECIPE, pairs=2))


def run(out: Path, *rows: str, **others: Any) -> Ablation:
    return run_ablation(out, rows=rows, settings=QUICK, cpu=True, **others)


def test_rows_are_those_of_the_paper() -> None:
    targets = [row.bits for name, row in ROWS.items() if name.startswith("bits-")]
    assert targets == [2, 4, 8, 12, 24, 48, 160]
    assert set(ROWS) - {f"bits-{bits}" for bits in targets} == {"no-cross-driving", "single-frame", "no-rate-control"}
    capacity = PRESET.groups * np.log2(PRESET.codewords)
    assert all(row.bits <= capacity for row in ROWS.values())
    assert not ROWS["no-cross-driving"].cross_driving and ROWS["single-frame"].content_frames == 1
    assert not ROWS["no-rate-control"].rate_control


def test_without_cross_driving_content_comes_from_the_frames_that_are_rebuilt() -> None:
    source = make_mixture(None, 64)
    plain, same = source.draw(3, 2, 2, 3), SameSegment(source).draw(3, 2, 2, 3)
    assert np.array_equal(same.content, plain.target[:, :2]) and np.array_equal(same.numbers, plain.wanted[:, :2])
    assert np.array_equal(same.target, plain.target) and np.array_equal(same.shown, plain.shown)
    assert not np.array_equal(plain.content, same.content)


def test_finished_rows_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "table.json"
    first = run(out, "no-cross-driving", "bits-2")
    assert list(first.rows) == ["bits-2", "no-cross-driving"], "in the order of ROWS"
    row = first.rows["bits-2"]
    assert {"within_16", "alpha_iou", "hard_bits", "soft_bits", "product", "training", "seconds"} <= set(row)
    assert row["target_bits"] == 2 and row["training"]["bits_soft"] > 0
    assert json.loads(out.read_text()) == first.to_json()

    def refuse(*_: object) -> None:
        raise AssertionError("a finished row was trained again")

    monkeypatch.setattr(ablation, "_train_row", refuse)
    assert run(out, "bits-2", "no-cross-driving").to_json() == first.to_json()
    assert first.to_table().row_count == 2


def test_a_table_of_before_a_setting_was_added_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    run(out, "bits-2")
    found = json.loads(out.read_text())
    del found["settings"]["preset"]["stem_scale"], found["settings"]["recipe"]["control"]
    out.write_text(json.dumps(found))
    with pytest.raises(BitpuppetError, match=r"another budget \(recipe differs"):
        run(out, "bits-4")  # the default of that one is another
    found["settings"]["recipe"]["control"] = list(ablation.RECIPE.control)
    out.write_text(json.dumps(found))
    assert list(run(out, "bits-4").rows) == ["bits-2", "bits-4"]


def test_rows_share_what_comes_before_rate_control(tmp_path: Path) -> None:
    settings = replace(QUICK, steps=4)
    alone = run_ablation(tmp_path / "alone.json", rows=["bits-160"], settings=settings, cpu=True)
    table = run_ablation(tmp_path / "t.json", rows=["bits-2", "bits-160", "single-frame"], settings=settings, cpu=True)
    trained = {
        folder.name: [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (tmp_path / "t-runs").iterdir()
    }
    assert trained == {"common": [1], "bits-2": [2, 3, 4], "bits-160": [2, 3, 4], "single-frame": [1, 2, 3, 4]}
    assert table.rows["bits-160"]["soft_bits"] == alone.rows["bits-160"]["soft_bits"]
    assert table.rows["bits-2"]["soft_bits"] < table.rows["bits-160"]["soft_bits"]


def test_a_stopped_row_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    seen: list[tuple[str, int]] = []

    def stop(stage: str, done: int, total: int) -> None:
        seen.append((stage, done))
        if stage == "single-frame: training" and done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(out, "bits-2", "single-frame", watch=stop)
    assert list(json.loads(out.read_text())["rows"]) == ["bits-2"]
    assert not list(tmp_path.glob(".*"))
    seen.clear()
    table = run(out, "bits-2", "single-frame", watch=lambda stage, done, total: seen.append((stage, done)))
    assert [done for stage, done in seen if stage.endswith("training")] == [2]
    whole = run(tmp_path / "whole.json", "single-frame").rows["single-frame"]
    assert {k: v for k, v in whole.items() if "seconds" not in k and k != "training"} == {
        k: v for k, v in table.rows["single-frame"].items() if "seconds" not in k and k != "training"
    }


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    with pytest.raises(BitpuppetError, match="no row 'bits-3'; choose among bits-2"):
        run(out, "bits-2", "bits-3")
    with pytest.raises(BitpuppetError, match="no row is named"):
        run(out)
    with pytest.raises(BitpuppetError, match="puppets-only"):
        run_ablation(out, rows=["bits-2"], settings=Settings(steps=1))
    with pytest.raises(BitpuppetError, match="cannot be written"):
        run(tmp_path / "nowhere" / "table.json", "bits-2")
    out.write_text("[]")
    with pytest.raises(BitpuppetError, match="not a table"):
        run(out, "bits-2")
    out.write_text(json.dumps({"settings": Settings(steps=7).to_json(), "rows": {}}))
    with pytest.raises(BitpuppetError, match="another budget"):
        run(out, "bits-2")
    for wrong in ({"steps": 0}, {"pairs": 0}, {"clips": 0}, {"seed": -1}):
        with pytest.raises(BitpuppetError, match="change it"):
            Settings(**wrong)


def test_a_row_on_sprites_has_all_figures(tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training, test = split_characters()
    monkeypatch.setattr(probes, "split_characters", lambda: (training[:30], test[:12]))
    judge = Judge(JudgeNetwork(HEADS).eval(), dict(HEADS), {})
    monkeypatch.setattr(ablation_data, "open_sprites_judge", lambda root, tell: judge)
    settings = Settings(steps=1, pairs=2, clips=1)
    table = run_ablation(tmp_path / "t.json", rows=["bits-8"], settings=settings, data=data_folder, cpu=True)
    row = table.rows["bits-8"]
    for key in ("motion", "attributes", "within_16", "alpha_iou", "hard_bits", "soft_bits", "attribute_leak"):
        assert np.isfinite(row[key]), key
    assert row["attributes"] == pytest.approx(np.mean([row[name] for name in ("skin", "bottom", "top", "hair")]))
    assert {reading["source"] for reading in row["readings"]} == {"motion tokens", "content queries"}
    assert "±" in "".join(str(cell) for column in table.to_table().columns for cell in column.cells)


def test_rendered_characters_have_rows_of_their_own(
    tmp_path: Path, rendered_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge(JudgeNetwork({"motion": 4}).eval(), {"motion": 4}, {"motion": 1.0})
    monkeypatch.setattr(rendered, "open_rendered_judge", lambda folder, watch: judge)
    settings = replace(QUICK, puppets_only=False, rendered=True, pairs=2)
    table = run_ablation(tmp_path / "t.json", rows=["single-frame"], settings=settings, data=rendered_root, cpu=True)
    row = table.rows["single-frame"]
    assert {"motion", "psnr", "soft_iou", "hard_bits", "training", "seconds"} <= set(row)
    headings = [str(column.header) for column in table.to_table().columns]
    assert headings == ["row", "motion", "soft IoU", "dB", "hard"]
    assert set(ROWS_RENDERED) < set(ROWS) and table.settings["rendered"] is True
    with pytest.raises(BitpuppetError, match="another budget"):
        run(tmp_path / "t.json", "bits-2")
    with pytest.raises(BitpuppetError, match="exclude each other"):
        Settings(puppets_only=True, rendered=True)
    with pytest.raises(BitpuppetError, match=r"rendered\.json"):
        run_ablation(tmp_path / "n.json", rows=["bits-4"], settings=settings, data=tmp_path, cpu=True)
