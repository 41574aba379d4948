"""Hypothesis strategies for messages, by the ranges that docs/protocol.md gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bitpuppet_client import jobs, messages
from bitpuppet_client.limits import MAX_JOBS_PER_MESSAGE, MAX_REQUEST, MAX_SEED, MAX_TEXT_BYTES

NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)
TEXT = st.text(max_size=MAX_TEXT_BYTES // 4).map(messages.shorten)
JOB = st.uuids().map(str)
JOBS = st.lists(JOB, max_size=MAX_JOBS_PER_MESSAGE).map(tuple)
FLAG = st.booleans()
SEED = st.integers(0, MAX_SEED)
STEPS = st.none() | st.integers(1, 100)
COUNT = st.integers(0, MAX_REQUEST)
SECONDS = st.floats(0, 1e11)
SCALAR = (
    st.none() | FLAG | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
REPORT = st.dictionaries(NAME, SCALAR | st.lists(SCALAR, max_size=4).map(tuple), max_size=8)


def draw_array(draw: st.DrawFn, dtype: type, *sides: int | SearchStrategy[int]) -> Any:
    """An array of few distinct values: what it holds is none of the wire's business."""
    shape = tuple(side if isinstance(side, int) else draw(side) for side in sides)
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, shape)
    return values.astype(dtype)


@st.composite
def frames(draw: st.DrawFn) -> Any:
    """Frames (T, H, W, 4)."""
    side = st.integers(1, 5)
    return draw_array(draw, np.uint8, side, side, side, 4)


@st.composite
def tokens(draw: st.DrawFn) -> Any:
    """Motion tokens (T, groups)."""
    return draw_array(draw, np.uint16, st.integers(1, 5), st.integers(1, 9))


@st.composite
def codes(draw: st.DrawFn) -> Any:
    """Content tokens (K, width)."""
    return draw_array(draw, np.float32, st.integers(1, 5), st.integers(1, 9)) / np.float32(7)


@st.composite
def palettes(draw: st.DrawFn) -> Any:
    """Colours (P, 3)."""
    return draw_array(draw, np.uint8, st.integers(1, 256), 3)


@st.composite
def videos(draw: st.DrawFn) -> Any:
    """The bytes of some file (N,)."""
    return draw_array(draw, np.uint8, st.integers(1, 99))


PART = {"tokens": tokens(), "code": codes(), "palette": palettes(), "video": videos()}
PIXELS = st.builds(jobs.PixelParams, st.none() | st.integers(1, 256), FLAG, FLAG, FLAG, FLAG)
DRAWING = {"model": NAME, "seed": SEED, "steps": STEPS, "palette_lock": FLAG, "pixels": PIXELS}
RETARGET = st.builds(jobs.RetargetParams, **DRAWING)
EXTEND = st.builds(
    jobs.ExtendParams,
    count=st.integers(1, 99),
    loop=FLAG,
    temperature=st.floats(0.01, 10),
    top_p=st.floats(0.01, 1),
    variations=st.integers(1, 16),
    **DRAWING,
)
TOKENS = st.builds(jobs.TokensParams, NAME)
ENCODE = st.builds(jobs.EncodeParams, NAME)
DECODE = st.builds(jobs.DecodeParams, **DRAWING)
READ = st.builds(jobs.ReadParams, TEXT, *[st.none() | TEXT] * 5)
WHOLE = st.one_of(RETARGET, EXTEND, TOKENS, ENCODE, DECODE, READ)


LENGTHS = st.tuples(STEPS, st.none()) | st.tuples(st.none(), st.integers(1, 60))
TRAIN = st.builds(
    lambda name, characters, base, length, seed: jobs.TrainParams(name, characters, base, *length, seed),
    NAME,
    NAME,
    NAME,
    LENGTHS,
    SEED,
)


@st.composite
def submits(draw: st.DrawFn) -> messages.Submit:
    """Any job with its arrays."""
    params = draw(st.one_of(WHOLE, TRAIN))
    names = list(params.needed)
    names += [name for name in params.optional if draw(FLAG) or (params.kind == "decode" and name == "content")]
    if "palette" in names and params.pixels.colours is not None:
        names.remove("palette")
    both = {"second", "shares"} <= set(names)  # one alone says nothing
    names = [name for name in names if both or name not in ("second", "shares")]
    parts = {name: draw(PART.get(name, frames())) for name in names}
    if both:
        parts["second"] = parts["tokens"][::-1].copy()
        parts["shares"] = draw_array(draw, np.float32, len(parts["tokens"])) / np.float32(255)
    return messages.Submit(draw(JOB), params, parts, draw(st.integers(0, 9)), draw(FLAG))


