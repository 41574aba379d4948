"""The tables of docs/results.md, from what the commands that measure wrote; `draw_results.py` fills them in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Values = Mapping[str, Any]

SETS = {"sprites": "Sprites test characters", "garments": "held-out garments", "puppets": "held-out puppets"}
FIGURES = {
    # key: (words, how it is written)
    "joint": ("all five right (joint)", "%"),
    "motion": ("motion, of 9", "%"),
    "skin": ("skin, of 6", "%"),
    "bottom": ("bottom, of 6", "%"),
    "top": ("top, of 6", "%"),
    "hair": ("hair, of 6", "%"),
    "inception_score": ("inception score, of 9", "{:.3f}"),
    "intra_entropy": ("intra-entropy H(y given x), nats", "{:.4f}"),
    "inter_entropy": ("inter-entropy H(y), nats", "{:.4f}"),
    "exact": ("foreground exactly right", "%"),
    "within_16": ("foreground within 16 levels", "%"),
    "union_within_16": ("the same over the union of both silhouettes", "%"),
    "alpha_iou": ("alpha IoU", "{:.3f}"),
    "perfect_frames": ("perfect frames", "%"),
    "psnr_on_black": ("PSNR on black, dB", "{:.1f}"),
    "flicker": ("flicker", "%"),
    "hard_bits": ("hard bits per frame", "{:.2f}"),
    "soft_bits": ("soft bits per frame", "{:.2f}"),
    "coded_bits": ("coded bits per frame", "{:.2f}"),
    "packed_bits": ("packed bits per frame", "{:.2f}"),
    "seconds_per_strip": ("seconds a strip of 8", "{:.2f}"),
}
SWEPT = ("joint", "motion", "within_16", "exact", "perfect_frames", "seconds_per_strip")
SHOWN_OF_SHEETS = ("exact", "within_16", "alpha_iou", "flicker")
EXTENDED = (
    # part of the report, key, words, how it is written
    ("product", "windows_right", "judge: same motion, windows of 8 at whole cycles", "%"),
    ("product", "windows_right_true", "the same of the true cycle", "%"),
    ("product", "loops_closed", "loops closed", "%"),
    ("drawn", "loops_closed", "loops closed without keeping given frames", "%"),
    ("product", "loop_seam", "mean seam, levels", "{:.1f}"),
    ("product", "loop_largest_inside", "mean largest step inside, levels", "{:.1f}"),
    ("product", "copied_frames", "new frames that are given frames again", "%"),
)
ABLATED = {
    "target_bits": ("target bits", "{:g}"),
    "motion": ("motion", "%"),
    "attributes": ("attributes, mean of 4", "%"),
    "within_16": ("within 16", "%"),
    "alpha_iou": ("alpha IoU", "{:.3f}"),
    "soft_iou": ("soft alpha IoU", "{:.3f}"),
    "psnr": ("PSNR, dB", "{:.1f}"),
    "hard_bits": ("hard bits", "{:.1f}"),
    "soft_bits": ("soft bits", "{:.1f}"),
    "attribute_leak": ("attributes in motion tokens", "±"),
    "motion_leak": ("motion in content", "±"),
}


def write_value(values: Values, key: str, form: str) -> str:
    """One cell; empty where the value is missing."""
    value = values.get(key)
    if value is None:
        return ""
    if form == "±":
        return f"{100 * value:+.1f} ± {100 * values[f'{key}_error']:.1f}"
    return f"{100 * value:.1f} %" if form == "%" else form.format(value)


def tabulate(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tabulate_sprites(values: Values) -> str:
    """Figures of the product on all sets, and what true targets get."""
    reports = values["reports"]
    columns = [{**report, **report["product"]} for report in reports]
    rows = [
        [words, *(write_value(column, key, form) for column in columns), write_value(reports[0]["ceiling"], key, form)]
        for key, (words, form) in FIGURES.items()
        if any(key in column for column in columns)
    ]
    return tabulate(["", *(SETS.get(r["set"], r["set"]) for r in reports), "true Sprites targets"], rows)


def tabulate_parts(values: Values) -> str:
    """Exactly right pixels of each part of the characters, where layers tell the parts."""
    reports = [report for report in values["reports"] if "parts" in report]
    names = list(dict.fromkeys(name for report in reports for name in report["parts"]))
    rows = [[name, *(write_value(report["parts"], name, "%") for report in reports)] for name in names]
    return tabulate(["", *(SETS.get(r["set"], r["set"]) for r in reports)], rows)


def tabulate_bounds(values: Values) -> str:
    """What content frames show, a column for each set."""
    reports = values["reports"]
    rows = [
        ["in a colour that they have", *(write_value(report, "colours", "%") for report in reports)],
        ["best frame, at its place", *(write_value(report, "frame", "%") for report in reports)],
    ]
    for reach in reports[0]["blocks"]:
        words = f"best blocks, up to {reach} pixels away" if int(reach) else "best blocks, at their place"
        rows.append([words, *(write_value(report["blocks"], reach, "%") for report in reports)])
    return tabulate(["", *(SETS.get(r["set"], r["set"]) for r in reports)], rows)


def tabulate_pixels(values: Values) -> str:
    """What steps to exact pixels do to each set: pixels exactly right, and those that a step mends and spoils."""
    reports = values["reports"]
    headings = ["steps"]
    for report in reports:
        headings += [SETS.get(report["set"], report["set"]), "mended, spoilt"]
    rows = []
    for choices in zip(*(report["steps"] for report in reports), strict=True):
        cells = [str(choices[0]["steps"])]
        for choice in choices:
            cells += [f"{100 * choice['exact']:.3f} %", f"{choice['mended']}, {choice['spoilt']}"]
        rows.append(cells)
    return tabulate(headings, rows)


def tabulate_sweep(values: Values) -> str:
    """Quality and time against sampling steps and content frames."""
    rows = []
    for report in values["sweep"]:
        column, used = {**report, **report["product"]}, report["settings"]
        cells = [write_value(column, key, FIGURES[key][1]) for key in SWEPT]
        rows.append([str(used["steps"]), str(used["content_frames"]), *cells])
    return tabulate(["steps", "content frames", *(FIGURES[key][0] for key in SWEPT)], rows)


def tabulate_sheets(values: Values) -> str:
    """Quality of held-out characters against content frames."""
    swept = values["sweep_held_out"]
    kinds = list(dict.fromkeys(report["set"] for report in swept))
    counts = list(dict.fromkeys(report["settings"]["content_frames"] for report in swept))
    found = {(report["set"], report["settings"]["content_frames"]): report["product"] for report in swept}
    rows = []
    for kind in kinds:
        for key in SHOWN_OF_SHEETS:
            words, form = FIGURES[key]
            cells = [write_value(found[kind, count], key, form) for count in counts]
            rows.append([f"{SETS.get(kind, kind)}: {words}", *cells])
    return tabulate(["content frames", *map(str, counts)], rows)


def tabulate_extension(values: Values) -> str:
    """Continuations and loops of all sets."""
    reports = values["reports"]
    rows = [
        [words, *(write_value(report[part], key, form) for report in reports)]
        for part, key, words, form in EXTENDED
        if any(key in report[part] for report in reports)
    ]
    return tabulate(["", *(SETS.get(r["set"], r["set"]) for r in reports)], rows)


def tabulate_ablation(values: Values) -> str:
    """One line for each small model; figures that none of them has are left out."""
    found = values["rows"].values()
    shown = {key: told for key, told in ABLATED.items() if any(key in row for row in found)}
    rows = [[row["words"], *(write_value(row, key, form) for key, (_, form) in shown.items())] for row in found]
    return tabulate(["row", *(words for words, _ in shown.values())], rows)


def tabulate_probes(values: Values) -> str:
    """One line for each thing that was read."""
    rows = [
        [
            r["source"],
            r["target"],
            f"{100 * r['accuracy']:.1f} %",
            f"{100 * r['chance']:.1f} %",
            f"{100 * r['advantage']:+.1f} ± {100 * r['error']:.1f}",
        ]
        for r in values["readings"]
    ]
    return tabulate(["read from", "what", "accuracy", "chance", "points above chance"], rows)


def tabulate_speed(values: Values) -> str:
    """What `bench model` printed."""
    return tabulate(["figure", "value"], [[name.replace("_", " "), str(value)] for name, value in values.items()])


SERVICE = (
    # (what, how it is written, target)
    ("sampling steps of each job", "{steps}", ""),
    ("one job in process, s", "{in_process_seconds:.3f}", ""),
    ("the same job through the service, s", "{served_seconds:.3f}", ""),
    ("overhead", "{overhead_seconds:.4f} s, {overhead_percent:.1f} %", "at most 5 % or 15 ms"),
    ("jobs a second in process, batched where that gains", "{in_process_jobs_a_second:.2f}", ""),
    ("jobs a second through the service", "{served_jobs_a_second:.2f}, {clients} clients", ""),
    ("the same against in process", "{throughput_share:.0%}", "at least 90 %"),
    ("memory growth from 100 to 1,000 jobs", "{memory_growth_percent:.2f} %", "below 2 %"),
    ("from submit to the first preview, s", "{submit_to_first_preview_seconds:.3f}", ""),
    ("from cancel to stop, s", "{cancel_to_stop_seconds:.3f} (worst {cancel_to_stop_seconds_worst:.3f})", "one step"),
)


def tabulate_service(values: Values) -> str:
    """What `bench serve` printed, beside what was asked for; what it left out is empty."""
    rows = []
    for words, form, target in SERVICE:
        try:
            value = form.format(**values)
        except KeyError:  # `bench serve` was told to leave it out
            value = ""
        rows.append([words, value, target])
    return tabulate(["", f"on {values['device']}", "target"], rows)


CUSTOM = {
    # way: words
    "trained": "trained",
    "neighbour": "base line: neighbour, recoloured",
    "zero_shot": "base weights",
    "still": "first given frame, held",
    "lent": "bank alone",
}
CUSTOM_FIGURES = {
    "exact": ("exactly right", "%"),
    "union_exact": ("of both silhouettes", "%"),
    "within_16": ("within 16", "%"),
    "union_within_16": ("of both silhouettes", "%"),
    "alpha_iou": ("alpha IoU", "{:.3f}"),
    "psnr_on_black": ("PSNR, dB", "{:.1f}"),
}


def tabulate_custom(values: Values) -> str:
    """A line for each family and way."""
    rows = []
    for family in values["families"]:
        for number, (way, words) in enumerate(CUSTOM.items()):
            name = "" if number else f"**{family['family']}**, {family['frames']} frames, {family['minutes']:g} min"
            found = family["figures"][way]
            rows.append([name, words, *(write_value(found, key, form) for key, (_, form) in CUSTOM_FIGURES.items())])
    return tabulate(["family", "", *(words for words, _ in CUSTOM_FIGURES.values())], rows)


COMPARED = {
    "motion": ("motion judged right", "%"),
    "psnr": ("PSNR on black, dB", "{:.1f}"),
    "soft_iou": ("soft alpha IoU", "{:.3f}"),
    "self_motion_error": ("motion error, own person", "{:.3f}"),
    "self_pose_error_degrees": ("pose error, degrees", "{:.1f}"),
    "self_identity": ("identity, own person", "{:.3f}"),
    "self_psnr": ("PSNR, dB", "{:.1f}"),
    "self_flicker": ("flicker", "{:.1f}"),
    "cross_motion_error": ("motion error, another person drives", "{:.3f}"),
    "cross_pose_error_degrees": ("pose error, another person drives", "{:.1f}"),
    "cross_identity": ("identity, another person drives", "{:.3f}"),
    "faces_found": ("faces found", "%"),
    "hard_bits": ("hard bits a frame", "{:.1f}"),
    "coded_bits": ("coded bits a frame", "{:.1f}"),
    "kbit_per_second": ("kbit/s", "{:.2f}"),
}


def tabulate_comparisons(values: Values) -> str:
    """The model beside base lines; sets stand side by side."""
    headings, columns = [""], []
    for report in values["reports"]:
        for number, (name, column) in enumerate(report["columns"].items()):
            headings.append(f"{report['set']}: {name}" if number == 0 else name)
            columns.append({**column, **report["rate"]} if number == 0 else column)
    rows = [
        [words, *(write_value(column, key, form) for column in columns)]
        for key, (words, form) in COMPARED.items()
        if any(key in column for column in columns)
    ]
    return tabulate(headings, rows)


TABLES: Mapping[str, tuple[str, Callable[[Values], str]]] = {
    # marker: (file, how it becomes a table)
    "sprites": ("sprites.json", tabulate_sprites),
    "parts": ("sprites.json", tabulate_parts),
    "bounds": ("bounds.json", tabulate_bounds),
    "pixels": ("pixels.json", tabulate_pixels),
    "sweep": ("sprites.json", tabulate_sweep),
    "sheets": ("sprites.json", tabulate_sheets),
    "extend": ("extend.json", tabulate_extension),
    "ablation": ("ablation.json", tabulate_ablation),
    "probes": ("probes.json", tabulate_probes),
    "speed": ("speed.json", tabulate_speed),
    "service": ("service.json", tabulate_service),
    "custom": ("custom.json", tabulate_custom),
    "heads": ("heads.json", tabulate_comparisons),
    "render": ("render.json", tabulate_comparisons),
    "ablation-render": ("ablation-render.json", tabulate_ablation),
}

_ASKED_FOR: Mapping[str, str] = {"sweep": "sweep", "sheets": "sweep_held_out", "sweep.png": "sweep"}
"""Tables and plots of what a command measures only when asked to, and where that stands in its file."""


def is_measured(name: str, values: Values) -> bool:
    """Whether a file holds what a table or plot shows."""
    return name not in _ASKED_FOR or _ASKED_FOR[name] in values


def fill_table(text: str, name: str, table: str) -> str:
    """Put a table between its markers.

    Raises:
        ValueError: the markers are not there.
    """
    begin, end = f"<!-- results: {name} -->", f"<!-- /results: {name} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no markers {begin} ... {end}")
    return pattern.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text, count=1)
