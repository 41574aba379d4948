"""LPC characters are legal, varied and split by garment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.lpc import Garment, LpcCharacter, Wardrobe, row_cells
from bitpuppet.errors import BitpuppetError

FULL = (7,) * 4 + (8,) * 4 + (9,) * 4 + (6,) * 4 + (13,) * 4 + (6,)


@pytest.fixture(scope="module")
def wardrobe(data_folder: Path) -> Wardrobe:
    return Wardrobe(data_folder / "lpc")


def test_names_ignore_colour_and_sex() -> None:
    def name(path: str, slot: str) -> str:
        return Garment(path, slot, ("male",), FULL).name

    assert name("legs/pants/male/red_pants_male.png", "legs") == name("legs/pants/female/teal_pants_female.png", "legs")
    assert name("hair/male/bangs/blonde2.png", "hair") == name("hair/female/bangs.png", "hair") == "hair/bangs"
    assert name("torso/plate/arms_male.png", "armour") != name("torso/plate/chest_male.png", "armour")


def test_rows_need_every_garment() -> None:
    no_thrust = (7,) * 4 + (0,) * 4 + (9,) * 4 + (6,) * 4 + (0,) * 4 + (6,)
    robe = Garment("torso/robes_female_no_th-sh/blue.png", "torso", ("female",), no_thrust)
    body = Garment("body/female/light.png", "body", ("female",), FULL)
    rows = LpcCharacter("female", (body, robe)).rows
    assert set(rows) == {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 20}
    face = Garment("facial/male/beard.png", "facial", ("male",), (0, 7, 7, 7) * 5 + (5,))
    assert 0 in LpcCharacter("male", (body, face)).rows  # a beard does not show from behind


def test_characters_are_legal(wardrobe: Wardrobe) -> None:
    rng = np.random.default_rng(0)
    sexes = set()
    for _ in range(300):
        character = wardrobe.dress(rng)
        sexes.add(character.sex)
        assert all(character.sex in garment.sexes for garment in character.garments)
        assert not any(garment.held_out for garment in character.garments)
        slots = [garment.slot for garment in character.garments]
        assert len(slots) == len(set(slots)) and "body" in slots
        assert ("behind" in slots) <= ("back" in slots)
    assert sexes == {"male", "female"}


def test_held_out_characters_wear_something_new(wardrobe: Wardrobe) -> None:
    rng = np.random.default_rng(1)
    assert all(any(g.held_out for g in wardrobe.dress(rng, held_out=True).garments) for _ in range(100))
    names = {g.name for g in wardrobe.garments if g.slot not in ("body", "eyes", "ears", "nose", "behind")}
    held = {g.name for g in wardrobe.garments if g.held_out}
    assert 0.07 <= len(held) / len(names) <= 0.13
    assert {"hair", "torso"} <= {g.slot for g in wardrobe.garments if g.held_out}


def test_no_test_character_of_the_benchmark_can_be_dressed(wardrobe: Wardrobe) -> None:
    """The benchmark's art is a part of LPC's: its 296 test characters must not come back as LPC characters."""
    rng = np.random.default_rng(2)
    assert not any(wardrobe.is_benchmark_outfit(wardrobe.dress(rng).garments) for _ in range(500))
    bare = [
        g
        for g in wardrobe.garments
        if g.path
        in (
            "body/male/light.png",
            "feet/armor/male/golden_boots_male.png",
            "hair/male/jewfro/purple.png",
            "legs/pants/male/red_pants_male.png",
            "torso/shirts/longsleeve/male/teal_longsleeve.png",
        )
    ]
    assert len(bare) == 5 and wardrobe.is_benchmark_outfit(tuple(bare))


def test_clip_has_the_rows_frames(wardrobe: Wardrobe) -> None:
    character = wardrobe.dress(np.random.default_rng(3))
    clip = wardrobe.clip(character, character.rows[0])
    assert clip.shape == (len(row_cells(character.rows[0])), 64, 64, 4)
    assert (clip[..., 3].max(axis=(1, 2)) == 255).all()


def test_missing_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="BITPUPPET_DATA"):
        Wardrobe(tmp_path)