@st.composite
def statuses(draw: st.DrawFn) -> messages.JobStatus:
    """A job in any state."""
    state = draw(st.sampled_from(messages.STATES))
    error = messages.JobError(draw(NAME), draw(TEXT)) if state == "failed" else None
    times = [draw(st.none() | SECONDS) for _ in range(3)]
    return messages.JobStatus(
        draw(JOB),
        draw(NAME),
        state,
        draw(st.integers(0, 9)),
        draw(SECONDS),
        times[0],
        times[1],
        draw(st.none() | COUNT),
        draw(COUNT),
        draw(COUNT),
        draw(st.integers(0, 4096)),
        times[2],
        draw(COUNT),
        draw(FLAG),
        error,
        draw(st.none() | st.floats(-99, 99)),
        draw(st.none() | st.floats(0, 1)),
    )


@st.composite
def results(draw: st.DrawFn) -> messages.Result:
    """A result of any kind of job."""
    kind = draw(st.sampled_from(jobs.KINDS))
    names = {"tokens": ("tokens",), "encode": ("code",), "train": (), "extend": ("frames", "frames_2")}
    parts = {name: draw(PART.get(name, frames())) for name in names.get(kind, ("frames",))}
    return messages.Result(draw(JOB), kind, draw(REPORT), parts)


@st.composite
def previews(draw: st.DrawFn) -> messages.Preview:
    """A preview after some step."""
    steps = draw(st.integers(1, 100))
    return messages.Preview(draw(JOB), draw(st.integers(0, steps)), steps, {"frames": draw(frames())})


STATES = st.lists(st.sampled_from(messages.STATES), max_size=6).map(tuple)
MODEL = st.builds(
    messages.ModelInfo, NAME, NAME, st.from_regex("[0-9a-f]{8,64}", fullmatch=True), st.integers(1, 16_384)
)
FACTS = st.dictionaries(NAME, SCALAR.filter(lambda value: not isinstance(value, str)) | st.text("abc", max_size=96))
CARD = st.builds(messages.ModelCard, MODEL, COUNT, SECONDS, FLAG, FACTS)
REQUESTS: SearchStrategy[messages.Message] = st.one_of(
    st.builds(messages.Hello, TEXT, TEXT),
    submits(),
    st.builds(messages.Watch, JOBS, FLAG),
    st.builds(messages.Fetch, JOB),
    st.builds(messages.Acknowledge, JOB),
    st.builds(messages.Status, JOBS),
    st.builds(messages.ListJobs, STATES, st.integers(1, MAX_JOBS_PER_MESSAGE), st.none() | TEXT),
    st.builds(messages.Cancel, JOB),
    st.builds(messages.Steer, JOB, st.sampled_from(messages.ACTIONS)),
    st.builds(messages.Library, st.none() | NAME),
    st.builds(messages.RenameModel, NAME, NAME),
    st.builds(messages.DeleteModel, NAME),
    st.just(messages.Health()),
    st.just(messages.Metrics()),
    st.builds(messages.Shutdown, FLAG),
)
REPLIES: SearchStrategy[messages.Message] = st.one_of(
    st.builds(
        messages.Welcome,
        TEXT,
        JOB,
        st.lists(MODEL, max_size=3).map(tuple),
        st.lists(st.sampled_from(jobs.KINDS), max_size=6).map(tuple),
        st.builds(
            messages.ServerLimits, st.integers(1, 99), st.integers(1, 99), st.integers(1, 99), st.integers(1, 99)
        ),
    ),
    st.builds(messages.Accepted, statuses(), FLAG),
    st.builds(messages.Statuses, JOB, st.lists(statuses(), max_size=4).map(tuple), JOBS, st.none() | TEXT),
    results(),
    st.builds(messages.Acknowledged, JOB),
    st.builds(
        messages.LibraryPage,
        st.lists(CARD, max_size=2).map(tuple),
        st.lists(NAME, max_size=3).map(tuple),
        st.none() | NAME,
    ),
    st.builds(messages.ModelChanged, st.none() | NAME),
    st.builds(messages.HealthReport, st.sampled_from(messages.HEALTH_STATES), st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(messages.MetricsReport, REPORT),
    st.just(messages.Stopping()),
    st.builds(messages.Error, NAME, TEXT, st.none() | JOB, st.none() | st.floats(0, 99)),
    st.builds(messages.Update, statuses()),
    previews(),
)
