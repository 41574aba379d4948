"""What a worker does with a job: arrays in, arrays and a report out, by the same code as the command line's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.pixels import SOURCE, PixelOptions, count_colours
from bitpuppet.jobs.retarget import Frames, Prepared, StepWatch, finish, place_frames, prepare_frames
from bitpuppet.jobs.strip import Strip
from bitpuppet.server.engines import Loaded
from bitpuppet.server.refusal import Refusal
from bitpuppet.sprites import ExactSettings, collect_palette, enlarge_frames, restore_clip
from bitpuppet_client.jobs import (
    DecodeParams,
    EncodeParams,
    ExtendParams,
    JobParams,
    PixelParams,
    RetargetParams,
    TokensParams,
)
from bitpuppet_client.parts import Array, Parts

MakePreview = Callable[[], Frames]
Watch = Callable[[int, int, MakePreview | None], None]
"""(steps done, steps, makes the preview where there is one); whatever it raises ends the job."""
BatchWatch = Callable[[int, int, Sequence[MakePreview]], None]


@dataclass(frozen=True)
class Done:
    """What came of a job."""

    report: Mapping[str, Any]
    parts: Mapping[str, Array]


def list_kinds() -> tuple[str, ...]:
    """The kinds of jobs that this installation runs."""
    kinds = ("retarget", "tokens", "encode", "decode", "train", "read")
    return (*kinds, "extend") if find_spec("bitpuppet.jobs.extend") is not None else kinds


def run_task(model: Loaded, params: JobParams, parts: Parts, watch: Watch) -> Done:
    """Do a job.

    Raises:
        BitpuppetError: the arrays cannot be used, or the model is broken.
        Refusal: this job is not for this server.
        MemoryError, RuntimeError: the memory is too small, see `is_memory_error`.
    """
    match params:
        case RetargetParams():
            return _retarget(model, params, parts, watch)
        case TokensParams():
            return _read_tokens(model, parts)
        case ExtendParams():
            return _extend(model, params, parts, watch)
        case EncodeParams():
            return _encode(model, parts)
        case DecodeParams():
            return _decode(model, params, parts, watch)
    raise Refusal("unsupported", f"this server runs no jobs of the kind {params.kind}; update the backend")


def prepare_retarget(model: Loaded, params: RetargetParams, parts: Parts) -> Prepared:
    """A retarget job's frames on the model's canvas. Raises BitpuppetError when they cannot be used."""
    prepared = prepare_frames(parts["content"], parts["motion"], model.engine.preset.canvas)
    return replace(prepared, steps=resolve_pixels(params.pixels, parts))


def run_batch(
    model: Loaded, params: Sequence[RetargetParams], prepared: Sequence[Prepared], watch: BatchWatch
) -> list[Done]:
    """Do several retarget jobs at once. They have the same steps, and as many frames as each other.

    Raises:
        BitpuppetError, MemoryError, RuntimeError: as `run_task`; each job alone may still succeed.
    """
    assert model.together is not None
    strips = [Strip(one.content, one.motion, its.seed) for one, its in zip(prepared, params, strict=True)]

    def tell(step: int, steps: int, drawn: Sequence[NDArray[np.float32]]) -> None:
        watch(step, steps, [_make_preview(one, its) for one, its in zip(prepared, drawn, strict=True)])

    all_drawn = model.together(strips, steps=params[0].steps, callback=tell)
    return [
        _finish_retarget(model, its, one, drawn.frames, drawn.bits_per_frame)
        for its, one, drawn in zip(params, prepared, all_drawn, strict=True)
    ]


def is_memory_error(error: BaseException) -> bool:
    """Whether the memory was too small: torch has no type of its own for all devices."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error))


def _retarget(model: Loaded, params: RetargetParams, parts: Parts, watch: Watch) -> Done:
    prepared = prepare_retarget(model, params, parts)
    drawn = model.engine.retarget(
        prepared.content,
        prepared.motion,
        seed=params.seed,
        steps=params.steps,
        callback=_make_callback(prepared, watch),
    )
    return _finish_retarget(model, params, prepared, drawn.frames, drawn.bits_per_frame)


def _finish_retarget(
    model: Loaded,
    params: RetargetParams | DecodeParams,
    prepared: Prepared,
    drawn: NDArray[np.float32],
    bits: float,
) -> Done:
    """The strip in the character's own size and colours. Raises BitpuppetError when the model drew no numbers."""
    if not np.isfinite(drawn).all():
        raise BitpuppetError("the model drew no numbers; use another model, or start the server with another --device")
    frames, cut = finish(prepared, drawn, palette_lock=params.palette_lock)
    report = {
        "frames": len(frames),
        "content_frames": len(prepared.content),
        "seed": params.seed,
        "steps": model.engine.preset.steps if params.steps is None else params.steps,
        "bits_per_frame": round(bits, 2),
        "palette_size": count_colours(prepared.palette, prepared.steps) if params.palette_lock else None,
        "pixel_scale": prepared.scale,
        "cut_pixels": cut,
    }
    return Done(report, {"frames": frames})


