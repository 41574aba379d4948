"""Fine-tuning: it learns, stops, pauses, goes on, keeps tokens, and leaves a model file that is used as any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bitpuppet.data.character_set import Character, CharacterAnimation, CharacterSet
from bitpuppet.data.puppets import Motion, draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.borrowing import read_bank
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.weights import load_model, save_weights
from bitpuppet.training import checkpoint
from bitpuppet.training.fine_tuning import FineTuning
from bitpuppet.training.low_rank import add_low_rank, merge_low_rank
from bitpuppet.training.motion_lessons import choose_parameters
from bitpuppet.training.tuned_model import read_card, read_preset_name
from bitpuppet.training.tuning_looks import TRUSTS
from bitpuppet.training.tuning_recipe import TuningProgress, TuningRecipe

TINY = PRESETS["tiny"]
QUICK = TuningRecipe(steps=4, pairs=2, content_frames=2, target_frames=2, base_every=2, base_pairs=1, looks=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    save_weights(path, BitrateControlledDiffusion(TINY).state_dict(), TINY, {})
    return path


@pytest.fixture(scope="module")
def characters() -> CharacterSet:
    motions = {"walk": Motion("walk", "down"), "attack": Motion("attack", "left")}
    puppets = [make_puppet(seed, plan="biped", size=24) for seed in (1, 2)]
    return CharacterSet(
        "two puppets",
        tuple(
            Character(
                f"puppet {number}",
                tuple(
                    CharacterAnimation(name, draw_clip(puppet, motion, 3), (100,) * 3)
                    for name, motion in motions.items()
                ),
            )
            for number, puppet in enumerate(puppets)
        ),
    )


def make_run(characters: CharacterSet, folder: Path, base: Path, recipe: TuningRecipe = QUICK) -> FineTuning:
    return FineTuning(characters, folder, recipe, base="tiny", weights=base, device="cpu")


def test_a_run_leaves_a_model_that_is_used_as_any_other(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    told: list[TuningProgress] = []
    run = make_run(characters, tmp_path, base)
    estimate = run.estimate()
    assert estimate.steps == 4 and estimate.seconds > 0 and estimate.memory_bytes > 0 and "4 steps" in str(estimate)
    tuned = run.run(told.append)
    assert tuned.ended == "done" and tuned.steps == 4 and tuned.model == tmp_path / "two-puppets.safetensors"
    assert [progress.step for progress in told] == [1, 2, 3, 4]
    assert told[0].stage == "reading" and told[-1].stage == "drawing"
    assert told[-1].samples is not None and told[-1].samples.is_file() and tuned.held_out is not None
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    card = read_card(tuned.model)
    assert card is not None and card.base == "tiny" and card.set_name == "two puppets" and card.animations == 4
    assert card.date and {"before", "best", "tokens_kept"} <= set(card.figures)
    bank = read_bank(tuned.model, TINY.canvas)
    assert bank is not None and bank.trust in TRUSTS and bank.trust == run.figures["trust"]
    assert [one.name for one in bank.characters] == list(card.characters)
    assert read_card(base) is None and read_preset_name(tuned.model) == "tiny"
    frames = characters.characters[0].animations[0].frames
    canvas = np.zeros((3, 64, 64, 4), np.uint8)
    canvas[:, :24, :24] = frames
    assert Engine.load("tiny", tuned.model, "cpu").retarget(canvas, canvas, steps=1).frames.shape == (3, 64, 64, 4)


def test_art_beyond_the_canvas_is_learnt_on_a_larger_one(base: Path, tmp_path: Path) -> None:
    grown = [
        CharacterAnimation(one.name, one.frames.repeat(2, 1).repeat(2, 2), one.durations)
        for one in (
            CharacterAnimation(
                name, draw_clip(make_puppet(3, plan="biped", size=45), Motion(name, "down"), 3), (9,) * 3
            )
            for name in ("walk", "attack")
        )
    ]
    blot = np.zeros_like(grown[0].frames)
    blot[0, 3, 1::2] = (9, 9, 9, 255)  # one pixel wide, so that the art is not reduced to half its size
    grown[0] = replace(grown[0], frames=np.where(blot > 0, blot, grown[0].frames))
    run = make_run(make_giant(grown), tmp_path, base)
    assert run.preset.canvas == 128
    tuned = run.run()
    model = load_model("tiny", tuned.model)
    assert (model.preset.canvas, model.preset.stem_scale) == (128, 2)
    canvas = np.zeros((3, 128, 128, 4), np.uint8)
    canvas[:, :90, :90] = grown[1].frames
    engine = Engine.load("tiny", tuned.model, "cpu")
    assert engine.retarget(canvas, canvas, steps=1).frames.shape == (3, 128, 128, 4)
    again = FineTuning(make_giant(grown), tmp_path / "more", QUICK, base="tiny", weights=tuned.model, device="cpu")
    assert again.preset.canvas == 128


def make_giant(animations: list[CharacterAnimation]) -> CharacterSet:
    return CharacterSet("giant", (Character("giant", tuple(animations)),))


def test_a_base_that_draws_shades_is_refused(characters: CharacterSet, tmp_path: Path) -> None:
    sizes = replace(PRESETS["tiny"], head="values", sampler="euler")
    path = tmp_path / "shades.safetensors"
    save_weights(path, BitrateControlledDiffusion(sizes).state_dict(), sizes, {})
    with pytest.raises(BitpuppetError, match="draws shades"):
        FineTuning(characters, tmp_path / "run", base="tiny", weights=path)


def test_codebooks_and_their_statistics_do_not_change(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    before, after = load_model("tiny", base), load_model("tiny", make_run(characters, tmp_path, base).run().model)
    changed = {name for name, value in before.state_dict().items() if not torch.equal(value, after.state_dict()[name])}
    assert not any(name.startswith("quantizer.") for name in changed)
    assert any(name.startswith("denoiser.") for name in changed)


def test_without_motion_tokens_stay_exactly_the_same(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    tuned = make_run(characters, tmp_path, base, replace(QUICK, motion=False)).run()
    assert tuned.tokens_kept == 1
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 64, 64, 4), dtype=np.uint8))
    tokens = [load_model("tiny", path).encode_motion(frames) for path in (base, tuned.model)]
    assert torch.equal(*tokens)


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    whole = make_run(characters, tmp_path / "whole", base)
    whole.run()
    first = make_run(characters, tmp_path / "parts", base)
    assert first.run(should_stop=lambda: first.step == 2).ended == "stopped"
    assert first.model_file.is_file()
    second = make_run(characters, tmp_path / "parts", base)
    second.resume()
    assert second.step == 2
    second.run()
    wanted = whole.averaged_state()
    for name, value in second.averaged_state().items():
        assert torch.equal(value, wanted[name]), name


def test_interrupts_save_and_pauses_wait(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    def stop(progress: TuningProgress) -> None:
        raise KeyboardInterrupt

    run = make_run(characters, tmp_path / "a", base)
    with pytest.raises(KeyboardInterrupt):
        run.run(stop)
    assert run.checkpoint_file.is_file() and run.model_file.is_file()
    asked: list[bool] = []

    def pause() -> bool:
        asked.append(True)
        return len(asked) == 1

    paused = make_run(characters, tmp_path / "b", base, replace(QUICK, steps=1))
    assert paused.run(should_pause=pause).ended == "done" and len(asked) >= 2


def test_a_full_disk_keeps_the_last_checkpoint(
    characters: CharacterSet, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(characters, tmp_path, base)
    run.save()
    before = run.checkpoint_file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", fail)
    with pytest.raises(BitpuppetError, match=r"cannot be written.*make room and add --resume"):
        run.save()
    assert run.checkpoint_file.read_bytes() == before


def test_another_set_or_recipe_cannot_go_on(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    make_run(characters, tmp_path, base).save()
    other = CharacterSet("two puppets", characters.characters[::-1])
    with pytest.raises(BitpuppetError, match="another base or set"):
        make_run(other, tmp_path, base).resume()
    with pytest.raises(BitpuppetError, match="other settings"):
        make_run(characters, tmp_path, base, replace(QUICK, seed=1)).resume()


def test_low_rank_changes_merge_into_the_usual_names(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    model = load_model("tiny", base)
    names, values = set(model.state_dict()), model.state_dict()["denoiser.blocks.0.qkv.weight"].clone()
    choose_parameters(model, motion=True)
    add_low_rank(model, 2)
    merged = merge_low_rank(model)
    assert set(merged) == names and torch.equal(merged["denoiser.blocks.0.qkv.weight"], values)
    with pytest.raises(BitpuppetError, match="--rank is 999"):
        add_low_rank(model, 999)
    whole, low = (make_run(characters, tmp_path / str(r), base, replace(QUICK, rank=r)) for r in (0, 2))
    sizes = [sum(p.numel() for p in run.model.parameters() if p.requires_grad) for run in (whole, low)]
    assert sizes[1] < 0.5 * sizes[0]
    assert low.run().steps == 4


def test_the_length_of_a_run_follows_from_its_minutes(characters: CharacterSet, base: Path, tmp_path: Path) -> None:
    run = make_run(characters, tmp_path, base, replace(QUICK, steps=None, minutes=10.0, looks=1))
    estimate = run.estimate()
    assert estimate.steps > 10 and estimate.seconds == pytest.approx(600, rel=0.1)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("minutes", 0.0, "--minutes is 0"), ("steps", 0, "--steps is 0"), ("pairs", 0, "--pairs is 0")],
)
def test_numbers_out_of_range_are_named(field: str, value: float, message: str) -> None:
    with pytest.raises(BitpuppetError, match=message):
        TuningRecipe(**{field: value})  # type: ignore[arg-type]


def test_presets_of_clips_are_refused(characters: CharacterSet, tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError):
        FineTuning(characters, tmp_path, QUICK, base="paper", device="cpu")


def test_damaged_model_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"nothing")
    for read in (read_card, read_preset_name):
        with pytest.raises(BitpuppetError, match=r"m\.safetensors"):
            read(path)
