"""`bitpuppet train paper`: both stages at small sizes, and what does not go together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.model import preset
from bitpuppet.sprites import write_gif

from .runner import Bitpuppet, Refused

SMALL = replace(
    preset.PRESETS["paper"],
    canvas=32,
    clip_frames=4,
    width=16,
    heads=2,
    encoder_width=16,
    encoder_heads=2,
    encoder_blocks=1,
    denoiser_blocks=2,
    temporal_width=8,
    temporal_reach=2,
    content_tokens=2,
    groups=2,
    codewords=4,
)


@pytest.fixture
def clips(folder: Path) -> Path:
    """Two clips of eight frames and a short one."""
    place = folder / "clips"
    place.mkdir()
    puppet = make_puppet(3, plan="biped", size=32)
    for number, motion in enumerate(puppet.motions[:2]):
        write_gif(draw_clip(puppet, motion), place / f"{number}.gif", [100] * 8)
    write_gif(draw_clip(puppet, puppet.motions[2])[:2], place / "short.gif", [100] * 2)
    return place


def test_both_stages_run(
    bitpuppet: Bitpuppet, clips: Path, autoencoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(preset.PRESETS, "paper", SMALL)  # type: ignore[arg-type]
    shared = ("train", "paper", "--codec", autoencoder_folder, "--data", clips, "--latents", "latents", "--pairs", 2)
    first = bitpuppet(*shared, "--steps", 1, "--cpu", "--out", "one")
    assert first.status == 0, first.err
    assert "1 of 3 clips are shorter than 4 frames" in first.err
    second = bitpuppet(
        *shared, "--steps", 1, "--cpu", "--out", "two", "--temporal", "--start-from", "one/paper.safetensors"
    )
    assert second.status == 0, second.err
    with safe_open(clips.parent / "two" / "paper.safetensors", framework="pt") as file:
        header, names = file.metadata(), set(file.keys())
    assert header["data"] == "clips" and json.loads(header["preset"])["name"] == "paper"
    assert "denoiser.temporal_blocks.1.distances" in names and not any("codec" in name for name in names)
    assert len(list((clips.parent / "latents").iterdir())) == 2  # of the clips, which the second run finds there
    more = bitpuppet(*shared, "--steps", 2, "--cpu", "--out", "two", "--temporal", "--resume")
    assert more.status == 0, more.err
    assert "after 2 steps" in more.out


def test_what_does_not_go_together_is_named(refused: Refused, clips: Path, autoencoder_folder: Path) -> None:
    assert "name its folder with --codec" in refused("train", "paper", "--data", clips)
    assert "learns from clips" in refused("train", "paper", "--codec", autoencoder_folder)
    assert "--puppets-only" in refused("train", "paper", "--codec", autoencoder_folder, "--puppets-only")
    assert "leave it out" in refused("train", "tiny", "--codec", autoencoder_folder)
    assert "none of its 3 clips has 50 frames" in refused(
        "train", "paper", "--codec", autoencoder_folder, "--data", clips
    )
    assert "no image autoencoder here" in refused("train", "paper", "--codec", clips, "--data", make_long(clips))
    grey = ("--background", "grey")
    assert "black or white" in refused("train", "paper", "--data", clips, *grey, status=2)


def make_long(clips: Path) -> Path:
    """A folder with one clip of 50 frames."""
    place = clips.parent / "long"
    if not place.exists():
        place.mkdir()
        puppet = make_puppet(3, plan="biped", size=16)
        frames = draw_clip(puppet, puppet.motions[1], 50)
        frames[:, 0, 0] = [[number, 0, 0, 255] for number in range(50)]  # a GIF joins frames that are the same
        write_gif(frames, place / "long.gif", [100] * 50)
    return place
