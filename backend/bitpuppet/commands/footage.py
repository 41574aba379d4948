"""`bitpuppet eval heads` and `bitpuppet eval render`: presets for videos and for rendered characters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.pictures import make_folder

if TYPE_CHECKING:
    from bitpuppet.evaluation.comparison import Comparison


def heads(
    data: Annotated[Path | None, typer.Option(help="Folder of videos. Default: heads/ in the data folder.")] = None,
    clips: Annotated[int, typer.Option(help="Held-out clips of known people, and as many of unknown ones.")] = 16,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    preset: options.Preset = "heads",
    weights: options.Weights = None,
    device: options.Device = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder for contact sheets.")] = None,
    as_json: options.Json = False,
) -> None:
    """Let clips that training did not see drive their own person and others; compare faces and pictures."""
    from bitpuppet.data.folder import require_data
    from bitpuppet.data.heads import list_heads, split_heads

    folder = data or require_data("eval heads", "heads") / "heads"
    split = split_heads(list_heads(folder))
    make_folder(pictures)
    from bitpuppet.evaluation.faces import BundledMeter

    meter = BundledMeter()
    engine, _ = options.load_engine(preset, weights, device)
    from bitpuppet.evaluation.heads import Kind, evaluate_heads

    kinds: list[Kind] = ["known", "unknown"] if split.unknown else ["known"]
    with options.show_measuring() as watch:
        found = [
            evaluate_heads(
                engine, folder, meter, kind, clips=clips, seed=seed, steps=steps, pictures=pictures, watch=watch
            )
            for kind in kinds
        ]
    _print(found, as_json)


def render(
    data: Annotated[Path | None, typer.Option(help="Folder of characters of tools/render_characters.py.")] = None,
    pairs: Annotated[int, typer.Option(help="Random pairs of the characters that are for tests.")] = 280,
    content_frames: Annotated[int, typer.Option(help="Frames of the character that the model sees, 1 to 64.")] = 8,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    preset: options.Preset = "render64",
    weights: options.Weights = None,
    device: options.Device = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder for a contact sheet.")] = None,
    as_json: options.Json = False,
) -> None:
    """Retarget rendered characters that training never showed, and compare with what Blender rendered.

    The first run on a folder trains the judge, a small classifier of motions, on true frames, and keeps it.
    """
    if data is None:
        raise BitpuppetError("eval render needs rendered characters; name their folder with --data")
    from bitpuppet.evaluation.swaps import check_content_frames

    check_content_frames(content_frames)
    make_folder(pictures)
    engine, _ = options.load_engine(preset, weights, device)
    from bitpuppet.evaluation.rendered import evaluate_rendered

    with options.show_measuring() as watch:
        found = evaluate_rendered(
            engine,
            data,
            pairs=pairs,
            seed=seed,
            steps=steps,
            content_frames=content_frames,
            pictures=pictures,
            watch=watch,
        )
    _print([found], as_json)


def _print(found: list[Comparison], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"reports": [one.to_json() for one in found]}, allow_nan=False))
        return
    from rich.console import Console

    for one in found:
        Console().print(one.to_table())
