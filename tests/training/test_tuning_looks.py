"""Looks at a run: how far a bank is trusted is chosen on characters that are shown as new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch

from bitpuppet.data.bank import TRUST
from bitpuppet.data.character_set import Character, CharacterAnimation, CharacterSet
from bitpuppet.data.custom import CustomSource, hold_out
from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.training import tuning_looks
from bitpuppet.training.tuning_looks import TRUSTS, Looks

MOTIONS = {
    "walk": (Motion("walk", "down"), 3),
    "attack": (Motion("attack", "left"), 2),
    "idle": (Motion("idle", "up"), 1),
}
EMPTY = np.zeros((1, 8, 8, 4), np.uint8)
NOBODY = cast(BitrateControlledDiffusion, None)
CPU = torch.device("cpu")


def make_looks(people: int) -> Looks:
    puppets = [make_puppet(seed, plan="biped", size=24) for seed in range(people)]
    characters = CharacterSet(
        "puppets",
        tuple(
            Character(
                str(number),
                tuple(
                    CharacterAnimation(name, draw_clip(puppet, motion, frames), (100,) * frames)
                    for name, (motion, frames) in MOTIONS.items()
                ),
            )
            for number, puppet in enumerate(puppets)
        ),
    )
    held_out = hold_out(characters.characters)
    return Looks(CustomSource(characters, 64, held_out=held_out), held_out)


def answer(monkeypatch: pytest.MonkeyPatch, right: dict[float, float]) -> list[Sequence[Any]]:
    """Let so much be right at each trust; what was looked at."""
    asked = []

    def count(looks: Sequence[Any], model: object, device: object) -> tuning_looks._Found:
        asked.append(looks)
        (trust,) = {look.bank.trust for look in looks}
        return tuning_looks._Found(right[trust], [("nobody", EMPTY, EMPTY, EMPTY)])

    monkeypatch.setattr(tuning_looks, "_count_right", count)
    return asked


def test_newcomers_are_shown_in_one_animation_and_are_not_in_their_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = make_looks(4)
    asked = answer(monkeypatch, dict.fromkeys(TRUSTS, 0.5))
    assert looks.choose_trust(NOBODY, CPU) == TRUSTS[0] == max(TRUSTS), "the highest, where none is better"
    assert len(asked) == len(TRUSTS)
    for look in asked[0]:
        target, given = look.scene.clips
        assert len(given) == max(frames for _, frames in MOTIONS.values() if frames != len(target))
        assert sorted([look.name, *(one.name for one in look.bank.characters)]) == ["0", "1", "2", "3"]
        assert look.scene.driver.shape == target.shape and not np.array_equal(look.scene.driver, target)
    assert {look.name for look in asked[0]} == {"0", "1", "2", "3"} and len(asked[0]) <= 10


def test_the_best_trust_is_used_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = make_looks(2)
    answer(monkeypatch, {1.2: 0.3, 0.9: 0.4, 0.6: 0.4, 0.3: 0.1})
    assert looks.choose_trust(NOBODY, CPU) == 0.9
    answer(monkeypatch, {0.9: 0.7})
    assert looks.measure(NOBODY, CPU) == 0.7


def test_a_set_that_shares_nothing_has_the_usual_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = make_looks(1)
    asked = answer(monkeypatch, {})
    assert looks.choose_trust(NOBODY, CPU) == TRUST and not asked
