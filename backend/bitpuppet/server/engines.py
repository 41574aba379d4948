"""Models in memory: what tasks need of an engine, and how one is loaded. Torch is imported in `load` only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.retarget import Frames, StepWatch
from bitpuppet.jobs.strip import Strip
from bitpuppet.server.models import SUFFIX, ModelFile

if TYPE_CHECKING:
    from bitpuppet.jobs.batch import BatchWatch
    from bitpuppet.jobs.drawing import Continuer
    from bitpuppet.jobs.engine import Retargeted
    from bitpuppet.model.packing import TokenCoder
    from bitpuppet.model.preset import Preset

_BATCH_SHARE = 4
"""A batch of jobs is this much smaller than what the device holds at once: its end is when all of it ends."""


class TaskEngine(Protocol):
    """What tasks need of `Engine`; see there."""

    @property
    def preset(self) -> Preset:
        """The model's sizes."""
        ...

    @property
    def coder(self) -> TokenCoder:
        """Packs motion tokens."""
        ...

    def retarget(
        self,
        content: Frames,
        motion: Any,
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> Retargeted:
        """Draw a character in the poses of frames."""
        ...

    def draw(
        self,
        content: Frames,
        tokens: NDArray[np.int64],
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> NDArray[np.float32]:
        """Draw a character in the poses of motion tokens."""
        ...

    def encode_motion(self, motion: Frames) -> NDArray[np.int64]:
        """Motion tokens of frames."""
        ...

    def mix_tokens(
        self, first: NDArray[np.int64], second: NDArray[np.int64], shares: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Motion tokens in between."""
        ...

    def count_bits(self, tokens: NDArray[np.int64]) -> float:
        """Code length in bits per frame."""
        ...


class Together(Protocol):
    """`retarget_together` with its engine."""

    def __call__(
        self, strips: Sequence[Strip], *, steps: int | None = None, callback: BatchWatch | None = None
    ) -> Sequence[Retargeted]:
        """Draw several strips at once."""
        ...


@dataclass
class Loaded:
    """A model in memory."""

    engine: TaskEngine
    fingerprint: str
    device: str = "cpu"
    batch_frames: int = 0
    """Frames of several jobs that are drawn at once; 0 where that gains nothing."""
    together: Together | None = None
    encode: Callable[[Frames], NDArray[np.float32]] | None = None
    """Content tokens (K, width) of placed frames."""
    load_prior: Callable[[], Continuer] | None = None
    _prior: Continuer | None = None

    @property
    def prior(self) -> Continuer:
        """The model's motion prior, loaded when it is asked for first. Raises BitpuppetError when there is none."""
        if self._prior is None:
            if self.load_prior is None:
                raise BitpuppetError(
                    "this model has no motion prior, so it cannot continue motions; name another model"
                )
            self._prior = self.load_prior()
        return self._prior


EngineLoader = Callable[[ModelFile, str | None], Loaded]
"""Load a model on a device, None for the best one."""


def load(file: ModelFile, device: str | None) -> Loaded:
    """Import the model's libraries and load a model.

    Raises:
        BitpuppetError: it cannot be loaded, or there is no such device.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from bitpuppet.jobs.batch import retarget_together
    from bitpuppet.jobs.engine import Engine
    from bitpuppet.model.device import frames_at_once

    try:
        engine = Engine.load(file.info.preset, file.path, device)
    except (MemoryError, RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0] or "the memory is too small"
        raise BitpuppetError(
            f"the model {file.info.name} cannot be loaded ({reason}); start the server with another --device"
        ) from error

    def together(
        strips: Sequence[Strip], *, steps: int | None = None, callback: BatchWatch | None = None
    ) -> Sequence[Retargeted]:
        return retarget_together(engine, strips, steps=steps, callback=callback)

    def load_prior() -> Continuer:
        own = file.path.with_name(f"{file.info.name}-prior{SUFFIX}")
        return engine.load_prior(own if own.is_file() else None)

    def encode(content: Frames) -> NDArray[np.float32]:
        known = engine.encode_content(content)
        values: NDArray[np.float32] = known.tokens[known.mask].float().cpu().numpy()
        return values

    is_cpu = engine.device.type == "cpu"
    return Loaded(
        engine,
        file.info.fingerprint,
        engine.device.type,
        0 if is_cpu else frames_at_once(engine.device) // _BATCH_SHARE,
        None if is_cpu else together,
        encode,
        load_prior,
    )


def measure_device() -> int | None:
    """Bytes that torch has taken of a GPU; None where it is not loaded or has none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return int(torch.cuda.memory_reserved())
