"""Fill the tables of docs/results.md and draw its plots: `python tools/draw_results.py`.

The figures come from docs/results/, where docs/results.md says which command writes which JSON file. Tables stand
between `<!-- results: NAME -->` and `<!-- /results: NAME -->`; where a file is missing, its part stays as it is.
Plots need matplotlib (`pip install 'bitpuppet[docs]'`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # also where this file is imported
from result_tables import COMPARED, SETS, TABLES, Values, fill_table, is_measured, write_value

DOCS = Path(__file__).parent.parent / "docs"


def draw_ablation(values: Values, path: Path) -> None:
    """Accuracy, hard bits and leakage against the target bitrate."""
    rows = [row for name, row in values["rows"].items() if name.startswith("bits-")]
    bits = [row["target_bits"] for row in rows]
    figure, (left, middle, right) = _make_figure(3)
    for key, words in (("motion", "motion"), ("attributes", "attributes"), ("within_16", "pixels within 16")):
        if all(key in row for row in rows):
            left.plot(bits, [100 * row[key] for row in rows], marker="o", label=words)
    left.set(title="frames as drawn", ylabel="right, %")
    middle.plot(bits, bits, color="grey", linestyle=":", label="target")
    middle.plot(bits, [row["hard_bits"] for row in rows], marker="o", label="hard")
    middle.plot(bits, [row["soft_bits"] for row in rows], marker="s", label="soft")
    middle.set(title="entropy of the motion tokens", ylabel="bits a frame", yscale="log")
    for key, words in (("attribute_leak", "attributes in motion tokens"), ("motion_leak", "motion in content")):
        if all(key in row for row in rows):
            errors = [100 * row[f"{key}_error"] for row in rows]
            right.errorbar(bits, [100 * row[key] for row in rows], errors, marker="o", capsize=3, label=words)
    right.axhline(0, color="grey", linestyle=":")
    right.set(title="leakage", ylabel="points above chance")
    for axes in (left, middle, right):
        axes.set(xlabel="target, bits a frame", xscale="log", xticks=bits, xticklabels=[f"{b:g}" for b in bits])
        axes.minorticks_off()
        axes.legend()
    _save(figure, path)


def draw_sweep(values: Values, path: Path) -> None:
    """Pixels against steps, and against content frames."""
    usual = values["reports"][0]["settings"]
    figure, pair = _make_figure(2)
    for axes, key, other in zip(pair, ("steps", "content_frames"), ("content_frames", "steps"), strict=True):
        reports = [report for report in values["sweep"] if report["settings"][other] == usual[other]]
        reports.sort(key=lambda report: report["settings"][key])
        counts = [report["settings"][key] for report in reports]
        for figure_key, words in (("exact", "exactly right"), ("within_16", "within 16")):
            shares = [100 * report["product"][figure_key] for report in reports]
            axes.plot(counts, shares, marker="o", label=words)
        for kind in SETS if key == "content_frames" else ():
            swept = [report for report in values.get("sweep_held_out", ()) if report["set"] == kind]
            if swept:
                shown = [report["settings"][key] for report in swept]
                shares = [100 * report["product"]["within_16"] for report in swept]
                axes.plot(shown, shares, marker="o", label=f"{SETS[kind]}, within 16")
        axes.set(xlabel=key.replace("_", " "), ylabel="foreground, %", xscale="log")
        axes.set(xticks=counts, xticklabels=[str(count) for count in counts])
        axes.minorticks_off()
        axes.legend()
    _save(figure, path)


def draw_probes(values: Values, path: Path) -> None:
    """What was read, beside chance."""
    readings = [r for r in values["readings"] if r["target"] != "attributes"]
    figure, (axes,) = _make_figure(1, width=9)
    places = range(len(readings))
    axes.bar(places, [100 * r["accuracy"] for r in readings], yerr=[100 * r["error"] for r in readings], capsize=3)
    for place, reading in zip(places, readings, strict=True):
        axes.hlines(100 * reading["chance"], place - 0.45, place + 0.45, color="black", linestyle=":")
    labels = [f"{r['target']}\nfrom {r['source']}" for r in readings]
    axes.set_xticks(list(places), labels, rotation=60, ha="right", fontsize=8)
    axes.set(ylabel="read right, %", title="dotted: chance")
    _save(figure, path)


def draw_comparisons(values: Values, path: Path) -> None:
    """Bars of the model and its base lines, one picture for each figure that sets them apart."""
    shown = ("motion", "psnr", "soft_iou", "self_motion_error", "cross_motion_error", "self_identity")
    reports = values["reports"]
    keys = [key for key in shown if any(key in report["columns"]["model"] for report in reports)]
    figure, parts = _make_figure(len(keys))
    for axes, key in zip(parts, keys, strict=True):
        words, form = COMPARED[key]
        scale = 100 if form == "%" else 1
        for number, report in enumerate(reports):
            found = {name: column[key] for name, column in report["columns"].items() if key in column}
            places = [place + 0.8 / len(reports) * number for place in range(len(found))]
            bars = axes.bar(places, [scale * v for v in found.values()], 0.8 / len(reports), label=report["set"])
            axes.bar_label(bars, [write_value(found, name, form) for name in found], fontsize=8)
            if number == 0:
                axes.set_xticks(places, list(found), rotation=25, ha="right")
        axes.set(title=words)
        axes.margins(y=0.25)  # room for the legend
        axes.legend(fontsize=8)
    _save(figure, path)


PLOTS: Mapping[str, tuple[str, Callable[[Values, Path], None]]] = {
    "ablation.png": ("ablation.json", draw_ablation),
    "sweep.png": ("sprites.json", draw_sweep),
    "probes.png": ("probes.json", draw_probes),
    "heads-figures.png": ("heads.json", draw_comparisons),
    "render-figures.png": ("render.json", draw_comparisons),
}


def _make_figure(count: int, width: float | None = None) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late: tables need no matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width or 4.6 * count, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, count, place + 1) for place in range(count)]


def _save(figure: Any, path: Path) -> None:
    partial = path.with_name(f".{path.stem}.partial.png")
    figure.savefig(
        partial, dpi=110, metadata={"Software": ""}
    )  # no version, so that the same figures are the same file
    os.replace(partial, path)


def read_values(folder: Path, name: str) -> Values | None:
    """A JSON file of the folder, or None where it is missing."""
    path = folder / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill docs/results.md and write docs/images; the status is 1 where a file was missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder with results.md, results/ and images/")
    parser.add_argument("--no-plots", action="store_true", help="tables alone, without matplotlib")
    options = parser.parse_args(arguments)
    page, folder = options.docs / "results.md", options.docs / "results"
    text, missing = page.read_text(encoding="utf-8"), set()
    for marker, (name, build) in TABLES.items():
        values = read_values(folder, name)
        if values is None or not is_measured(marker, values):
            missing.add(name)
        else:
            text = fill_table(text, marker, build(values))
    partial = page.with_name(f".{page.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, page)
    for name, (source, draw) in ({} if options.no_plots else PLOTS).items():
        values = read_values(folder, source)
        if values is not None and is_measured(name, values):
            (options.docs / "images").mkdir(exist_ok=True)
            draw(values, options.docs / "images" / name)
    for name in sorted(missing):
        print(f"{folder / name}: missing or incomplete; {page} says which command writes it", file=sys.stderr)
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
