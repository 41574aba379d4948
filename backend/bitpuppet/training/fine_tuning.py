"""Fine-tuning: base weights learn a character set, and go on learning what they know.

One object is one run in one folder: `checkpoint.safetensors`, `metrics.jsonl`, sample pictures and the model file. It
has no command line in it; a service runs it by the same calls: `estimate` or `resume`, and `run` with its callbacks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import AdamW

from bitpuppet.data.character_set import CharacterSet
from bitpuppet.data.custom import CustomSource, hold_out
from bitpuppet.data.folder import has_base_data
from bitpuppet.data.mixture import Mixture, Share, make_mixture
from bitpuppet.data.pose_pairs import PosePairs
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.device import autocast, pick_device
from bitpuppet.model.quantizer import FINAL_SHARPNESS
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.borrowing import BorrowingDriving
from bitpuppet.training.checkpoint import Checkpoint, MovingAverage, collect_optimizer, restore_optimizer, write_safely
from bitpuppet.training.low_rank import add_low_rank, merge_low_rank
from bitpuppet.training.motion_lessons import MotionLessons, choose_parameters
from bitpuppet.training.recipe import Recipe
from bitpuppet.training.tuned_model import ModelCard, digest_set, digest_weights, load_base, mix_states, save_tuned
from bitpuppet.training.tuning_clock import DRAWING, READING, Stage, TuningClock
from bitpuppet.training.tuning_looks import Looks
from bitpuppet.training.tuning_recipe import Estimate, Tuned, TuningProgress, TuningRecipe, measure_memory

OnProgress = Callable[[TuningProgress], None]
"""Called after every step; whatever it raises ends the run, after a checkpoint."""
Ask = Callable[[], bool]
_MARGIN = 1.3
"""Share of patches that is rebuilt, of those in which the set shows anything: what is empty must be learnt too."""
_SHARE_DRIVEN = 0.85
"""Pairs of the set whose motion another character shows, where one does; so it is when a new character is drawn."""
_POLL_SECONDS = 0.2
_SHARE_LOOKING = 0.15
"""Most of the time that goes into looks, where the length of a run follows from minutes."""
_TOLD = ("before", "best", "tokens_kept")


class FineTuning:
    """One run."""

    def __init__(
        self,
        characters: CharacterSet,
        folder: Path,
        recipe: TuningRecipe | None = None,
        *,
        base: str = "sprite64",
        weights: Path | None = None,
        data: Path | None = None,
        device: str | None = None,
    ) -> None:
        """Load the base and prepare the set.

        Args:
            characters: what is to be learnt; folder: of the run, which is made when missing.
            recipe: the numbers; None for the usual ones.
            base: the preset that is begun with.
            weights: its weights; None for those that ship.
            data: the data folder; where it has no `lpc/` and `sprites/`, or is None, base data are puppets alone.
            device: None for the best.

        Raises:
            BitpuppetError: the set, the base or the device cannot be used.
        """
        self.recipe = recipe or TuningRecipe()
        self.device = pick_device(device)
        self.model = load_base(base, weights, self.device, characters)
        self.preset = self.model.preset
        held_out = hold_out(characters.characters)
        self.source = CustomSource(characters, self.preset.canvas, held_out=held_out)
        self._occupied = self.source.count_occupied(self.preset.patch)
        self.looks = Looks(self.source, held_out)
        share = Share(self.source, 1.0, self.recipe.recoloured)
        self._set = Mixture([share], seed=self.recipe.seed, share_driven=_SHARE_DRIVEN)
        self._poses = PosePairs(self.source.bank, seed=self.recipe.seed, recoloured=self.recipe.recoloured)
        base_data = None if data is None or not has_base_data(data) else data
        self._base = make_mixture(base_data, self.preset.canvas, seed=self.recipe.seed, enlarged=self.preset.stem_scale)
        self.card = ModelCard(
            base=base,
            base_digest=digest_weights(base, weights),
            set_name=characters.name,
            set_digest=digest_set(characters),
            characters=tuple(character.name for character in characters.characters),
            animations=sum(len(character.animations) for character in characters.characters),
        )
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._begun = {name: value.clone() for name, value in self.model.state_dict().items()}
        self._lessons = MotionLessons(self.model)
        choose_parameters(self.model, motion=self.recipe.motion)
        if self.recipe.rank:
            torch.manual_seed(self.recipe.seed)
            add_low_rank(self.model, self.recipe.rank)
        self._learning = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self._objective = BorrowingDriving(self.model, self._recipe_of_set(1))
        self._optimizer = AdamW(
            self._learning.values(), self.recipe.rate, (0.9, 0.98), weight_decay=0.0, fused=self.device.type != "mps"
        )
        self._average = MovingAverage(self._learning, self.recipe.ema)
        self.step, self.steps, self.seconds = 0, self.recipe.steps or 0, 0.0
        self.figures, self._losses = dict[str, float](), dict[str, float]()
        self._clock = TuningClock()

    @property
    def checkpoint_file(self) -> Path:
        """Where the run can be picked up."""
        return self.folder / "checkpoint.safetensors"

    @property
    def model_file(self) -> Path:
        """What the run leaves."""
        name = "".join(c if c.isalnum() or c in "-_" else "-" for c in self.card.set_name).strip("-") or "model"
        return self.folder / f"{name}.safetensors"

    def estimate(self) -> Estimate:
        """Measure a few steps, which change nothing, and say what the run will take. It also fixes its length."""
        share = self.recipe.share_reading if self.recipe.motion else 0.0
        expected = {
            stage: self._time_steps(stage) if part else 0.0 for stage, part in ((READING, share), (DRAWING, 1 - share))
        }
        per_step = share * expected[READING] + (1 - share) * expected[DRAWING]
        began = time.monotonic()
        figure, _ = self._measure()
        self.figures |= {"looked": 1.0} | ({} if figure is None else {"before": figure})
        look = time.monotonic() - began
        count = self.recipe.looks
        if not self.steps:
            count = max(1, min(count, int(_SHARE_LOOKING * 60 * self.recipe.minutes / max(look, 1e-3))))
        self.figures["looks"], looks = count, count * look
        if not self.steps:
            self.steps = max(1, int((60 * self.recipe.minutes - looks) / per_step))
        expected[DRAWING] += looks / max(1, self.steps - self._count_reading())
        self._clock.expected = expected
        memory = measure_memory(self.device)
        values = sum(value.numel() for value in self.model.state_dict().values())
        learning = sum(value.numel() for value in self._learning.values())
        return Estimate(self.steps, self.steps * per_step + looks, per_step, memory, 4 * (values + 3 * learning))

    def resume(self) -> None:
        """Go on with the run in the folder.

        Raises:
            BitpuppetError: there is no usable checkpoint, or it is of another base, set or recipe.
        """
        checkpoint = Checkpoint.read(self.checkpoint_file)
        found = checkpoint.settings
        if found.get("base_digest") != self.card.base_digest or found.get("set_digest") != self.card.set_digest:
            raise BitpuppetError(f"{self.checkpoint_file}: of another base or set; train in another folder")
        if TuningRecipe.from_metadata(found["recipe"]) != self.recipe:
            raise BitpuppetError(f"{self.checkpoint_file}: made with other settings; name the same, or another folder")
        self.model.load_state_dict(checkpoint.model)
        self._average.values = {name: checkpoint.ema[name].to(self.device) for name in self._average.values}
        restore_optimizer(self._optimizer, checkpoint.optimizers[0])
        self.step, self.steps, self.seconds = checkpoint.step, found["steps"], found["seconds"]
        self.figures = dict(found["figures"])
        self._trust(self.figures.get("trust", self.source.bank.trust))

    def run(
        self,
        on_progress: OnProgress | None = None,
        should_stop: Ask | None = None,
        should_pause: Ask | None = None,
        *,
        checkpoint_every: float = 120.0,
    ) -> Tuned:
        """Train to the end, until it is stopped, or until held-out animations get no better.

        Whatever ends it, also Ctrl-C, a checkpoint and the model file are written. While `should_pause` says so, it
        waits, with a checkpoint on the disk.
        """
        if not self.steps or "looked" not in self.figures:
            self.estimate()
        self._objective.train()
        ended, saved = "done", time.monotonic()
        try:
            while self.step < self.steps:
                if self._wait(should_pause, should_stop) or (should_stop is not None and should_stop()):
                    ended = "stopped"
                    break
                began = time.monotonic()
                self._take_step()
                if self._is_reading(self.step - 1) and not self._is_reading(self.step):
                    self._trust(self.looks.choose_trust(self.averaged_model(), self.device))
                progress = self._describe()
                looks = self.step % self.look_every == 0 and not self._is_reading(self.step)
                if looks or self.step == self.steps:
                    progress = self._look(progress)
                took = time.monotonic() - began
                self.seconds += took
                self._clock.note(self._stage_of(self.step - 1), took)
                self._fit_length()
                self._report(progress, on_progress)
                if self.figures.get("stale", 0) >= self.recipe.patience:
                    ended = "early"
                    break
                if time.monotonic() - saved > checkpoint_every:
                    self.save()
                    saved = time.monotonic()
        finally:
            self.save()
            self.export()
        figures = (self.figures.get(name) for name in _TOLD)
        return Tuned(self.model_file, self.step, self.seconds, ended, *figures)

    @property
    def look_every(self) -> int:
        """Steps from one look at the held-out animations to the next."""
        return max(1, self.steps // int(self.figures.get("looks", self.recipe.looks)))

    def save(self) -> None:
        """Write a checkpoint; the old one stays until it is complete.

        Raises:
            BitpuppetError: the disk is full, or the folder cannot be written.
        """
        settings = {
            "base_digest": self.card.base_digest,
            "set_digest": self.card.set_digest,
            "recipe": self.recipe.to_metadata(),
            "steps": self.steps,
            "seconds": self.seconds,
            "figures": self.figures,
        }
        states = (collect_optimizer(self._optimizer),)
        checkpoint = Checkpoint(self.step, self.model.state_dict(), self._average.values, states, settings)
        write_safely(self.checkpoint_file, checkpoint.write)

    def export(self) -> None:
        """Write the model file, unless a look before found a better one, which is there already."""
        if self.figures.get("best_step", self.step) != self.step and self.model_file.is_file():
            return
        self.figures["tokens_kept"] = self._count_kept()
        figures = {name: round(self.figures[name], 4) for name in _TOLD if name in self.figures}
        card = replace(self.card, steps=self.step, seconds=round(self.seconds), figures=figures)
        state = self.averaged_state()
        write_safely(self.model_file, lambda path: save_tuned(path, state, self.preset, card, self.source.bank))

    def averaged_state(self) -> dict[str, Tensor]:
        """State of the model as it is used: the base's, mixed with the moving average of what learns."""
        own = {name: value.detach().clone() for name, value in self._learning.items()}
        with torch.no_grad():
            for name, value in self._learning.items():
                value.copy_(self._average.values[name])
            state = {name: value.detach().clone() for name, value in merge_low_rank(self.model).items()}
            for name, value in self._learning.items():
                value.copy_(own[name])
        state["quantizer.usage"] = self._begun["quantizer.usage"]  # packed tokens carry a fingerprint of it
        return mix_states(self._begun, state, self.recipe.own)

    def averaged_model(self) -> BitrateControlledDiffusion:
        """The model as it would be saved now, for use."""
        model = BitrateControlledDiffusion(self.preset, self.model.codec).to(self.device)
        model.load_state_dict(self.averaged_state())
        return model.eval().requires_grad_(False)

    def _take_step(self) -> None:
        is_base, reading = self._is_base(self.step), self._is_reading(self.step)
        losses = self._compute(self.step, is_base, reading)
        loss = float(losses.detach())
        if not math.isfinite(loss):
            raise BitpuppetError(f"{self.folder}: the loss is no number after step {self.step}; train more slowly")
        losses.backward()
        torch.nn.utils.clip_grad_norm_(self._learning.values(), Recipe.clip)
        rate = self.recipe.rate * self._objective.recipe.rate_at(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        self._average.update(self._learning, self.step)
        kind = ("reading base" if reading else "base") if is_base else ("reading" if reading else "set")
        self._losses[kind] = 0.9 * self._losses.get(kind, loss) + 0.1 * loss

    def _compute(self, step: int, is_base: bool, reading: bool) -> Tensor:
        """The total loss of a step's batch; chance depends on the step alone."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + step)
        recipe = self.recipe.for_base(self.steps) if is_base else self._recipe_of_set(self.steps)
        self._objective.recipe = recipe
        mixture = self._base if is_base else self._set
        if reading and not is_base:
            arrays = self._poses.draw(step, recipe.pairs)
        else:
            arrays = mixture.draw(step, recipe.pairs, recipe.content_frames, recipe.target_frames, in_order=True)
        batch = TensorBatch.from_arrays(arrays, self.device)
        sharpness = recipe.sharpness_at(step) if self.recipe.motion else FINAL_SHARPNESS
        with autocast(self.device):
            if is_base:
                kept = self._lessons.keep(batch, recipe.encoder_tokens) if self.recipe.motion else torch.zeros(())
            if reading:
                return kept if is_base else self._lessons.score(batch, recipe.encoder_tokens, sharpness)
            total: Tensor = self._objective(batch, sharpness).total
        return total + kept if is_base else total

    def _trust(self, trust: float) -> None:
        self.figures["trust"] = self.source.bank.trust = trust
        self.looks.set_trust(trust)

    def _is_base(self, step: int) -> bool:
        return bool(self.recipe.base_every) and step % self.recipe.base_every == self.recipe.base_every - 1

    def _is_reading(self, step: int) -> bool:
        return step < self._count_reading()

    def _count_reading(self) -> int:
        """Steps in which the reader alone learns, the first ones."""
        return math.ceil(self.recipe.share_reading * self.steps) if self.recipe.motion else 0

    def _stage_of(self, step: int) -> Stage:
        return READING if self._is_reading(step) else DRAWING

    def _recipe_of_set(self, steps: int) -> Recipe:
        most, union = self._occupied
        return self.recipe.for_set(steps, most, min(self.preset.tokens, math.ceil(_MARGIN * union) + 1))

    def _time_steps(self, stage: Stage) -> float:
        """Seconds of a step of a stage, forward and backward, on the average over the set and base data."""
        every, seconds = self.recipe.base_every, 0.0
        for is_base, share in ((False, 1 - 1 / every if every else 1.0), (True, 1 / every if every else 0.0)):
            for number in range(3 if share else 0):
                began = time.monotonic()
                self._compute(0, is_base, stage == READING).backward()
                if number:  # the first one warms up, also what the bank remembers
                    seconds += share * (time.monotonic() - began) / 2
        self.model.zero_grad()
        self.model.quantizer.usage.copy_(self._begun["quantizer.usage"])
        return seconds

    def _look(self, progress: TuningProgress) -> TuningProgress:
        """Measure the held-out animations with the averaged weights, draw them, and keep the best weights."""
        figure, samples = self._measure()
        if figure is not None:
            if figure >= self.figures.get("best", 0.0):
                self.figures |= {"best": figure, "best_step": self.step, "stale": 0}
                self.export()
            else:
                self.figures["stale"] = self.figures.get("stale", 0) + 1
        return replace(progress, held_out=figure, best=self.figures.get("best"), samples=samples)

    def _measure(self) -> tuple[float | None, Path]:
        samples = self.folder / f"sample-{self.step:06d}.png"
        return self.looks.measure(self.averaged_model(), self.device, samples), samples

    def _count_kept(self) -> float:
        """See `Tuned.tokens_kept`; of the weights as they are, not of their average."""
        recipe = self.recipe.for_base(1)
        batch = self._base.draw(0, 4 * recipe.pairs, recipe.content_frames, recipe.target_frames, in_order=True)
        return self._lessons.count_kept(TensorBatch.from_arrays(batch, self.device))

    def _fit_length(self) -> None:
        """Fit the length anew while drawing, where minutes give it: other programs may have come or gone."""
        if self.recipe.steps is None and not self._is_reading(self.step - 1):
            left = 60 * self.recipe.minutes - self.seconds
            self.steps = self._clock.fit_length(self.step, self.steps, left, self.recipe.share_reading)

    def _describe(self) -> TuningProgress:
        reading = max(0, self._count_reading() - self.step)
        left = self._clock.measure_left({READING: reading, DRAWING: self.steps - self.step - reading})
        stage = self._stage_of(self.step - 1)
        return TuningProgress(
            self.step,
            self.steps,
            stage,
            round(self.seconds, 2),
            round(left, 1),
            self._losses.get("reading" if stage == READING else "set"),
            self._losses.get("reading base" if stage == READING else "base"),
            best=self.figures.get("best"),
        )

    def _report(self, progress: TuningProgress, on_progress: OnProgress | None) -> None:
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(progress.to_line() + "\n")
        if on_progress is not None:
            on_progress(progress)

    def _wait(self, should_pause: Ask | None, should_stop: Ask | None) -> bool:
        """Wait while it is asked for; whether to stop."""
        if should_pause is None or not should_pause():
            return False
        self.save()
        while should_pause():
            if should_stop is not None and should_stop():
                return True
            time.sleep(_POLL_SECONDS)
        return False
