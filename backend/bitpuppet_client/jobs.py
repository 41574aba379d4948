"""The kinds of jobs: their parameters, and the pictures and numbers that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitpuppet_client.errors import ParameterError
from bitpuppet_client.limits import (
    MAX_COLOURS,
    MAX_FRAMES,
    MAX_MINUTES,
    MAX_SEED,
    MAX_STEPS,
    MAX_TRAINING_STEPS,
    MAX_VARIATIONS,
)
from bitpuppet_client.parts import Parts, check_frame_count, check_part, describe_array
from bitpuppet_client.schema import check_flag, check_name, check_number, check_text, check_whole

DEFAULT_MODEL = "sprite64"
SOFT_PRESETS = ("heads", "paper", "render64")
"""Presets that draw soft edges and shades, which a palette lock or hard alpha would take away: only where asked for."""
MAX_TEMPERATURE = 10.0


@dataclass(frozen=True)
class PixelParams:
    """How drawn frames become exact pixels, where the job has the palette lock.

    Colours are the character's own, or those of the part `palette`, uint8 (P, 3) with 1 to 256 colours.
    """

    colours: int | None = None
    """So many of the character's own colours, 1 to 256; None for all of them, or where there is a part `palette`."""
    hard_alpha: bool = True
    """Alpha is 0 or 255."""
    outline: bool = False
    """Mend outlines."""
    orphans: bool = True
    """Mend single pixels unlike all their neighbours."""
    patterns: bool = False
    """Mend pixels that the character always shows otherwise."""

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        check_whole("colours", self.colours, 1, MAX_COLOURS, optional=True)
        for name in ("hard_alpha", "outline", "orphans", "patterns"):
            check_flag(name, getattr(self, name))


OWN_PIXELS = PixelParams()


@dataclass(frozen=True)
class RetargetParams:
    """The character of the part `content` performs the part `motion`, with the colours of `palette` if it is there.

    The first two are straight-alpha RGBA frames, uint8 (N, H, W, 4) and (T, h, w, 4), in the art's own size and pixel
    scale. The result's part `frames` is uint8 (T, H, W, 4).
    """

    kind: ClassVar[str] = "retarget"
    needed: ClassVar[tuple[str, ...]] = ("content", "motion")
    optional: ClassVar[tuple[str, ...]] = ("palette",)

    model: str = DEFAULT_MODEL
    """Name of a model in the server's folder; never a path."""
    seed: int = 0
    steps: int | None = None
    """Sampling steps, 1 to 100; None for the model's own number."""
    palette_lock: bool = True
    """Bring the frames to exact pixels, by `pixels`; otherwise they are as the model drew them."""
    pixels: PixelParams = OWN_PIXELS

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        _check_drawing(self)


@dataclass(frozen=True)
class ExtendParams:
    """The part `motion`, uint8 (T, h, w, 4), goes on for `count` frames, drawn with the part `content`.

    Without `content` the motion's frames are the content too. The result's parts `frames`, `frames_2`, ... are the
    variations, uint8 (T + count, H, W, 4), best first.
    """

    kind: ClassVar[str] = "extend"
    needed: ClassVar[tuple[str, ...]] = ("motion",)
    optional: ClassVar[tuple[str, ...]] = ("content", "palette")

    count: int
    """New frames, 1 or more."""
    model: str = DEFAULT_MODEL
    loop: bool = False
    """Make the end lead into the start."""
    temperature: float = 1.0
    """Above 0, at most 10: how far the new motion may stray."""
    top_p: float = 1.0
    """Above 0, at most 1: the share of likely codewords to choose from."""
    variations: int = 1
    seed: int = 0
    steps: int | None = None
    palette_lock: bool = True
    pixels: PixelParams = OWN_PIXELS

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        _check_drawing(self)
        check_whole("count", self.count, 1, MAX_FRAMES)
        check_flag("loop", self.loop)
        check_whole("variations", self.variations, 1, MAX_VARIATIONS)
        tiny = float(np.finfo(np.float32).tiny)  # above 0, and still above it in the model's own numbers
        check_number("temperature", self.temperature, tiny, MAX_TEMPERATURE)
        check_number("top_p", self.top_p, tiny, 1.0)


