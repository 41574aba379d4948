"""An animation goes on, by the motion prior or by its own cycle, and may end where it began. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.cycles import find_period, list_next, match_frames
from bitpuppet.jobs.drawing import (
    MAX_TEMPERATURE,
    Continuer,
    DrawingEngine,
    Watch,
    check_chance,
    check_count,
    draw_frames,
    name_palette,
)
from bitpuppet.jobs.pixels import DEFAULT_STEPS
from bitpuppet.jobs.retarget import Prepared, StepWatch, check_numbers, finish, place_frames
from bitpuppet.jobs.seams import Seam, judge_seam, measure_change
from bitpuppet.model.packing import PackedTokens
from bitpuppet.sprites import MAX_FRAMES, MAX_PIXELS, ExactSettings

Frames = NDArray[np.uint8]
Tokens = NDArray[np.int64]

MAX_VARIATIONS = 16
DEFAULT_TEMPERATURE, DEFAULT_TOP_P = 0.8, 0.95
LOOP_DRAWS = 8
"""Continuations that are drawn for a loop, of which the best one is kept; twice the variations if that is more."""
MARGIN = 12
"""Frames of the given animation that are drawn along with the new ones, so that these know what is beside them."""
_ROUNDS, _HOTTER = 12, 1.3
"""How often, and with how much more temperature each time, other continuations are looked for."""


@dataclass(frozen=True)
class ExtendSettings:
    """How an animation goes on."""

    frames: int
    """New frames, 1 or more."""
    loop: bool = False
    """Make the end lead into the start."""
    cycle: bool = False
    """Repeat the given motion's own cycle instead of asking the prior."""
    redraw: bool = False
    """Draw all new frames, also those whose motion tokens a given frame has."""
    temperature: float = DEFAULT_TEMPERATURE
    top_p: float = DEFAULT_TOP_P
    variations: int = 1
    seed: int = 0
    steps: int | None = None
    palette_lock: bool = True
    pixels: ExactSettings = DEFAULT_STEPS
    """The steps to exact pixels, with the palette lock."""

    def __post_init__(self) -> None:
        """Raise BitpuppetError for a value out of its range."""
        check_numbers(self.seed, self.steps)
        check_count("--frames", self.frames, MAX_FRAMES)
        check_count("--variations", self.variations, MAX_VARIATIONS)
        check_chance(self.temperature, self.top_p)
        if self.cycle and self.variations > 1:
            raise BitpuppetError("--cycle knows one continuation; leave out --variations, or --cycle")


@dataclass(frozen=True)
class Extended:
    """One continuation."""

    frames: Frames
    """The given frames, untouched, and the new ones, as the given art is: (T + N, H, W, 4)."""
    tokens: Tokens
    """Motion tokens of the new frames, (N, groups)."""
    seam: Seam
    join: float
    """Difference between the last given frame and the first new one, as in `measure_change`."""
    method: Literal["prior", "cycle"]
    copied: int
    """New frames that are given frames again, pixel by pixel."""
    cut_pixels: int
    """Visible pixels of the new frames that lie outside the frame."""

    def to_json(self) -> dict[str, Any]:
        """What `--json` tells about it."""
        return {
            "seam": round(self.seam.seam, 4),
            "largest_inside": round(self.seam.largest_inside, 4),
            "loop_closed": self.seam.closed,
            "join": round(self.join, 4),
            "method": self.method,
            "copied_frames": self.copied,
            "cut_pixels": self.cut_pixels,
        }


@dataclass(frozen=True)
class Extension:
    """What came of continuing."""

    variations: tuple[Extended, ...]
    """Different continuations, the smallest seam first."""
    tries: int
    """Continuations that were drawn as pictures."""


@dataclass(frozen=True)
class Source:
    """What is to go on."""

    frames: Frames
    """The given frames as their art is, (T, H, W, 4)."""
    tokens: Tokens
    """(T, groups)"""
    prepared: Prepared
    """The content on the canvas, its palette, and the way back to the given art."""
    shown: bool
    """Whether the given frames show the content, so that a pose of theirs is best drawn by themselves."""


