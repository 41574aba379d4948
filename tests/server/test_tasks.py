"""What a worker does with each kind of job, with a real engine of random weights; each result can be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.batch import retarget_together
from bitpuppet.jobs.engine import Engine
from bitpuppet.jobs.pixels import PixelOptions
from bitpuppet.jobs.served import describe_pixels
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.server.engines import Loaded
from bitpuppet.server.tasks import (
    Done,
    is_memory_error,
    list_kinds,
    prepare_retarget,
    resolve_pixels,
    run_batch,
    run_task,
)
from bitpuppet_client import wire
from bitpuppet_client.jobs import (
    SOFT_PRESETS,
    DecodeParams,
    EncodeParams,
    ExtendParams,
    JobParams,
    PixelParams,
    RetargetParams,
    TokensParams,
)
from bitpuppet_client.messages import Result, Submit
from bitpuppet_client.parts import Parts

Tokens = NDArray[np.int64]


class Repeater:
    """A motion prior that repeats the given motion; each seed shifts its codewords by another number."""

    def continue_motion(
        self,
        tokens: Tokens,
        frames: int,
        *,
        goal: Tokens | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seeds: Sequence[int | Sequence[int]] = (0,),
        callback: Callable[[int, int], None] | None = None,
    ) -> Tokens:
        if callback is not None:
            callback(1, 1)
        shape = frames, tokens.shape[1]
        return np.stack([np.resize(tokens + number + 1, shape) % 8 for number in range(len(seeds))])

    def measure_arrival(self, tokens: Tokens, goal: Tokens) -> float:
        return 0.0


@pytest.fixture(scope="module")
def model() -> Loaded:
    torch.manual_seed(0)
    tiny = replace(
        PRESETS["tiny"], head="values", reference=False, detail_frames=0, sampler="euler"
    )  # nothing to round differently
    weights = BitrateControlledDiffusion(tiny)
    for tensor in weights.state_dict().values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(std=0.5)  # what starts at zero draws nothing
    engine = Engine(weights.requires_grad_(False), torch.device("cpu"), torch.float32)
    return Loaded(
        engine,
        "0123456789abcdef",
        together=lambda strips, **options: retarget_together(engine, strips, **options),
        encode=lambda frames: engine.encode_content(frames).tokens[0].numpy(),
        load_prior=Repeater,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def parts() -> Parts:
    hero, actor = make_puppet(3, size=48), make_puppet(8, size=40)
    return {"content": draw_clip(hero, hero.motions[0], 3), "motion": draw_clip(actor, actor.motions[1], 4)}


@pytest.fixture(scope="module")
def palette_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("palettes") / "two.hex"
    path.write_text("ff0000\n010203\n", encoding="utf-8")
    return path


def run(model: Loaded, params: JobParams, parts: Parts) -> tuple[Done, list[tuple[int, int, Any]]]:
    """Do a job, and check that its result and its previews could be sent."""
    seen: list[tuple[int, int, Any]] = []
    done = run_task(model, params, parts, lambda step, steps, make: seen.append((step, steps, make and make())))
    result = Result(str(uuid4()), params.kind, done.report, done.parts)
    read = wire.decode_reply([bytes(frame) for frame in wire.encode(result, 1)]).message
    assert isinstance(read, Result)
    return done, seen


def test_retarget(model: Loaded, parts: Parts) -> None:
    done, seen = run(model, RetargetParams(seed=3, steps=2), parts)
    frames = done.parts["frames"]
    assert frames.shape == (4, 48, 48, 4)
    assert [(step, steps, view.shape) for step, steps, view in seen] == [(1, 2, frames.shape), (2, 2, frames.shape)]
    known = {tuple(colour) for colour in parts["content"].reshape(-1, 4)[:, :3]}
    assert {tuple(colour) for colour in frames[frames[..., 3] == 255][:, :3]} <= known
    assert done.report["palette_size"] and done.report["pixel_scale"] == 1
    free, _ = run(model, RetargetParams(seed=3, steps=2, palette_lock=False), parts)
    assert free.report["palette_size"] is None
    assert not np.array_equal(free.parts["frames"], frames)


@given(
    palette=st.sampled_from(("source", "2", "256", "two.hex")),
    switches=st.fixed_dictionaries({name: st.booleans() for name in ("hard_alpha", "outline", "orphans", "patterns")}),
)
def test_options_of_pixels_come_through(palette_file: Path, palette: str, switches: dict[str, bool]) -> None:
    options = PixelOptions(str(palette_file) if palette == palette_file.name else palette, **switches)
    pixels, parts = describe_pixels(options)
    pair = {name: np.zeros((1, 1, 1, 4), np.uint8) for name in ("content", "motion")}
    submit = Submit(str(uuid4()), RetargetParams(pixels=pixels), pair | parts)
    read = wire.decode_request([bytes(frame) for frame in wire.encode(submit, 1)]).message
    assert isinstance(read, Submit) and isinstance(read.params, RetargetParams)
    wanted, steps = options.resolve(), resolve_pixels(read.params.pixels, read.parts)
    np.testing.assert_array_equal(steps.colours, wanted.colours)  # type: ignore[arg-type]
    assert replace(steps, colours=None) == replace(wanted, colours=None)


def test_colours_are_so_many_or_those_of_the_palette(model: Loaded, parts: Parts) -> None:
    tokens = run(model, TokensParams(), {"motion": parts["motion"]})[0].parts["tokens"]
    drawn = {"tokens": tokens, "content": parts["content"]}
    palette = np.array([[255, 0, 0], [0, 0, 255], [1, 2, 3]], np.uint8)
    for kind, sent in ((RetargetParams, parts), (DecodeParams, drawn), (lambda **all: ExtendParams(2, **all), parts)):
        two, _ = run(model, kind(seed=3, steps=2, pixels=PixelParams(colours=2)), sent)
        own, _ = run(model, kind(seed=3, steps=2), sent | {"palette": palette})
        assert (two.report["palette_size"], own.report["palette_size"]) == (2, 3)
        new = two.parts["frames"][-2:], own.parts["frames"][-2:]  # the given frames of an extension stay as they are
        assert 0 < len(np.unique(new[0][new[0][..., 3] == 255], axis=0)) <= 2
        assert {tuple(colour) for colour in new[1][new[1][..., 3] == 255][:, :3]} <= set(map(tuple, palette))


def test_enlarged_art_comes_back_enlarged(model: Loaded, parts: Parts) -> None:
    large = {"content": parts["content"].repeat(2, axis=1).repeat(2, axis=2), "motion": parts["motion"]}
    done, _ = run(model, RetargetParams(seed=3, steps=2), large)
    small, _ = run(model, RetargetParams(seed=3, steps=2), parts)
    assert done.report["pixel_scale"] == 2
    np.testing.assert_array_equal(done.parts["frames"][:, ::2, ::2], small.parts["frames"])


def test_decode_of_tokens_is_the_retarget(model: Loaded, parts: Parts) -> None:
    tokens = run(model, TokensParams(), {"motion": parts["motion"]})[0].parts["tokens"]
    assert tokens.shape == (4, 4) and tokens.dtype == np.uint16
    decoded, _ = run(model, DecodeParams(seed=3, steps=2), {"tokens": tokens, "content": parts["content"]})
    direct, _ = run(model, RetargetParams(seed=3, steps=2), parts)
    np.testing.assert_array_equal(decoded.parts["frames"], direct.parts["frames"])
    assert decoded.report["bits_per_frame"] == direct.report["bits_per_frame"]


def test_in_betweens_are_the_engines_mixtures(model: Loaded, parts: Parts) -> None:
    tokens = run(model, TokensParams(), {"motion": parts["motion"]})[0].parts["tokens"]
    second, shares = tokens[::-1].copy(), np.array([0, 1, 0.25, 0.5], np.float32)
    sent = {"tokens": tokens, "second": second, "shares": shares, "content": parts["content"]}
    done, _ = run(model, DecodeParams(seed=3, steps=2), sent)
    wanted = model.engine.mix_tokens(tokens.astype(np.int64), second.astype(np.int64), shares)
    np.testing.assert_array_equal(done.parts["tokens"], wanted)
    np.testing.assert_array_equal(wanted[:2], [tokens[0], second[1]])
    plain = {"tokens": done.parts["tokens"], "content": parts["content"]}
    alone, _ = run(model, DecodeParams(seed=3, steps=2), plain)
    np.testing.assert_array_equal(done.parts["frames"], alone.parts["frames"])
    assert set(alone.parts) == {"frames"}, "nothing was mixed"
    with pytest.raises(BitpuppetError, match="second: of this model"):
        run(model, DecodeParams(), sent | {"second": np.full_like(second, 60_000)})


def test_encode(model: Loaded, parts: Parts) -> None:
    done, _ = run(model, EncodeParams(), {"content": parts["content"]})
    assert done.parts["code"].shape == (model.engine.preset.content_tokens, model.engine.preset.width)
    assert done.parts["code"].dtype == np.float32


def test_together_as_alone(model: Loaded, parts: Parts) -> None:
    params = [RetargetParams(seed=seed, steps=2) for seed in range(3)]
    shots = [prepare_retarget(model, one, parts) for one in params]
    views: list[list[tuple[int, ...]]] = []
    together = run_batch(model, params, shots, lambda _, __, makes: views.append([make().shape for make in makes]))
    for one, its in zip(together, params, strict=True):
        alone, _ = run(model, its, parts)
        np.testing.assert_array_equal(one.parts["frames"], alone.parts["frames"])
        assert one.report == alone.report
    assert views == [[(4, 48, 48, 4)] * 3] * 2


def test_extend(model: Loaded, parts: Parts) -> None:
    params = ExtendParams(count=5, variations=2, seed=1, steps=1)
    done, seen = run(model, params, {"motion": parts["motion"]})
    assert set(done.parts) == {"frames", "frames_2"}
    for frames in done.parts.values():
        assert frames.shape == (9, 40, 40, 4)
        np.testing.assert_array_equal(frames[:4], parts["motion"])
    assert done.report["variations"] == 2 and len(done.report["seam"]) == 2
    views = [view for _, _, view in seen]
    assert None in views  # while the motion is continued there is nothing to see
    assert {view.shape for view in views if view is not None} == {(5, 40, 40, 4)}  # the new frames alone
    loop, _ = run(model, ExtendParams(count=4, loop=True, steps=1), parts)
    assert loop.report["loop"] is True and len(loop.report["loop_closed"]) == 1


def test_extend_without_a_prior(model: Loaded, parts: Parts) -> None:
    with pytest.raises(BitpuppetError, match="no motion prior"):
        run(Loaded(model.engine, "0123456789abcdef"), ExtendParams(count=5), {"motion": parts["motion"]})


def test_whatever_the_watch_raises_ends_the_job(model: Loaded, parts: Parts) -> None:
    steps = []

    def watch(step: int, *_: object) -> None:
        steps.append(step)
        raise KeyError

    for params in (RetargetParams(steps=50), ExtendParams(count=5, steps=50)):
        with pytest.raises(KeyError):
            run_task(model, params, parts, watch)
    assert steps == [1, 1]


def test_kinds() -> None:
    assert set(list_kinds()) == {"retarget", "tokens", "encode", "decode", "extend", "train", "read"}


def test_clients_know_which_presets_are_soft() -> None:
    assert set(SOFT_PRESETS) == {name for name, preset in PRESETS.items() if preset.head == "values"}


def test_memory_errors_are_known() -> None:
    assert is_memory_error(MemoryError())
    assert is_memory_error(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not is_memory_error(RuntimeError("shapes do not match"))
    assert not is_memory_error(ValueError("memory"))
