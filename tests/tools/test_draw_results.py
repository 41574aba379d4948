"""Tables and plots of docs/results.md."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
SPRITES: dict[str, Any] = {
    "reports": [
        {
            "set": "sprites",
            "settings": {"steps": 4, "content_frames": 8},
            "product": {"joint": 0.99, "exact": 0.8, "within_16": 0.9, "alpha_iou": 0.75},
            "ceiling": {"joint": 1.0, "exact": 1.0},
            "parts": {"hair": 0.9, "hair edges": 0.7},
            "hard_bits": 11.5,
        },
        {"set": "puppets", "settings": {}, "product": {"exact": 0.5, "within_16": 0.6}, "ceiling": {}},
    ],
    "sweep": [
        {"settings": {"steps": s, "content_frames": n}, "product": {"exact": 0.8, "within_16": 0.9}}
        for s, n in ((1, 8), (4, 8), (4, 1))
    ],
    "sweep_held_out": [
        {"set": "puppets", "settings": {"content_frames": n}, "product": {"exact": share, "within_16": share}}
        for n, share in ((8, 0.5), (64, 0.625))
    ],
}
EXTENSION: dict[str, Any] = {
    "reports": [
        {"set": "puppets", "product": {"loops_closed": 0.984, "loop_seam": 2.1}, "drawn": {"loops_closed": 0.969}}
    ]
}
ABLATION = {
    "rows": {
        name: {
            "words": name,
            "target_bits": bits,
            "motion": 0.5,
            "hard_bits": bits,
            "soft_bits": bits,
            "attribute_leak": 0.031,
            "attribute_leak_error": 0.012,
        }
        for name, bits in (("bits-2", 2.0), ("bits-12", 12.0), ("no-cross-driving", 12.0))
    }
}
PROBES = {
    "readings": [
        {"source": "motion tokens", "target": t, "accuracy": 0.2, "chance": 1 / 6, "error": 0.01, "advantage": 0.033}
        for t in ("skin", "attributes")
    ]
}

CUSTOM = {
    "families": [
        {
            "family": "cats",
            "frames": 7,
            "minutes": 12.0,
            "figures": {
                way: {"exact": 0.5, "union_exact": 0.4, "alpha_iou": 0.9, "psnr_on_black": 20.0}
                for way in ("trained", "zero_shot", "lent", "neighbour", "still", "ceiling")
            },
        }
    ]
}


PIXELS = {
    "reports": [
        {
            "set": name,
            "steps": [
                {"steps": "as drawn", "exact": exact, "mended": 0, "spoilt": 0},
                {"steps": "and patterns", "exact": exact, "mended": 7, "spoilt": 12},
            ],
        }
        for name, exact in (("sprites", 0.9985), ("puppets", 0.49421))
    ]
}


def compare(name: str, **figures: float) -> dict[str, Any]:
    columns = {"model": figures, "still frame": figures, "true frames": {"motion": 1.0} if "motion" in figures else {}}
    return {"set": name, "columns": columns, "rate": {"hard_bits": 11.5}}


HEADS = {"reports": [compare(name, self_motion_error=0.03, self_identity=0.7) for name in ("known", "unknown")]}
RENDER = {"reports": [compare("rendered characters", motion=0.95, psnr=24.0, soft_iou=0.95)]}
BOUNDS = {"reports": [{"set": "puppets", "colours": 0.99, "frame": 0.4, "blocks": {"0": 0.5, "2": 0.7}}]}
SERVICE = {"device": "cpu", "steps": 4, "overhead_seconds": 0.01, "overhead_percent": 3.21}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_results", CHECKOUT / "tools" / "draw_results.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def docs(tmp_path: Path, script: ModuleType) -> Path:
    markers = "\n".join(f"<!-- results: {name} -->\nold {name}\n<!-- /results: {name} -->" for name in script.TABLES)
    (tmp_path / "results.md").write_text(f"# Results\n{markers}\nend\n")
    (tmp_path / "results").mkdir()
    files = {"sprites": SPRITES, "ablation": ABLATION, "probes": PROBES, "speed": {"threads": 2}, "service": SERVICE}
    files |= {"custom": CUSTOM, "heads": HEADS, "render": RENDER, "ablation-render": ABLATION, "bounds": BOUNDS}
    files |= {"pixels": PIXELS}
    files["extend"] = EXTENSION
    for name, values in files.items():
        (tmp_path / "results" / f"{name}.json").write_text(json.dumps(values))
    return tmp_path


def test_tables_are_filled(script: ModuleType, docs: Path) -> None:
    assert script.main(["--docs", str(docs), "--no-plots"]) == 0
    text = (docs / "results.md").read_text()
    assert "old" not in text and text.endswith("end\n")
    assert "| all five right (joint) | 99.0 % |  | 100.0 % |" in text
    assert "| foreground exactly right | 80.0 % | 50.0 % | 100.0 % |" in text
    assert "| alpha IoU | 0.750 |  |  |" in text
    assert "| hair edges | 70.0 % |" in text
    assert "| best blocks, at their place | 50.0 % |\n| best blocks, up to 2 pixels away | 70.0 % |" in text
    assert "| and patterns | 99.850 % | 7, 12 | 49.421 % | 7, 12 |" in text
    assert "| bits-2 | 2 | 50.0 % | 2.0 | 2.0 | +3.1 ± 1.2 |" in text
    assert "| motion tokens | skin | 20.0 % | 16.7 % | +3.3 ± 1.0 |" in text
    assert "| content frames | 8 | 64 |" in text
    assert "| held-out puppets: foreground exactly right | 50.0 % | 62.5 % |" in text
    assert "| loops closed | 98.4 % |\n| loops closed without keeping given frames | 96.9 % |" in text
    assert "| 4 | 1 |" in text and "| threads | 2 |" in text
    assert "| overhead | 0.0100 s, 3.2 % | at most 5 % or 15 ms |" in text
    assert "| **cats**, 7 frames, 12 min | trained | 50.0 % | 40.0 % |  |  | 0.900 | 20.0 |" in text
    assert "|  | base weights | 50.0 % |" in text and "the true frames" not in text
    assert "|  | known: model | still frame | true frames | unknown: model | still frame | true frames |" in text
    assert "| motion error, own person | 0.030 | 0.030 |  | 0.030 | 0.030 |  |" in text
    assert "| hard bits a frame | 11.5 |  |  | 11.5 |  |  |" in text
    assert "| motion judged right | 95.0 % | 95.0 % | 100.0 % |" in text
    assert (
        "| sampling steps of each job | 4 |  |" in text
        and "| jobs a second of clients |" not in text
        and "| memory growth from 100 to 1,000 jobs |  | below 2 % |" in text
    )
    script.main(["--docs", str(docs), "--no-plots"])
    assert (docs / "results.md").read_text() == text, "filling again changes nothing"


def test_what_is_missing_stays_and_is_named(script: ModuleType, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "results" / "probes.json").unlink()
    (docs / "results" / "sprites.json").write_text(json.dumps({"reports": SPRITES["reports"]}))
    assert script.main(["--docs", str(docs), "--no-plots"]) == 1
    text = (docs / "results.md").read_text()
    assert "old probes" in text and "old sweep" in text and "old sprites" not in text
    told = capsys.readouterr().err
    assert "probes.json" in told and "sprites.json" in told and "speed.json" not in told


def test_lost_markers_are_an_error(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="no markers <!-- results: sweep -->"):
        script.fill_table("text", "sweep", "table")


def test_the_page_has_all_markers_and_shows_all_plots(script: ModuleType) -> None:
    text = (CHECKOUT / "docs" / "results.md").read_text(encoding="utf-8")
    for name in script.TABLES:
        assert script.fill_table(text, name, "table") != text
    for name in script.PLOTS:
        assert f"images/{name}" in text


def test_plots_are_drawn(script: ModuleType, docs: Path) -> None:
    pytest.importorskip("matplotlib")
    assert script.main(["--docs", str(docs)]) == 0
    images = {file.name: file.read_bytes() for file in (docs / "images").iterdir()}
    assert set(images) == set(script.PLOTS)
    assert all(data.startswith(b"\x89PNG") for data in images.values())
    script.main(["--docs", str(docs)])
    assert {file.name: file.read_bytes() for file in (docs / "images").iterdir()} == images
