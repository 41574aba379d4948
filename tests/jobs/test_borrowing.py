"""Borrowing: frames of the bank become references, those in the pose that is asked for, and nothing else changes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from bitpuppet.data.bank import HEADER, Bank
from bitpuppet.data.character_set import Character, CharacterAnimation
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.borrowing import Lender, read_bank
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.sprites import collect_palette, place_clip, snap_frames

TINY = PRESETS["tiny"]


def draw_character(name: str, colour: int) -> Character:
    art = np.zeros((6, 24, 24, 4), np.uint8)
    art[:, 6:22, 8:16] = (colour, 60, 120, 255)
    for number in range(6):
        art[number, 8 + 2 * number : 12 + 2 * number, 3:21] = (30, colour, 10, 255)
    animations = (("walk", art[:3]), ("jump", art[3:]))
    return Character(name, tuple(CharacterAnimation(n, frames, (100,) * 3) for n, frames in animations))


@pytest.fixture(scope="module")
def model() -> BitrateControlledDiffusion:
    torch.manual_seed(0)
    return BitrateControlledDiffusion(TINY)


def test_frames_of_the_bank_are_among_the_references(model: BitrateControlledDiffusion) -> None:
    bank = Bank([draw_character("old", 200)], TINY.canvas)
    plain, borrowing = (Engine(model, torch.device("cpu"), torch.float32, one) for one in (None, bank))
    content, _ = place_clip(draw_character("new", 90).animations[0].frames, TINY.canvas)
    driver = bank.placed[0][3:]
    tokens = borrowing.encode_motion(driver)
    without, known = plain.encode_content(content, tokens), borrowing.encode_content(content, tokens)
    assert torch.equal(without.tokens, known.tokens) and without.references is not None
    references = known.references
    assert references is not None and references.numbers is not None
    own, count = 2 * len(content), references.tokens.shape[1]  # with mirrored frames
    assert own < count <= own + 3
    assert torch.equal(references.tokens[:, :own], without.references.tokens)
    wanted = model.quantizer.look_up(torch.from_numpy(tokens))
    distances = (wanted[:, None] - references.motion[0, own:]).square().sum(dim=-1)
    assert distances.min(dim=1).values.max() == 0, "the driver is a character of the bank, in the very pose"
    assert known.palette is not None
    new = draw_character("new", 90)
    true = torch.from_numpy(np.concatenate([place_clip(one.frames, TINY.canvas)[0] for one in new.animations]))
    right = references.numbers[0, own:, None] == known.palette.number_pixels(true)
    assert right.float().mean(dim=(2, 3)).max(dim=1).values.min() > 0.99, "in the new character's own colours"
    assert references.lead is not None and references.lead[0, :own].max() == 0 < references.lead[0, own:].min()


def test_without_motion_nothing_is_borrowed(model: BitrateControlledDiffusion) -> None:
    engine = Engine(model, torch.device("cpu"), torch.float32, Bank([draw_character("old", 200)], TINY.canvas))
    content, _ = place_clip(draw_character("new", 90).animations[0].frames, TINY.canvas)
    references = engine.encode_content(content).references
    assert references is not None and references.tokens.shape[1] == 2 * len(content)


def test_files_with_damaged_characters_are_refused_by_name(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(1)}
    save_file(tensors, tmp_path / "plain.safetensors")
    assert read_bank(tmp_path / "plain.safetensors", 64) is None
    save_file(tensors, tmp_path / "bad.safetensors", {HEADER: json.dumps({"characters": 3})})
    with pytest.raises(BitpuppetError, match=r"bad\.safetensors.*damaged"):
        read_bank(tmp_path / "bad.safetensors", 64)
    (tmp_path / "none.safetensors").write_bytes(b"no")
    with pytest.raises(BitpuppetError, match=r"none\.safetensors"):
        read_bank(tmp_path / "none.safetensors", 64)


def test_a_lent_frame_is_one_more_reading(model: BitrateControlledDiffusion) -> None:
    bank = Bank([draw_character("old", 200)], TINY.canvas)
    blind = deepcopy(model)
    assert blind.denoiser.pointer is not None
    blind.denoiser.pointer.ask.bias.data.zero_()  # it would copy the lent frame without being told to
    engine = Engine(blind, torch.device("cpu"), torch.float32, bank)
    content, _ = place_clip(draw_character("new", 90).animations[0].frames, TINY.canvas)
    tokens = engine.encode_motion(bank.placed[0])
    alone = next(n for n in (3, 4, 5) if (tokens == tokens[n]).all(axis=1).sum() == 1)  # random weights mix some up
    driver, palette = bank.placed[0][alone : alone + 1], collect_palette(content)
    true = np.concatenate([place_clip(one.frames, TINY.canvas)[0] for one in draw_character("new", 90).animations])
    true = true[alone : alone + 1]
    shares = []
    for trust in (0.0, 1e6):
        bank.trust = trust
        drawn = snap_frames(engine.retarget(content, driver, steps=2).frames, palette)
        shares.append(float((drawn == true).all(axis=-1)[true[..., 3] > 0].mean()))
    assert shares[0] < 0.9 < 0.99 < shares[1], "random weights draw nothing, the bank knows the pose"


def test_a_driver_finds_its_own_pose_where_others_are_read_differently(model: BitrateControlledDiffusion) -> None:
    bank = Bank([draw_character("friend", 200), draw_character("other", 120)], TINY.canvas)
    lender = Lender(bank, model, torch.device("cpu"))
    lender._motion = {0: torch.randn(6, TINY.motion_width), 1: torch.full((6, TINY.motion_width), 9.0)}
    frames, counted = lender._choose(lender._motion[0], 1)
    assert frames == list(range(6))
    assert torch.equal(counted, lender._motion[0])


def test_frames_of_one_motion_are_told_apart_by_their_order(
    model: BitrateControlledDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = Bank([draw_character("old", 200)], TINY.canvas)
    lender = Lender(bank, model, torch.device("cpu"))
    jump = torch.ones(3, TINY.motion_width)  # all three frames are read as one pose
    lender._motion = {0: torch.cat([torch.zeros_like(jump), jump])}
    monkeypatch.setattr(lender, "_look_up", lambda tokens: jump[: len(tokens)])
    content, _ = place_clip(draw_character("new", 90).animations[0].frames, TINY.canvas)
    known = Engine(model, torch.device("cpu"), torch.float32).encode_content(content)
    lent = lender.lend(known, content, np.zeros((3, TINY.groups), np.int64))
    assert lent.references is not None and lent.references.turns is not None and lent.references.numbers is not None
    own = 2 * len(content)
    assert lent.references.turns[0].tolist() == [0] * own + [1, 2, 3]
    for first, motion in ((0, jump), (1, jump[1:])):
        with torch.inference_mode():
            taken = model.denoiser.take_lent(motion, model.denoiser.remember(lent), first)
        assert taken is not None
        for number, row in zip(range(first, 3), taken.numbers, strict=True):
            wanted = lent.references.numbers[0, own + number]
            assert sorted(row.tolist()) == sorted(wanted.flatten().tolist())
            assert int((row > 0).sum()) > 0
    assert not torch.equal(lent.references.numbers[0, own], lent.references.numbers[0, own + 1])


def test_strangers_drive_only_those_who_are_much_alike(
    model: BitrateControlledDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = Bank([draw_character("old", 200)], TINY.canvas)
    content, _ = place_clip(draw_character("new", 90).animations[0].frames, TINY.canvas)
    known = Engine(model, torch.device("cpu"), torch.float32).encode_content(content)
    lender = Lender(bank, model, torch.device("cpu"))
    stranger = np.ones((2, TINY.groups), np.int64)
    jump = model.quantizer.look_up(torch.from_numpy(stranger)).detach()
    lender._motion = {0: torch.cat([torch.zeros(3, TINY.motion_width), jump[:1], torch.ones_like(jump)])}

    def count(likeness: float, tokens: NDArray[np.int64]) -> int:
        (one,) = bank.introduce(content)
        monkeypatch.setattr(bank, "introduce", lambda frames: [replace(one, likeness=likeness)])
        lent = lender.lend(known, content, tokens).references
        monkeypatch.undo()
        assert lent is not None
        return lent.tokens.shape[1] - 2 * len(content)

    assert count(0.9, stranger) == 1, "its pose is looked up"
    assert count(0.2, stranger) == 0


def test_animations_are_recognized_one_after_the_other(model: BitrateControlledDiffusion) -> None:
    bank = Bank([draw_character("friend", 200), draw_character("other", 120)], TINY.canvas)
    lender = Lender(bank, model, torch.device("cpu"))
    walk, jump = torch.randn(2, 3, TINY.motion_width)
    lender._motion = {0: torch.cat([walk, jump]), 1: torch.randn(6, TINY.motion_width)}
    strange = torch.randn(1, TINY.motion_width)
    clip = torch.cat([jump, strange, walk, walk, walk[:2]])
    assert lender._recognize(clip).tolist() == [3, 4, 5, -1, 0, 1, 2, 0, 1, 2, -1, -1], "a part of a walk is no walk"
    still = Character("still", (CharacterAnimation("stand", draw_character("", 9).animations[0].frames[:1], (100,)),))
    lender = Lender(Bank([still], TINY.canvas), model, torch.device("cpu"))
    lender._motion = {0: strange}
    assert lender._recognize(strange).tolist() == [0] and lender._recognize(clip).max() == -1
