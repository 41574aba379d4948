"""Two characters perform the same clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.duets import Duets, draw_duet
from bitpuppet.data.folder import find_data
from bitpuppet.data.mixture import BenchmarkSource, LpcSource, Mixture, PuppetSource, Share, make_mixture
from bitpuppet.data.poses import DIRECTIONS, is_drawn_over
from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.data.puppets.poses import ANIMATIONS
from bitpuppet.sprites import place_clip

FRAMES = 32


def test_two_puppets_of_one_plan_perform_what_the_names_say() -> None:
    """Each frame is found again in the drawing of the very clip that its name says, for some puppet of the window."""
    source = PuppetSource(64)
    duet = draw_duet(source, np.random.default_rng(4), 0, FRAMES)
    assert duet.one.shape == duet.other.shape == (FRAMES, 64, 64, 4)
    assert not np.array_equal(duet.one, duet.other)
    plans = []
    for side in (duet.one, duet.other):
        direction, moment = duet.names[0]
        name = ANIMATIONS[moment // 8], DIRECTIONS[direction]
        performers = []
        for seed in range(PuppetSource.WINDOW + 1):
            puppet = make_puppet(seed)
            motion = next(one for one in puppet.motions if (one.animation, one.direction) == name)
            if puppet.size <= 64 and np.array_equal(place_clip(draw_clip(puppet, motion), 64)[0], side[:8]):
                performers.append(puppet.plan)
        assert len(performers) >= 1
        plans.append(performers[0])
    assert plans[0] == plans[1]


def test_puppets_show_all_sides_of_an_animation_or_one_side_of_several() -> None:
    source, kinds = PuppetSource(64), set()
    for step in range(24):
        names = draw_duet(source, np.random.default_rng(step), 0, FRAMES).names
        assert len(np.unique(names, axis=0)) == FRAMES
        kinds.add((len(set(names[:, 0])), len(set(names[:, 1] // 8))))
    assert {(4, 1), (1, 4)} < kinds


@pytest.mark.parametrize("kind", [BenchmarkSource, LpcSource])
def test_layers_are_drawn_over_the_same_poses(kind: type[BenchmarkSource] | type[LpcSource]) -> None:
    data = find_data()
    if data is None:
        pytest.skip("needs the data folder")
    source = kind(data / ("sprites" if kind is BenchmarkSource else "lpc"))
    duet = draw_duet(source, np.random.default_rng(1), 0, FRAMES)
    assert duet.one.shape == duet.other.shape == (FRAMES, 64, 64, 4)
    assert is_drawn_over(duet.names).all()
    shapes = duet.one[..., 3] > 0, duet.other[..., 3] > 0
    common = (shapes[0] & shapes[1]).sum() / (shapes[0] | shapes[1]).sum()
    turned = (shapes[0] & shapes[1][::-1]).sum() / (shapes[0] | shapes[1][::-1]).sum()
    assert common > 0.6 and common > turned


def test_batches_have_no_content_and_depend_on_seed_and_step_alone() -> None:
    one, again = (Duets(make_mixture(None, 64, seed=3)) for _ in range(2))
    one.draw(0, 1, 6, FRAMES)
    batch, same = one.draw(2, 2, 6, FRAMES), again.draw(2, 2, 6, FRAMES)
    assert batch.motion.shape == batch.target.shape == (2, FRAMES, 64, 64, 4)
    assert batch.content.shape == (2, 0, 64, 64, 4)
    assert batch.names is not None and batch.names.shape == (2, FRAMES, 2)
    assert np.array_equal(batch.motion, same.motion) and np.array_equal(batch.target, same.target)
    assert not is_drawn_over(batch.names).any()


def test_a_source_without_duets_is_named(tmp_path: Path) -> None:
    class Lonely:
        def draw_scene(self, rng: np.random.Generator, step: int, clips: int) -> None: ...

    with pytest.raises(TypeError, match="Lonely"):
        Duets(Mixture([Share(Lonely(), 1.0, 0.0)])).draw(0, 1, 6, 8)  # type: ignore[arg-type]
