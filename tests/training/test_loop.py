"""The loop learns, stops when told, and goes on as if it had not stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from bitpuppet.data.mixture import make_mixture
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.weights import save_weights
from bitpuppet.training.checkpoint import split_parameters
from bitpuppet.training.loop import Progress, Trainer
from bitpuppet.training.recipe import CONTROL_START, Recipe
from bitpuppet.training.samples import draw_samples

TINY = PRESETS["tiny"]
RECIPE = Recipe(steps=6, pairs=2, content_frames=2, target_frames=2, warmup=2)


def make_trainer(folder: Path, recipe: Recipe = RECIPE) -> Trainer:
    return Trainer(TINY, recipe, make_mixture(None, TINY.canvas), folder, cpu=True)


@pytest.mark.parametrize("learns", ["all", "motion"])
def test_resuming_continues_bit_for_bit(tmp_path: Path, learns: Literal["all", "motion"]) -> None:
    recipe = replace(RECIPE, learns=learns)
    whole = make_trainer(tmp_path / "whole", recipe)
    whole.run()

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    first = make_trainer(tmp_path / "parts", recipe)
    with pytest.raises(KeyboardInterrupt):
        first.run(stop)
    second = make_trainer(tmp_path / "parts", recipe)
    second.resume()
    assert second.step == 3
    second.run()
    for name, value in whole.objective.state_dict().items():
        assert torch.equal(value, second.objective.state_dict()[name]), name
    for name, value in whole.average.values.items():
        assert torch.equal(value, second.average.values[name]), name
    lines = [json.loads(line) for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_samples_do_not_change_the_run(tmp_path: Path) -> None:
    plain, drawing = make_trainer(tmp_path / "plain"), make_trainer(tmp_path / "drawing")
    plain.run()
    drawing.run(draw_samples=draw_samples, sample_every=3)
    assert (tmp_path / "drawing" / "sample-000003.png").exists()
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, drawing.model.state_dict()[name]), name


@pytest.mark.slow
def test_the_loss_falls(tmp_path: Path) -> None:
    losses: list[float] = []
    trainer = make_trainer(tmp_path, replace(RECIPE, steps=60, pairs=6, warmup=5))
    trainer.run(lambda progress: losses.append(progress.measures["loss"]))
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_another_preset_cannot_resume(tmp_path: Path) -> None:
    make_trainer(tmp_path).save()
    other = Trainer(replace(TINY, groups=2), RECIPE, make_mixture(None, 64), tmp_path, cpu=True)
    with pytest.raises(BitpuppetError, match="preset"):
        other.resume()


def test_a_run_can_begin_at_weights(tmp_path: Path) -> None:
    first = make_trainer(tmp_path / "first")
    first.run()
    save_weights(tmp_path / "w.safetensors", first.averaged_model().state_dict(), TINY, {})
    second = make_trainer(tmp_path / "second")
    assert second.start_from(tmp_path / "w.safetensors") == 1
    assert second.step == 0
    wanted = first.average.values["denoiser.embed.weight"].bfloat16().float()
    assert torch.equal(second.model.denoiser.embed.weight, wanted)
    other = Trainer(replace(TINY, groups=2), RECIPE, make_mixture(None, 64), tmp_path / "other", cpu=True)
    assert 0.9 < other.start_from(tmp_path / "w.safetensors") < 1, "another preset of that name, all but its codebooks"
    assert torch.equal(other.model.denoiser.embed.weight, wanted)


def test_a_run_can_branch_off_before_rate_control(tmp_path: Path) -> None:
    recipe = replace(RECIPE, rate_scale=1.0, control=(0.5, 0.9))
    whole = make_trainer(tmp_path / "whole", recipe)
    whole.run()
    other = Trainer(
        replace(TINY, bits_per_frame=5.0), recipe, make_mixture(None, TINY.canvas), tmp_path / "5", cpu=True
    )
    other.run(until=3)
    branch = make_trainer(tmp_path / "branch", recipe)
    branch.branch_from(other.checkpoint_file)
    branch.run()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, branch.model.state_dict()[name]), name
    other.run()
    assert any(
        not torch.equal(value, whole.model.state_dict()[name]) for name, value in other.model.state_dict().items()
    )
    with pytest.raises(BitpuppetError, match="rate control begins at 3"):
        make_trainer(tmp_path / "late", recipe).branch_from(other.checkpoint_file)


def test_another_number_of_sampling_steps_can_resume(tmp_path: Path) -> None:
    make_trainer(tmp_path).save()
    other = Trainer(replace(TINY, steps=TINY.steps + 1), RECIPE, make_mixture(None, 64), tmp_path, cpu=True)
    other.resume()
    assert other.preset.steps == TINY.steps + 1


def test_rate_control_comes_in_slowly() -> None:
    assert [RECIPE.control_at(step) for step in (0, 5)] == [1, 1]
    recipe = Recipe(steps=100, control=(0.2, 0.6))
    factors = [recipe.control_at(step) for step in range(100)]
    assert factors[:20] == [0] * 20 and factors[60:] == [1] * 40
    assert factors[20] == pytest.approx(CONTROL_START) and factors[40] == pytest.approx(CONTROL_START**0.5)
    assert factors == sorted(factors)


def test_each_learning_parameter_has_one_optimizer() -> None:
    trainer_model = torch.nn.ModuleDict({"block": torch.nn.Linear(2, 2), "embed": torch.nn.Linear(2, 2)})
    matrices, others = split_parameters(list(trainer_model.named_parameters()))
    assert matrices == ["block.weight"]
    assert set(others) == {"block.bias", "embed.weight", "embed.bias"}


def test_a_smaller_rate_moves_weights_less(tmp_path: Path) -> None:
    moved = []
    for factor in (1.0, 0.1):
        trainer = make_trainer(tmp_path / str(factor), RECIPE.scale_rates(factor))
        before = {name: value.detach().clone() for name, value in trainer.model.named_parameters()}
        trainer.run(until=1)
        after = {name: value.detach() for name, value in trainer.model.named_parameters()}
        moved.append(sum(float((after[name] - value).abs().sum()) for name, value in before.items()))
    assert 5 * moved[1] < moved[0]


def test_rates_warm_up_and_cool_down() -> None:
    recipe = Recipe(steps=100, warmup=10, cooldown=0.5)
    assert recipe.rate_at(0) == pytest.approx(0.1)
    assert recipe.rate_at(30) == 1
    assert recipe.rate_at(75) == pytest.approx(0.5)
    assert recipe.sharpness_at(0) == recipe.sharpness[0] and recipe.sharpness_at(100) == pytest.approx(
        recipe.sharpness[1]
    )


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="each process takes a GPU of its own")
def test_processes_on_a_cpu_train_together_without_being_told(tmp_path: Path) -> None:
    """One of them reports; where they had not found each other, both would, and each would train the same."""
    train = [
        "train",
        "tiny",
        "--puppets-only",
        "--steps",
        "2",
        "--pairs",
        "1",
        "--threads",
        "1",
        "--out",
        str(tmp_path),
    ]
    joined = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "bitpuppet"]
    subprocess.run([*joined, *train], check=True, capture_output=True, timeout=300)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