def prepare_source(
    engine: DrawingEngine,
    motion: Frames | PackedTokens,
    canvas: int,
    settings: ExtendSettings,
    content: Frames | None = None,
    names: tuple[str, str] = ("motion", "content"),
) -> Source:
    """Put art on the canvas and find its motion tokens.

    Args:
        engine: encodes; draws the given frames too where the motion is packed tokens.
        motion: the given frames as their art is, uint8 RGBA (T, H, W, 4), or packed motion tokens.
        canvas: side of the engine's canvas in pixels.
        settings: for limits and drawing.
        content: views of the character that performs the new frames, uint8 RGBA (N, h, w, 4); None for the given
            frames, which only pictures can be.
        names: what messages call motion and content.

    Raises:
        BitpuppetError: the art cannot be used, or the result would be too large.
    """
    if isinstance(motion, PackedTokens):
        if content is None:
            raise BitpuppetError(f"{names[0]}: packed motion tokens show nobody; say who performs them with --content")
        return _draw_source(engine, motion, canvas, settings, content, names)
    check_room(motion.shape, settings, names[0])
    placed, anchor, scale = place_frames(motion, canvas, names[0])
    cast = placed if content is None else place_frames(content, canvas, names[1])[0]
    palette = name_palette(cast, names[content is not None])
    size = motion.shape[2], motion.shape[1]
    known = {frame.tobytes() for frame in cast}
    shown = content is None or all(frame.tobytes() in known for frame in placed)
    prepared = Prepared(cast, placed, palette, anchor, scale, size, steps=settings.pixels)
    return Source(motion, engine.encode_motion(placed), prepared, shown)


def _draw_source(
    engine: DrawingEngine,
    motion: PackedTokens,
    canvas: int,
    settings: ExtendSettings,
    content: Frames,
    names: tuple[str, str],
) -> Source:
    check_room((len(motion), *content.shape[1:]), settings, names[0])
    cast, anchor, scale = place_frames(content, canvas, names[1])
    prepared = Prepared(cast, cast[:0], name_palette(cast, names[1]), anchor, scale, None, motion, settings.pixels)
    tokens = engine.coder.unpack(motion)
    drawn = draw_frames(engine, cast, tokens, settings.seed, settings.steps, None)
    return Source(finish(prepared, drawn, palette_lock=settings.palette_lock)[0], tokens, prepared, True)


def extend_source(
    engine: DrawingEngine,
    prior: Continuer | None,
    source: Source,
    settings: ExtendSettings,
    watch: Watch | None = None,
    show: StepWatch | None = None,
) -> Extension:
    """Continue an animation.

    With the loop wanted, several continuations are drawn, the likeliest to lead into the first frame first, until as
    many as wanted close; where none does, the given motion's own cycle takes their place if its seam is smaller.

    Args:
        engine: draws.
        prior: continues motion tokens; may be None where `settings.cycle` is set.
        source: from `prepare_source`.
        settings: how.
        watch: for progress and cancelling.
        show: is told the steps of drawing in place of `watch`, with the new frames as they are then, or some.

    Returns:
        As many different continuations as `settings.variations` says.

    Raises:
        BitpuppetError: the prior is broken, or the memory too small.
    """
    done: list[Extended] = []
    tries = 0
    if settings.cycle or prior is None:
        return Extension((_draw_cycle(engine, source, settings, watch, show),), 1)
    for tokens in _draw_continuations(prior, source, settings, watch):
        tries += 1
        one = _draw_frames(engine, source, tokens, settings, "prior", watch, show)
        if any(np.array_equal(one.frames, other.frames) for other in done):
            continue  # other motion tokens, but nobody could see it
        done = _keep_best([*done, one], settings)
        if len(done) == settings.variations and (not settings.loop or all(one.seam.closed for one in done)):
            break
    if settings.loop and not any(one.seam.closed for one in done):
        done = _keep_best([*done, _draw_cycle(engine, source, settings, watch, show)], settings)
        tries += 1
    return Extension(tuple(sorted(done, key=lambda one: one.seam.seam)), tries)


def _keep_best(done: list[Extended], settings: ExtendSettings) -> list[Extended]:
    """As many as wanted, those first that close a loop: all tries together would take too much memory."""
    return sorted(done, key=lambda one: (settings.loop and not one.seam.closed, one.seam.seam))[: settings.variations]


