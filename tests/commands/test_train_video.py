"""`bitpuppet train heads` and `train render64` at small sizes: they run, resume, and say what they lack."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from bitpuppet.model import preset
from bitpuppet.model.latent_codec import LatentCodec
from bitpuppet.sprites import Clip, write_gif
from bitpuppet.sprites.writer import write_sheet

from .runner import Bitpuppet, Refused

HEADS = replace(
    preset.PRESETS["heads"],
    canvas=32,
    latent_channels=4,
    stem_width=0,
    width=16,
    heads=2,
    encoder_blocks=1,
    denoiser_blocks=2,
    temporal_every=2,
    temporal_width=8,
    content_tokens=2,
    detail_frames=2,
    groups=2,
    codewords=4,
    bits_per_frame=3.0,
)


@pytest.fixture
def videos(folder: Path) -> Path:
    place = folder / "videos"
    place.mkdir()
    frames = np.full((20, 24, 24, 4), 255, dtype=np.uint8)
    for number in range(2):
        frames[..., 0] = (np.arange(20) * (number + 9))[:, None, None]
        write_gif(frames, place / f"{number}.gif", [40] * 20)
    return place


def test_heads_run_resume_and_draw(
    bitpuppet: Bitpuppet, videos: Path, autoencoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(preset.PRESETS, "heads", HEADS)  # type: ignore[arg-type]
    monkeypatch.setenv("BITPUPPET_CODEC", str(autoencoder_folder))
    shared = ("train", "heads", "--data", videos, "--latents", "latents", "--pairs", 2, "--cpu", "--out", "run")
    first = bitpuppet(*shared, "--steps", 1, "--bits", 2.5)
    assert first.status == 0, first.err
    assert len(list((videos.parent / "latents").iterdir())) == 4  # two clips, as they are and recoloured
    with safe_open(videos.parent / "run" / "heads.safetensors", framework="pt") as file:
        header = file.metadata()
    assert header["data"] == "2 people in clips" and header["codec"].endswith("-2")
    assert json.loads(header["preset"])["bits_per_frame"] == 2.5
    more = bitpuppet(*shared, "--steps", 2, "--bits", 2.5, "--resume")
    assert more.status == 0, more.err
    assert "after 2 steps" in more.out
    retarget = (
        *("retarget", "--preset", "heads", "--weights", "run/heads.safetensors", "--device", "cpu", "--json"),
        *("--content", videos / "0.gif", "--motion", videos / "1.gif", "--steps", 1),
    )
    drawn = bitpuppet(*retarget, "--out", "out.gif")
    assert drawn.status == 0, drawn.err
    locked = bitpuppet(*retarget, "--palette-lock", "--out", "locked.gif")
    assert json.loads(locked.out)["palette_size"] == 20, "where it is asked for"
    source = ("--weights", "run/heads.safetensors", "--device", "cpu")
    train = ("train-prior", "heads", "--data", videos, "--steps", 2, *source, "--out", "prior.safetensors")
    assert bitpuppet(*train).status == 0
    goes_on = bitpuppet(
        *("extend", "--preset", "heads", *source, "--prior", "prior.safetensors", "--steps", 1, "--json"),
        *("--motion", videos / "0.gif", "--frames", 3, "--out", "longer.gif"),
    )
    assert goes_on.status == 0, goes_on.err
    longer = json.loads(goes_on.out)
    assert (longer["frame"], longer["given_frames"], longer["new_frames"]) == ("32x32", 20, 3)
    monkeypatch.setattr(LatentCodec, "fingerprint", "of another one")
    other = bitpuppet(*retarget, "--out", "other.gif")
    assert other.status == 1 and "made with another image autoencoder" in other.err
    report = json.loads(drawn.out)
    assert report["frames"] == 20 and report["frame"] == "32x32" and report["palette_size"] is None


def test_render64_learns_from_rendered_characters(
    bitpuppet: Bitpuppet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = replace(preset.PRESETS["tiny"], name="render64", head="values", sampler="euler", patch=16)
    monkeypatch.setitem(preset.PRESETS, "render64", sizes)  # type: ignore[arg-type]
    root = folder / "rendered"
    root.mkdir()
    (root / "rendered.json").write_text(json.dumps({"size": 32, "actions": ["walk", "nod"], "directions": ["front"]}))
    for number in range(3):
        (root / f"000{number}").mkdir()
        for action in ("walk", "nod"):
            frames = np.zeros((4, 32, 32, 4), dtype=np.uint8)
            frames[:, 8:30, 8:20] = (80 * number, 10, 200, 128)
            write_sheet([Clip(frames)], root / f"000{number}" / f"{action}.png")
        (root / f"000{number}" / "character.json").write_text("{}")
    run = bitpuppet("train", "render64", "--data", root, "--steps", 2, "--pairs", 2, "--cpu", "--out", "run")
    assert run.status == 0, run.err
    source = ("--weights", "run/render64.safetensors", "--device", "cpu")
    prior = bitpuppet("train-prior", "render64", "--data", root, "--steps", 2, *source, "--out", "prior.safetensors")
    assert prior.status == 0, prior.err
    with safe_open(folder / "prior.safetensors", framework="pt") as file:
        assert file.metadata()["data"] == "rendered characters"


def test_what_is_missing_is_named(refused: Refused, videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BITPUPPET_CODEC", raising=False)
    monkeypatch.setenv("BITPUPPET_DATA", str(videos))
    assert "with --codec or BITPUPPET_CODEC" in refused("train", "heads", "--data", videos)
    assert "tools/render_characters.py" in refused("train", "render64", "--cpu", loads=True)
    assert "rendered characters; name a folder" in refused("train", "render64", "--puppets-only")
    out = ("--out", "prior.safetensors")
    assert "tools/render_characters.py" in refused("train-prior", "render64", *out)
    assert "knows no puppets; leave it out" in refused("train-prior", "heads", "--puppets-only", *out)
    assert "name their folder with --data" in refused("eval", "render")
