"""The training loop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from bitpuppet.data.mixture import PairBatch
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.codec import Codec
from bitpuppet.model.device import pick_device, pick_dtype
from bitpuppet.model.encoder import Encoder
from bitpuppet.model.preset import Preset
from bitpuppet.model.weights import read_weights
from bitpuppet.training.agreement import MotionAgreement
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.checkpoint import (
    Checkpoint,
    MovingAverage,
    collect_optimizer,
    restore_optimizer,
    split_parameters,
)
from bitpuppet.training.differences import MotionDifferences
from bitpuppet.training.inheritance import inherit
from bitpuppet.training.muon import Muon
from bitpuppet.training.objective import CrossDriving
from bitpuppet.training.recipe import Recipe

SETTLED = 12
"""Batches from which motion that is learnt alone, from videos, begins."""


@dataclass(frozen=True)
class Progress:
    """What the loop tells after a step."""

    step: int
    steps: int
    seconds_per_step: float
    measures: dict[str, float]


class BatchSource(Protocol):
    """What a run learns from; `Mixture` is one."""

    def draw(
        self, step: int, pairs: int, content_frames: int, target_frames: int, *, in_order: bool = False
    ) -> PairBatch:
        """The batch of one step; the same for the same numbers."""
        ...


Watch = Callable[[Progress], None]
"""Called after every step; whatever it raises ends the run, after a checkpoint."""
Sampler = Callable[[BitrateControlledDiffusion, Path], None]
"""Draws a sample picture with the averaged weights into the given file."""


class Trainer:
    """One run in one folder: `checkpoint.safetensors`, `metrics.jsonl` and sample pictures."""

    def __init__(
        self,
        preset: Preset,
        recipe: Recipe,
        mixture: BatchSource,
        folder: Path,
        *,
        codec: Codec | None = None,
        compile_model: bool = False,
        cpu: bool = False,
    ) -> None:
        self.preset, self.recipe, self.mixture, self.folder = preset, recipe, mixture, folder
        folder.mkdir(parents=True, exist_ok=True)
        # Where there are no instructions for it (AVX2), bfloat16 takes a hundred times as long as float32.
        chosen = torch.device("cpu") if cpu else pick_device()
        mixed = "bf16" if pick_dtype(chosen) == torch.bfloat16 else "no"
        # Processes on a CPU join only where accelerate is told so; else each would train the same by itself.
        self.accelerator = Accelerator(mixed_precision=mixed, cpu=chosen.type == "cpu")
        torch.manual_seed(recipe.seed)
        self.model = BitrateControlledDiffusion(preset, codec)
        self.model.denoiser.temporal_blocks.requires_grad_(recipe.temporal)
        choose_learners(self.model, recipe)
        self.objective = make_objective(self.model, recipe)
        self.optimizers = make_optimizers(self.objective, recipe)
        self.average = MovingAverage(dict(self.model.named_parameters()), recipe.ema)
        self.step = 0
        self._is_new = True
        self._compile = compile_model

    @property
    def checkpoint_file(self) -> Path:
        """Where the run can be picked up."""
        return self.folder / "checkpoint.safetensors"

    def resume(self) -> None:
        """Go on with the run in the folder, as if it had not stopped.

        Raises:
            BitpuppetError: there is no usable checkpoint, or it was made with other sizes or learning rates.
        """
        self._take_over(self.checkpoint_file, Checkpoint.read(self.checkpoint_file), self.preset)

    def branch_from(self, other: Path) -> None:
        """Go on where another run stopped before its rate control set in, with this run's own target.

        Args:
            other: that run's checkpoint; sizes, data and recipe are the same.

        Raises:
            BitpuppetError: it is no usable checkpoint, was made with other sizes, or is under rate control already.
        """
        checkpoint = Checkpoint.read(other)
        begin = self.recipe.control[0] * self.recipe.steps
        if checkpoint.step > begin:
            raise BitpuppetError(
                f"{other}: after {checkpoint.step} steps, rate control begins at {begin:.0f}; train anew"
            )
        asked = checkpoint.settings["preset"].get("bits_per_frame", self.preset.bits_per_frame)
        self._take_over(other, checkpoint, replace(self.preset, bits_per_frame=asked))

    def _take_over(self, file: Path, checkpoint: Checkpoint, preset: Preset) -> None:
        found = Preset.from_metadata(checkpoint.settings["preset"])
        # How frames are drawn, nothing learns.
        if replace(found, steps=preset.steps, sampler=preset.sampler, pieces=preset.pieces) != preset:
            raise BitpuppetError(f"{file}: made with other preset settings; train in another folder")
        rate = checkpoint.settings["recipe"].get("adam_rate", self.recipe.adam_rate)
        if not math.isclose(rate, self.recipe.adam_rate, rel_tol=1e-6):
            raise BitpuppetError(
                f"{file}: its learning rate is {rate:g} and not {self.recipe.adam_rate:g}; give --rates as it was for "
                "that run, or train in another folder"
            )
        self.model.load_state_dict(checkpoint.model)
        self.objective.load_state_dict(checkpoint.lessons, strict=False)
        self.average.values = {name: checkpoint.ema[name].clone() for name in self.average.values}
        for optimizer, state in zip(self.optimizers, checkpoint.optimizers, strict=True):
            restore_optimizer(optimizer, state)
        self.step = checkpoint.step
        self._is_new = False

    def start_from(self, weights: Path) -> float:
        """Begin a new run at the weights in a file instead of at random ones, as far as they fit.

        Returns:
            The share of the model's values that the file has, see `inherit`.

        Raises:
            BitpuppetError: the file cannot be used, or hardly anything in it fits.
        """
        share = inherit(self.model, read_weights(weights)[1], str(weights))
        self.average = MovingAverage(dict(self.model.named_parameters()), self.recipe.ema)
        self._is_new = False
        return share

    def run(
        self,
        watch: Watch | None = None,
        *,
        draw_samples: Sampler | None = None,
        checkpoint_every: float = 240.0,
        sample_every: int = 250,
        until: int | None = None,
    ) -> None:
        """Train to the recipe's last step. Ctrl-C, or any exception from `watch`, saves a checkpoint first.

        Args:
            watch: told after each step.
            draw_samples: draws a picture every `sample_every` steps.
            checkpoint_every: seconds between checkpoints.
            sample_every: see `draw_samples`.
            until: stop before this step, 0..steps; the last one where it is None.
        """
        accelerator = self.accelerator
        if self._is_new and isinstance(self.objective, MotionDifferences):
            self._settle(self.objective)
        objective, *optimizers = accelerator.prepare(self.objective, *self.optimizers)
        if self._compile:
            self.model.denoiser.compile()
            self.model.encoder.stack.compile()
        saved = began = time.monotonic()
        try:
            while self.step < (self.recipe.steps if until is None else until):
                measures = self._take_step(objective, optimizers)
                now = time.monotonic()
                measures["seconds"], began = now - began, now
                self._report(measures, watch)
                if now - saved > checkpoint_every:
                    self.save()
                    saved = time.monotonic()
                if draw_samples is not None and self.step % sample_every == 0 and accelerator.is_main_process:
                    draw_samples(self.averaged_model(), self.folder / f"sample-{self.step:06d}.png")
        finally:
            self.save()

    def save(self) -> None:
        """Write a checkpoint (main process only)."""
        if self.accelerator.is_main_process:
            Checkpoint(
                self.step,
                self.model.state_dict(),
                self.average.values,
                tuple(collect_optimizer(optimizer) for optimizer in self.optimizers),
                {"preset": self.preset.to_metadata(), "recipe": self.recipe.to_metadata()},
                {name: value for name, value in self.objective.state_dict().items() if name.startswith("naming.")},
            ).write(self.checkpoint_file)

    def averaged_model(self) -> BitrateControlledDiffusion:
        """A copy of the model with the averaged weights, for evaluation."""
        model = BitrateControlledDiffusion(self.preset, self.model.codec).to(self.accelerator.device)
        model.load_state_dict(self.model.state_dict() | self.average.values)  # the average has no buffers
        return model.eval().requires_grad_(False)

    def _settle(self, lesson: MotionDifferences) -> None:
        """Let motion begin with what the first batches show; the same ones in all processes."""
        recipe, device = self.recipe, self.accelerator.device
        torch.manual_seed(recipe.seed)
        lesson.to(device).settle(
            TensorBatch.from_arrays(
                self.mixture.draw(step, recipe.pairs, recipe.content_frames, 2 * recipe.target_frames), device
            )
            for step in range(SETTLED)
        )

    def _take_step(self, objective: Any, optimizers: list[Any]) -> dict[str, float]:
        recipe, accelerator = self.recipe, self.accelerator
        rank = accelerator.process_index
        # Chance depends on the step alone, so that a resumed run repeats itself bit for bit.
        torch.manual_seed((recipe.seed * 1_000_003 + self.step) * 64 + rank)
        batch = self.mixture.draw(
            self.step * accelerator.num_processes + rank,
            recipe.pairs,
            recipe.content_frames,
            recipe.target_frames,
            in_order=recipe.temporal,
        )
        rate = recipe.rate_at(self.step)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
        tensors = TensorBatch.from_arrays(batch, accelerator.device)
        losses = objective(tensors, recipe.sharpness_at(self.step), recipe.control_at(self.step))
        accelerator.backward(losses.total)
        norm: Tensor = accelerator.clip_grad_norm_(self.objective.parameters(), recipe.clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self.average.update(dict(self.model.named_parameters()), self.step)
        return {
            "loss": float(losses.diffusion),
            "loss_at_max": float(losses.at_max),
            "bits_soft": float(losses.soft_bits),
            "bits_hard": losses.hard_bits,
            "gradient": float(norm),
            "rate": rate,
        }

    def _report(self, measures: dict[str, float], watch: Watch | None) -> None:
        if not self.accelerator.is_main_process:
            return
        line = {"step": self.step} | {name: round(value, 5) for name, value in measures.items()}
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if watch is not None:
            watch(Progress(self.step, self.recipe.steps, measures["seconds"], measures))


def make_objective(model: BitrateControlledDiffusion, recipe: Recipe) -> nn.Module:
    """What a run minimizes: cross-driving, or a lesson of motion alone."""
    if recipe.learns != "motion":
        return CrossDriving(model, recipe)
    videos = model.preset.codec == "latent"
    return MotionDifferences(model, recipe) if videos else MotionAgreement(model, recipe)


def choose_learners(model: BitrateControlledDiffusion, recipe: Recipe) -> None:
    """Freeze what the recipe does not train.

    Raises:
        BitpuppetError: motion is to learn alone, but has no part of its own in this preset.
    """
    if recipe.learns == "all":
        return
    if not isinstance(model.encoder, Encoder) or model.encoder.stem is None:
        raise BitpuppetError(f"preset {model.preset.name} has no stem, so motion learns with all else; train all")
    motion = [*model.encoder.stem.parameters(), *model.quantizer.parameters()]
    if recipe.learns == "motion":
        model.requires_grad_(False)
    for parameter in motion:
        parameter.requires_grad_(recipe.learns == "motion")
    if model.denoiser.telling is not None:
        model.denoiser.telling.requires_grad_(True)  # both runs need it


def make_optimizers(model: nn.Module, recipe: Recipe) -> tuple[Optimizer, ...]:
    """Muon for the matrices inside blocks, AdamW for the rest; only those that have something to train."""
    named = dict(model.named_parameters())
    matrices, others = ([named[name] for name in names] for names in split_parameters(list(named.items())))
    made: list[Optimizer] = []
    if matrices:
        made.append(Muon(matrices, lr=recipe.muon_rate, weight_decay=recipe.weight_decay))
    if others:
        betas = (0.9, 0.98)
        made.append(AdamW(others, lr=recipe.adam_rate, weight_decay=recipe.weight_decay, betas=betas, fused=True))
    for optimizer in made:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return tuple(made)
