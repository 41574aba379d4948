"""Sample pictures of a run: a puppet performs another puppet's motion."""

from __future__ import annotations

from pathlib import Path

import torch

from bitpuppet.data.puppets import Motion, draw_clip
from bitpuppet.jobs.demo import DRIVING, pick_puppets
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.device import pick_dtype
from bitpuppet.sprites import collect_palette, place_clip, snap_frames, write_contact_sheet


def draw_samples(model: BitrateControlledDiffusion, path: Path) -> None:
    """Write a contact sheet of what the model draws, beside the true target, to `path` (PNG)."""
    device = next(model.parameters()).device
    engine = Engine(model, device, pick_dtype(device))
    rows = []
    state = torch.get_rng_state()  # samples must not change what training draws next
    for seed in range(3):
        hero, actor = pick_puppets(seed)
        content, _ = place_clip(draw_clip(hero, Motion("walk", "down")), model.preset.canvas)
        driving, _ = place_clip(draw_clip(actor, DRIVING), model.preset.canvas)
        truth, _ = place_clip(draw_clip(hero, DRIVING), model.preset.canvas)
        drawn = snap_frames(engine.retarget(content, driving).frames, collect_palette(content))
        rows += [(f"motion {seed}", driving), ("drawn", drawn), ("true target", truth)]
    torch.set_rng_state(state)
    write_contact_sheet(rows, path, scale=2)