@dataclass(frozen=True)
class TokensParams:
    """The motion tokens of the part `motion`, uint8 (T, h, w, 4): the result's part `tokens`, uint16 (T, groups)."""

    kind: ClassVar[str] = "tokens"
    needed: ClassVar[tuple[str, ...]] = ("motion",)
    optional: ClassVar[tuple[str, ...]] = ()

    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        """Raise ParameterError when the model is no name."""
        check_name("model", self.model)


@dataclass(frozen=True)
class EncodeParams:
    """The content tokens of the part `content`, uint8 (N, H, W, 4): the result's part `code`, float32 (K, width)."""

    kind: ClassVar[str] = "encode"
    needed: ClassVar[tuple[str, ...]] = ("content",)
    optional: ClassVar[tuple[str, ...]] = ()

    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        """Raise ParameterError when the model is no name."""
        check_name("model", self.model)


@dataclass(frozen=True)
class DecodeParams:
    """Draw the part `tokens`, uint16 (T, groups), as the character of `content` or `code`.

    `content`, uint8 (N, H, W, 4), gives palette, frame size and pixel scale; `code`, float32 (K, width), saves
    encoding it again. With `code` alone the result's `frames` are on the model's canvas and have no palette lock.

    For in-betweens, `tokens` are mixed with `second`, uint16 (T, groups), at `shares`, float32 (T,): 0 is `tokens`, 1
    `second`. The result then has the mixed ones as its part `tokens`, beside `frames`.
    """

    kind: ClassVar[str] = "decode"
    needed: ClassVar[tuple[str, ...]] = ("tokens",)
    optional: ClassVar[tuple[str, ...]] = ("content", "code", "palette", "second", "shares")

    model: str = DEFAULT_MODEL
    seed: int = 0
    steps: int | None = None
    palette_lock: bool = True
    pixels: PixelParams = OWN_PIXELS

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        _check_drawing(self)


@dataclass(frozen=True)
class TrainParams:
    """Train the model `base` further on a set of characters, as a new model. The result has no parts.

    Everything is a name: the server has one folder of models and one of character sets.
    """

    kind: ClassVar[str] = "train"
    needed: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()

    name: str
    """Of the model that is to be."""
    characters: str
    """Name of a character set."""
    base: str = DEFAULT_MODEL
    steps: int | None = None
    """Steps of the optimizer."""
    minutes: int | None = None
    """About how long to train, pauses not counted, in place of `steps`; without either the server chooses."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ParameterError for a value out of its range."""
        check_name("name", self.name)
        check_name("characters", self.characters)
        check_name("base", self.base)
        check_whole("steps", self.steps, 1, MAX_TRAINING_STEPS, optional=True)
        check_whole("minutes", self.minutes, 1, MAX_MINUTES, optional=True)
        check_whole("seed", self.seed, 0, MAX_SEED)
        if self.steps is not None and self.minutes is not None:
            raise ParameterError("steps and minutes both say how long to train; give one of them")


@dataclass(frozen=True)
class ReadParams:
    """Decode the part `video`, uint8 (bytes,), a whole file: the result's part `frames` is uint8 (T, H, W, 4).

    The settings are texts as the options of the command line take them (docs/formats.md, "Videos"); None is as the file
    has it. No model is needed.
    """

    kind: ClassVar[str] = "read"
    needed: ClassVar[tuple[str, ...]] = ("video",)
    optional: ClassVar[tuple[str, ...]] = ()

    name: str = "the video"
    """What messages call the file: its name without folders."""
    fps: str | None = None
    """Frames a second, such as "12" or "30000/1001"."""
    range: str | None = None
    """Seconds from the start, such as "1.5-4"."""
    crop: str | None = None
    """"centre", "256x256" or "256x256+40+0"."""
    size: str | None = None
    """"64x64", or "64" for the longer side."""
    sampling: str | None = None
    """"nearest" or "area"; None for what suits the picture."""

    def __post_init__(self) -> None:
        """Raise ParameterError when a text is no short line."""
        check_text("name", self.name)
        for name in ("fps", "range", "crop", "size", "sampling"):
            if (value := getattr(self, name)) is not None:
                check_text(name, value)


