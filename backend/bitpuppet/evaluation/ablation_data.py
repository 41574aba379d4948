"""What the ablation trains and measures on: Sprites, puppets where there is no data folder, or rendered characters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bitpuppet.data.benchmark import ATTRIBUTES, Benchmark
from bitpuppet.data.mixture import BenchmarkSource, PuppetSource, Source
from bitpuppet.data.rendered import RenderedSource, open_rendered
from bitpuppet.evaluation.probes import EngineReader, probe_leakage
from bitpuppet.evaluation.rendered import evaluate_rendered
from bitpuppet.evaluation.retargeting import evaluate_held_out, evaluate_sprites

if TYPE_CHECKING:
    from bitpuppet.evaluation.judge import Judge
    from bitpuppet.jobs.engine import Engine

Tell = Callable[[str, int, int], None]


class AblationData(Protocol):
    """One kind of characters."""

    def make_source(self, canvas: int) -> Source:
        """The characters that are for training."""
        ...

    def measure(
        self, engine: Engine, *, pairs: int, content_frames: int, clips: int, seed: int, tell: Tell
    ) -> dict[str, Any]:
        """Figures of a model on characters that training never showed, without the palette stage.

        Args:
            engine: the model.
            pairs: swaps.
            content_frames: that the model sees of a character.
            clips: of each training character, for probes.
            seed: of swaps, noise and probes.
            tell: told how far it is.
        """
        ...


class SpritesData:
    """The Sprites benchmark."""

    def __init__(self, root: Path) -> None:
        """`root`: the data folder, with `sprites/` in it."""
        self.root = root

    def make_source(self, canvas: int) -> Source:
        """See `AblationData`; the benchmark has a canvas of its own, which is that of the models."""
        return BenchmarkSource(self.root / "sprites")

    def measure(
        self, engine: Engine, *, pairs: int, content_frames: int, clips: int, seed: int, tell: Tell
    ) -> dict[str, Any]:
        """See `AblationData`; `product` has the figures with the palette stage."""
        report = evaluate_sprites(
            engine,
            self.root,
            seed=seed,
            judge=open_sprites_judge(self.root, tell),
            pairs=pairs,
            content_frames=content_frames,
            watch=tell,
        )
        benchmark = Benchmark(self.root / "sprites")
        leakage = probe_leakage(EngineReader(engine), benchmark, clips=clips, seed=seed, watch=tell)
        attributes = leakage.find("motion tokens", "attributes")
        motion = leakage.find("content queries", "motion")
        return {
            **report.raw,
            "attributes": float(np.mean([report.raw[name] for name in ATTRIBUTES])),
            **report.rate,
            "attribute_leak": attributes.advantage,
            "attribute_leak_error": attributes.error,
            "motion_leak": motion.advantage,
            "motion_leak_error": motion.error,
            "readings": leakage.to_json()["readings"],
            "product": dict(report.product),
        }


class PuppetsData:
    """Puppets, which need no data, have no judge and no probes."""

    def make_source(self, canvas: int) -> Source:
        """See `AblationData`."""
        return PuppetSource(canvas)

    def measure(
        self, engine: Engine, *, pairs: int, content_frames: int, clips: int, seed: int, tell: Tell
    ) -> dict[str, Any]:
        """See `AblationData`; `product` has the figures with the palette stage."""
        report = evaluate_held_out(
            engine, None, "puppets", seed=seed, pairs=pairs, content_frames=content_frames, watch=tell
        )
        return {**report.raw, **report.rate, "product": dict(report.product)}


class RenderedData:
    """Characters that tools/render_characters.py made."""

    def __init__(self, root: Path) -> None:
        """Look at the folder.

        Raises:
            BitpuppetError: as `open_rendered`.
        """
        self.root = root
        open_rendered(root)

    def make_source(self, canvas: int) -> Source:
        """See `AblationData`."""
        return RenderedSource(self.root, canvas)

    def measure(
        self, engine: Engine, *, pairs: int, content_frames: int, clips: int, seed: int, tell: Tell
    ) -> dict[str, Any]:
        """See `AblationData`; there are no names of looks to probe for."""
        found = evaluate_rendered(engine, self.root, pairs=pairs, seed=seed, content_frames=content_frames, watch=tell)
        return {**found.columns["model"], **found.rate}


def open_sprites_judge(root: Path, tell: Tell) -> Judge:
    """The judge of the benchmark in the data folder."""
    from bitpuppet.evaluation.judge_cache import open_judge

    return open_judge(Benchmark(root / "sprites"), watch=tell)
