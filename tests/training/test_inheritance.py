"""What a model takes over from another preset's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bitpuppet.data.mixture import make_mixture
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS, Preset
from bitpuppet.model.weights import save_weights
from bitpuppet.training.inheritance import inherit, spread_blocks
from bitpuppet.training.loop import Trainer
from bitpuppet.training.recipe import Recipe

TINY = PRESETS["tiny"]
LARGER = replace(TINY, name="larger", denoiser_blocks=6, encoder_blocks=3)
HEIR = replace(TINY, name="heir", denoiser_blocks=4, encoder_blocks=1, head="values", sampler="euler")


def make_model(preset: Preset, seed: int) -> BitrateControlledDiffusion:
    torch.manual_seed(seed)
    return BitrateControlledDiffusion(preset)


@pytest.mark.parametrize(
    ("fewer", "more", "turns", "chosen"),
    [
        (4, 6, 2, [0, 1, 4, 5]),
        (2, 6, 2, [0, 1]),
        (6, 6, 2, [0, 1, 2, 3, 4, 5]),
        (3, 6, 2, [0, 2, 5]),
        (1, 4, 1, [0]),
        (2, 3, 1, [0, 2]),
    ],
)
def test_blocks_are_spread_evenly(fewer: int, more: int, turns: int, chosen: list[int]) -> None:
    assert spread_blocks(fewer, more, turns) == chosen


def test_what_fits_is_inherited_and_all_else_stays() -> None:
    heir, ancestor = make_model(HEIR, 1), make_model(LARGER, 2)
    before = {name: value.clone() for name, value in heir.state_dict().items()}
    share = inherit(heir, ancestor.state_dict())
    assert 0.8 < share < 1.0
    state, theirs = heir.state_dict(), ancestor.state_dict()
    for ours, number in enumerate((0, 1, 4, 5)):
        name = "denoiser.blocks.{}.qkv.weight"
        assert torch.equal(state[name.format(ours)], theirs[name.format(number)])
    for ours, number in enumerate((0, 2)):
        name = "denoiser.temporal_blocks.{}." + next(iter(dict(heir.denoiser.temporal_blocks[0].named_parameters())))
        assert torch.equal(state[name.format(ours)], theirs[name.format(number)])
    assert torch.equal(state["encoder.stem.to_motion.weight"], theirs["encoder.stem.to_motion.weight"])
    assert torch.equal(state["denoiser.head.weight"], before["denoiser.head.weight"])  # theirs is of another kind


@pytest.mark.parametrize(("changed", "inherited"), [({}, True), ({"nearest": 3}, False)], ids=["alike", "other size"])
def test_what_begins_by_saying_nothing_is_inherited_whole_or_not_at_all(
    changed: dict[str, int], inherited: bool
) -> None:
    fetching = replace(HEIR, warp=True)
    heir, ancestor = make_model(fetching, 1), make_model(replace(fetching, **changed), 2)
    before = {name: value.clone() for name, value in heir.state_dict().items()}
    torch.nn.init.normal_(ancestor.denoiser.warp.summary.weight)
    inherit(heir, ancestor.state_dict())
    name = "denoiser.warp.summary.weight"  # of the same shape in both
    assert torch.equal(heir.state_dict()[name], (ancestor.state_dict() if inherited else before)[name])


def test_nothing_is_inherited_from_another_kind_of_model() -> None:
    heir, other = make_model(HEIR, 1), make_model(replace(LARGER, width=32), 2)
    before = {name: value.clone() for name, value in heir.state_dict().items()}
    with pytest.raises(BitpuppetError, match=r"\d+% of preset heir fits"):
        inherit(heir, other.state_dict())
    with pytest.raises(BitpuppetError, match=r"fits w\.safetensors, 50% must"):
        inherit(heir, other.state_dict(), "w.safetensors")
    assert all(torch.equal(value, before[name]) for name, value in heir.state_dict().items())


def test_a_run_begins_with_what_it_inherits(tmp_path: Path) -> None:
    ancestor = make_model(LARGER, 2)
    save_weights(tmp_path / "w.safetensors", ancestor.state_dict(), LARGER, {})
    recipe = Recipe(steps=1, pairs=1, content_frames=1, target_frames=1)
    trainer = Trainer(HEIR, recipe, make_mixture(None, 64), tmp_path / "run", cpu=True)
    trainer.start_from(tmp_path / "w.safetensors")
    wanted = ancestor.denoiser.embed.weight.bfloat16().float()
    assert torch.equal(trainer.model.denoiser.embed.weight, wanted)
    assert torch.equal(trainer.average.values["denoiser.embed.weight"], wanted)