JobParams = RetargetParams | ExtendParams | TokensParams | EncodeParams | DecodeParams | TrainParams | ReadParams
PARAMS: Mapping[str, type[JobParams]] = {
    kind.kind: kind
    for kind in (RetargetParams, ExtendParams, TokensParams, EncodeParams, DecodeParams, TrainParams, ReadParams)
}
"""The class of parameters for each kind of job."""
KINDS = tuple(PARAMS)
ANNOUNCED = ("retarget", "extend", "tokens", "encode", "decode", "train")
"""Kinds that a `Welcome` may name: the first clients of this version refuse one that names others. Those that came
later are tried, and a server that does not run them answers `unsupported`."""


def check_parts(params: JobParams, parts: Parts) -> None:
    """Refuse arrays that do not fit the job, before anything is queued or computed.

    Raises:
        ParameterError: an array is missing, unknown or of another form.
        LimitError: the result would hold too many frames or pixels.
    """
    for name in params.needed:
        if name not in parts:
            raise ParameterError(f"{params.kind} needs the part {name!r}; send it")
    for name, array in parts.items():
        if name not in params.needed and name not in params.optional:
            raise ParameterError(f"{params.kind} has no part {name!r}; leave it out")
        check_part(name, array)
    if "palette" in parts and getattr(params, "pixels", OWN_PIXELS).colours is not None:
        raise ParameterError("colours chooses among the character's own, the part 'palette' brings others; send one")
    if isinstance(params, RetargetParams):
        check_frame_count(len(parts["motion"]), parts["content"])
    elif isinstance(params, ExtendParams):
        drawn = parts.get("content", parts["motion"])
        check_frame_count(len(parts["motion"]) + params.count, drawn, params.variations)
    elif isinstance(params, DecodeParams):
        if "content" in parts:
            check_frame_count(len(parts["tokens"]), parts["content"])
        elif "code" not in parts:
            raise ParameterError("decode needs the part 'content' or 'code'; send one of them")
        elif params.palette_lock:
            raise ParameterError("palette_lock uses the colours of the part 'content'; send it, or turn the lock off")
        _check_mixture(parts)


def check_results(kind: str, parts: Parts) -> None:
    """Refuse arrays that are no result of a kind of job; errors as `check_parts`."""
    needed = _RESULTS[kind]
    for name in needed:
        if name not in parts:
            raise ParameterError(f"the result of {kind} has no part {name!r}; update the older of add-on and backend")
    for name, array in parts.items():
        if name not in needed and name not in _MORE_RESULTS.get(kind, ()):
            raise ParameterError(f"the result of {kind} has the part {name!r}; update the older of add-on and backend")
        check_part(name, array)


def _check_drawing(params: RetargetParams | ExtendParams | DecodeParams) -> None:
    check_name("model", params.model)
    check_whole("seed", params.seed, 0, MAX_SEED)
    check_whole("steps", params.steps, 1, MAX_STEPS, optional=True)
    check_flag("palette_lock", params.palette_lock)
    if not isinstance(params.pixels, PixelParams):
        raise ParameterError("pixels must be PixelParams; make them")


def _check_mixture(parts: Parts) -> None:
    """Raise ParameterError when `tokens`, `second` and `shares` do not go together."""
    if ("second" in parts) != ("shares" in parts):
        raise ParameterError("the parts 'second' and 'shares' say together what in-betweens are; send both, or neither")
    if "second" not in parts:
        return
    tokens, second, shares = (parts[name] for name in ("tokens", "second", "shares"))
    if second.shape != tokens.shape or len(shares) != len(tokens):
        raise ParameterError(
            f"'tokens' is {describe_array(tokens)}, 'second' {describe_array(second)} and 'shares' "
            f"{describe_array(shares)}; send a pose and a share for each frame"
        )


_RESULTS: Mapping[str, tuple[str, ...]] = {
    "retarget": ("frames",),
    "extend": ("frames",),
    "tokens": ("tokens",),
    "encode": ("code",),
    "decode": ("frames",),
    "train": (),
    "read": ("frames",),
}
_MORE_RESULTS: Mapping[str, tuple[str, ...]] = {
    "extend": tuple(f"frames_{number}" for number in range(2, MAX_VARIATIONS + 1)),
    "decode": ("tokens",),
}
"""Parts that a result may have."""