def check_room(shape: tuple[int, ...], settings: ExtendSettings, name: str) -> None:
    """Raise BitpuppetError when the new frames are more than strips may have; `shape` is the given (T, H, W, 4)."""
    count, height, width = shape[:3]
    most = min(MAX_FRAMES, MAX_PIXELS // (height * width * settings.variations)) - count
    if settings.frames > most:
        remedy = f"use at most {most}" if most > 0 else "name fewer motion rows or fewer variations"
        raise BitpuppetError(
            f"--frames is {settings.frames}; {name} has {count} frames of {width}x{height}, and the limit is "
            f"{MAX_FRAMES} frames a strip and {MAX_PIXELS // 1_000_000} million pixels in all; {remedy}"
        )


def _draw_continuations(
    prior: Continuer, source: Source, settings: ExtendSettings, watch: Watch | None
) -> Iterator[Tokens]:
    """Different continuations (N, groups), best first; hotter ones where they run out."""
    goal = source.tokens[0] if settings.loop else None
    count = max(LOOP_DRAWS, 2 * settings.variations) if settings.loop else settings.variations
    temperature = settings.temperature
    known: set[bytes] = set()

    def tell(frame: int, frames: int) -> None:
        if watch is not None:
            watch("continuing the motion", frame, frames)

    for attempt in range(_ROUNDS):
        drawn = prior.continue_motion(
            source.tokens,
            settings.frames,
            goal=goal,
            temperature=temperature,
            top_p=settings.top_p if attempt == 0 else 1.0,
            seeds=[(settings.seed, number + attempt * count) for number in range(count)],
            callback=tell,
        )
        fresh = [one for one in {one.tobytes(): one for one in drawn}.values() if one.tobytes() not in known]
        known |= {one.tobytes() for one in fresh}
        if goal is not None:
            whole = [np.concatenate([source.tokens, one]) for one in fresh]
            rated = [prior.measure_arrival(one, goal) for one in whole]
            fresh = [fresh[number] for number in np.argsort(rated, kind="stable")]
        yield from fresh
        if len(known) >= settings.variations:
            return  # a loop that none of them closes is a matter for the cycle, not for wilder motion
        temperature = min(temperature * _HOTTER, MAX_TEMPERATURE)


def _draw_cycle(
    engine: DrawingEngine, source: Source, settings: ExtendSettings, watch: Watch | None, show: StepWatch | None
) -> Extended:
    numbers = list_next(len(source.tokens), find_period(source.frames), settings.frames, loop=settings.loop)
    matches: list[int | None] = [int(number) for number in numbers]
    return _draw_frames(engine, source, source.tokens[numbers], settings, "cycle", watch, show, matches)


def _draw_frames(
    engine: DrawingEngine,
    source: Source,
    tokens: Tokens,
    settings: ExtendSettings,
    method: Literal["prior", "cycle"],
    watch: Watch | None,
    show: StepWatch | None,
    matches: list[int | None] | None = None,
) -> Extended:
    """Draw one continuation; `matches` are the given frames that its frames repeat, if that is known."""
    count = len(tokens)
    if settings.redraw or not source.shown:
        matches = [None] * count
    elif matches is None:
        matches = match_frames(tokens, source.tokens)
    new = np.empty((count, *source.frames.shape[1:]), dtype=np.uint8)
    cut = 0
    missing = [number for number, match in enumerate(matches) if match is None]
    if missing:
        before = source.tokens[-MARGIN:]
        after = source.tokens[: MARGIN if settings.loop else 0]
        strip = np.concatenate([before, tokens, after])[:MAX_FRAMES]

        def tell(step: int, steps: int, drawn: NDArray[np.float32]) -> None:
            if show is not None:
                is_whole = len(drawn) == len(strip)  # where an autoencoder makes them, the engine shows a few frames
                show(step, steps, drawn[len(before) :][:count] if is_whole else drawn)
            elif watch is not None:
                watch("drawing", step, steps)

        content = source.prepared.content
        drawn = draw_frames(engine, content, strip, settings.seed, settings.steps, tell)
        new[missing], cut = finish(source.prepared, drawn[len(before) :][missing], palette_lock=settings.palette_lock)
    for number, match in enumerate(matches):
        if match is not None:
            new[number] = source.frames[match]
    frames = np.concatenate([source.frames, new])
    join = measure_change(source.frames[-1], new[0])
    return Extended(frames, tokens, judge_seam(frames), join, method, count - len(missing), cut)