def _read_tokens(model: Loaded, parts: Parts) -> Done:
    engine = model.engine
    motion, _, _ = place_frames(parts["motion"], engine.preset.canvas, "motion")
    tokens = engine.encode_motion(motion)
    report = {
        "frames": len(tokens),
        "bits_per_frame": round(engine.count_bits(tokens), 2),
        "groups": engine.preset.groups,
        "codewords": engine.preset.codewords,
    }
    return Done(report, {"tokens": tokens.astype(np.uint16)})


def _encode(model: Loaded, parts: Parts) -> Done:
    content, _, _ = place_frames(parts["content"], model.engine.preset.canvas, "content")
    if model.encode is None:
        raise Refusal("unsupported", "this model tells no content tokens; name another model")
    code = model.encode(content)
    return Done({"content_frames": len(content), "tokens": len(code)}, {"code": code})


def _decode(model: Loaded, params: DecodeParams, parts: Parts, watch: Watch) -> Done:
    if "code" in parts:
        raise Refusal(
            "unsupported",
            "a character is more than its content tokens here: colours and details count, too; send the part content, "
            "and no code",
        )
    engine, tokens = model.engine, _take_tokens(model, parts, "tokens")
    if "second" in parts:
        tokens = engine.mix_tokens(tokens, _take_tokens(model, parts, "second"), parts["shares"])
    content, anchor, scale = place_frames(parts["content"], engine.preset.canvas, "content")
    try:
        palette = collect_palette(content)
    except BitpuppetError as error:
        raise BitpuppetError(f"content: {error}") from error
    pixels = resolve_pixels(params.pixels, parts)
    prepared = Prepared(content, content[:0], palette, anchor, scale, None, steps=pixels)
    callback = _make_callback(prepared, watch)
    drawn = engine.draw(content, tokens, seed=params.seed, steps=params.steps, callback=callback)
    done = _finish_retarget(model, params, prepared, drawn, engine.count_bits(tokens))
    return replace(done, parts={**done.parts, "tokens": tokens.astype(np.uint16)}) if "second" in parts else done


def _take_tokens(model: Loaded, parts: Parts, name: str) -> NDArray[np.int64]:
    """A part with motion tokens (T, groups). Raises BitpuppetError when they are not this model's."""
    tokens = parts[name].astype(np.int64)
    groups, codewords = model.engine.preset.groups, model.engine.preset.codewords
    if tokens.shape[1] != groups or tokens.max() >= codewords:
        raise BitpuppetError(
            f"{name}: of this model they have {groups} groups of 0 to {codewords - 1}; read them with this model"
        )
    return tokens


def _extend(model: Loaded, params: ExtendParams, parts: Parts, watch: Watch) -> Done:
    from bitpuppet.jobs.continuation import ExtendSettings, extend_source, prepare_source

    settings = ExtendSettings(
        params.count,
        loop=params.loop,
        temperature=params.temperature,
        top_p=params.top_p,
        variations=params.variations,
        seed=params.seed,
        steps=params.steps,
        palette_lock=params.palette_lock,
        pixels=resolve_pixels(params.pixels, parts),
    )
    engine = model.engine
    source = prepare_source(engine, parts["motion"], engine.preset.canvas, settings, parts.get("content"))
    show = _make_callback(source.prepared, watch)
    extension = extend_source(
        engine, model.prior, source, settings, lambda _, done, amount: watch(done, amount, None), show
    )
    found = extension.variations
    report: dict[str, Any] = {
        "frames": len(found[0].frames),
        "given_frames": len(source.frames),
        "new_frames": params.count,
        "variations": len(found),
        "loop": params.loop,
        "tries": extension.tries,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "seed": params.seed,
        "steps": engine.preset.steps if params.steps is None else params.steps,
        "bits_per_frame": round(engine.count_bits(found[0].tokens), 2),
        "palette_size": count_colours(source.prepared.palette, settings.pixels) if params.palette_lock else None,
        "pixel_scale": source.prepared.scale,
    }
    each = [one.to_json() for one in found]
    report |= {name: tuple(one[name] for one in each) for name in each[0]}
    names = ["frames", *(f"frames_{number}" for number in range(2, len(found) + 1))]
    return Done(report, {name: one.frames for name, one in zip(names, found, strict=True)})


def resolve_pixels(pixels: PixelParams, parts: Parts) -> ExactSettings:
    """The steps to exact pixels: those of the command line's options, where a palette file is now an array."""
    switches = dict(vars(pixels))
    colours = switches.pop("colours")
    steps = PixelOptions(SOURCE if colours is None else str(colours), **switches).resolve()
    return replace(steps, colours=parts["palette"]) if "palette" in parts else steps


def _make_callback(prepared: Prepared, watch: Watch) -> StepWatch:
    """The engine's callback for a job's watch."""

    def tell(step: int, steps: int, drawn: NDArray[np.float32]) -> None:
        watch(step, steps, _make_preview(prepared, drawn) if len(drawn) else None)

    return tell


def _make_preview(prepared: Prepared, drawn: NDArray[np.float32]) -> MakePreview:
    """Frames on the way (T, canvas, canvas, 4) in the size of the result; their colours are not held to the palette."""

    def make() -> Frames:
        rough = np.rint(np.nan_to_num(drawn).clip(0, 255)).astype(np.uint8)
        return enlarge_frames(restore_clip(rough, prepared.anchor), prepared.scale)

    return make
