"""Parameters of jobs: every range, and what must come with it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from bitpuppet_client import jobs, messages, schema
from bitpuppet_client.errors import LimitError, ParameterError

from .fakes import make_frames

CODE = np.ones((2, 3), np.float32)
TOKENS = np.ones((2, 3), np.uint16)
SHARES = np.array([0, 1], np.float32)


PAIR = {"content": make_frames(), "motion": make_frames()}
BETWEEN = {"tokens": TOKENS, "content": make_frames(), "second": TOKENS, "shares": SHARES}
PALETTE = np.arange(12, dtype=np.uint8).reshape(4, 3)


def make_train(**changes: Any) -> jobs.TrainParams:
    """A good set of parameters, but for the changes."""
    return jobs.TrainParams(**{"name": "mine", "characters": "knights"} | changes)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (jobs.RetargetParams, {"seed": -1}),
        (jobs.RetargetParams, {"seed": 2**63}),
        (jobs.RetargetParams, {"seed": 1.0}),
        (jobs.RetargetParams, {"seed": True}),
        (jobs.RetargetParams, {"steps": 0}),
        (jobs.RetargetParams, {"steps": 101}),
        (jobs.RetargetParams, {"palette_lock": 1}),
        (jobs.RetargetParams, {"pixels": None}),
        (jobs.PixelParams, {"colours": 0}),
        (jobs.PixelParams, {"colours": 257}),
        (jobs.PixelParams, {"hard_alpha": 1}),
        (jobs.PixelParams, {"patterns": None}),
        (jobs.RetargetParams, {"model": "../weights"}),
        (jobs.RetargetParams, {"model": "/etc/passwd"}),
        (jobs.RetargetParams, {"model": "a.safetensors"}),
        (jobs.RetargetParams, {"model": ""}),
        (jobs.RetargetParams, {"model": "x" * 65}),
        (jobs.RetargetParams, {"model": "naïve"}),
        (jobs.RetargetParams, {"model": "a\n"}),
        (jobs.ExtendParams, {"count": 0}),
        (jobs.ExtendParams, {"count": 4097}),
        (jobs.ExtendParams, {"count": 1, "temperature": 0.0}),
        (jobs.ExtendParams, {"count": 1, "temperature": -1.0}),
        (jobs.ExtendParams, {"count": 1, "temperature": float("nan")}),
        (jobs.ExtendParams, {"count": 1, "temperature": 11.0}),
        (jobs.ExtendParams, {"count": 1, "top_p": 0.0}),
        (jobs.ExtendParams, {"count": 1, "top_p": 1.01}),
        (jobs.ExtendParams, {"count": 1, "variations": 0}),
        (jobs.ExtendParams, {"count": 1, "variations": 17}),
        (jobs.ExtendParams, {"count": 1, "loop": None}),
        (jobs.TokensParams, {"model": "a b"}),
        (jobs.EncodeParams, {"model": "a/b"}),
        (jobs.DecodeParams, {"steps": "4"}),
        (jobs.ReadParams, {"name": "a\nb"}),
        (jobs.ReadParams, {"range": "x" * 600}),
        (make_train, {"characters": "../knights"}),
        (make_train, {"steps": 9, "minutes": 9}),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_with_the_remedy(kind: Any, values: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=";"):
        kind(**values)


def test_training_knows_names_and_no_frames() -> None:
    for name in ("name", "base", "characters"):
        with pytest.raises(ParameterError, match=name):
            make_train(**{name: "a/b"})
    with pytest.raises(ParameterError, match="minutes"):
        make_train(minutes=0)
    jobs.check_parts(make_train(), {})
    with pytest.raises(ParameterError, match="no part 'a'"):
        jobs.check_parts(make_train(), {"a": make_frames()})


@pytest.mark.parametrize(
    ("params", "parts", "match"),
    [
        (jobs.RetargetParams(), {}, "needs the part 'content'"),
        (jobs.RetargetParams(), {"content": make_frames(), "motion": make_frames(), "x": CODE}, "no part 'x'"),
        (jobs.RetargetParams(), {"content": make_frames()[0], "motion": make_frames()}, "uint8"),
        (jobs.RetargetParams(), {"content": make_frames()[..., :3], "motion": make_frames()}, "uint8"),
        (jobs.RetargetParams(), PAIR | {"palette": PALETTE[:, :2]}, r"uint8 \(P, 3\)"),
        (jobs.RetargetParams(), PAIR | {"palette": PALETTE.astype(np.uint16)}, r"uint8 \(P, 3\)"),
        (jobs.RetargetParams(pixels=jobs.PixelParams(4)), PAIR | {"palette": PALETTE}, "send one"),
        (jobs.TokensParams(), {"motion": make_frames(), "palette": PALETTE}, "no part 'palette'"),
        (jobs.ExtendParams(1), {"content": make_frames()}, "needs the part 'motion'"),
        (jobs.TokensParams(), {"motion": TOKENS}, "uint8"),
        (jobs.EncodeParams(), {"motion": make_frames()}, "needs the part 'content'"),
        (jobs.ReadParams(), {"video": make_frames()}, r"uint8 \(bytes,\)"),
        (jobs.ReadParams(), {"video": PALETTE[0].astype(np.uint16)}, r"uint8 \(bytes,\)"),
        (jobs.DecodeParams(), {"tokens": TOKENS}, "'content' or 'code'"),
        (jobs.DecodeParams(), {"tokens": TOKENS, "code": CODE}, "palette_lock"),
        (jobs.DecodeParams(), {"tokens": TOKENS.astype(np.uint8), "content": make_frames()}, "uint16"),
        (jobs.DecodeParams(palette_lock=False), {"tokens": TOKENS, "code": CODE.astype(np.float64)}, "float32"),
        (jobs.DecodeParams(), BETWEEN | {"second": TOKENS[:1]}, "for each frame"),
        (jobs.DecodeParams(), BETWEEN | {"shares": SHARES[:1]}, "for each frame"),
        (jobs.DecodeParams(), BETWEEN | {"shares": SHARES[:, None]}, r"\(T,\)"),
        (jobs.DecodeParams(), BETWEEN | {"shares": SHARES * 2}, "0 to 1"),
        (jobs.DecodeParams(), BETWEEN | {"shares": SHARES * np.float32("nan")}, "0 to 1"),
        (jobs.DecodeParams(), {"tokens": TOKENS, "content": make_frames(), "second": TOKENS}, "both, or neither"),
        (jobs.DecodeParams(), {"tokens": TOKENS, "content": make_frames(), "shares": SHARES}, "both, or neither"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parts_that_do_not_fit_the_job_are_refused(params: Any, parts: Any, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        jobs.check_parts(params, parts)


def test_decode_takes_content_or_code_or_both() -> None:
    jobs.check_parts(jobs.DecodeParams(), {"tokens": TOKENS, "content": make_frames()})
    jobs.check_parts(jobs.DecodeParams(), {"tokens": TOKENS, "content": make_frames(), "code": CODE})
    jobs.check_parts(jobs.DecodeParams(palette_lock=False), {"tokens": TOKENS, "code": CODE})


def test_in_betweens_are_asked_for_and_told() -> None:
    jobs.check_parts(jobs.DecodeParams(), BETWEEN)
    messages.Result(str(uuid4()), "decode", {}, {"frames": make_frames(), "tokens": TOKENS})
    with pytest.raises(ParameterError, match="tokens"):
        messages.Result(str(uuid4()), "retarget", {}, {"frames": make_frames(), "tokens": TOKENS})


def test_results_that_would_be_too_large_are_refused_before_the_work() -> None:
    def fake(count: int, side: int) -> Any:
        return np.broadcast_to(np.uint8(0), (count, side, side, 4))

    with pytest.raises(LimitError, match=r"4097, 8, 8, 4.* 1 to 4096"):
        jobs.check_parts(jobs.RetargetParams(), {"content": fake(1, 8), "motion": fake(4097, 8)})
    with pytest.raises(LimitError, match="million pixels"):
        jobs.check_parts(jobs.RetargetParams(), {"content": fake(1, 1000), "motion": fake(33, 8)})
    with pytest.raises(LimitError, match="4097"):
        jobs.check_parts(jobs.ExtendParams(4096), {"motion": fake(1, 8)})
    with pytest.raises(LimitError, match="million pixels"):
        jobs.check_parts(jobs.ExtendParams(20, variations=16), {"motion": fake(1, 400)})
    with pytest.raises(LimitError, match="million pixels"):
        jobs.check_parts(jobs.DecodeParams(), {"tokens": np.ones((40, 1), np.uint16), "content": fake(1, 1000)})
    with pytest.raises(LimitError, match="sides"):
        jobs.check_parts(jobs.TokensParams(), {"motion": np.broadcast_to(np.uint8(0), (1, 1, 16_385, 4))})
    with pytest.raises(LimitError, match="sides"):
        jobs.check_parts(jobs.RetargetParams(), PAIR | {"palette": np.zeros((257, 3), np.uint8)})
    with pytest.raises(LimitError, match="1 to 128000000"):
        jobs.check_parts(jobs.ReadParams(), {"video": np.broadcast_to(np.uint8(0), (128_000_001,))})


def test_server_may_tell_of_kinds_that_are_unknown_here() -> None:
    limits = messages.ServerLimits()
    told = messages.Welcome("0.9", str(uuid4()), (), ("retarget", "dream"), limits)
    assert told.kinds == ("retarget", "dream")
    with pytest.raises(ParameterError, match="kind"):
        messages.Welcome("0.9", str(uuid4()), (), ("a b",), limits)
    assert jobs.KINDS[: len(jobs.ANNOUNCED)] == jobs.ANNOUNCED


def test_results_have_the_parts_of_their_kind() -> None:
    for kind, parts in [
        ("retarget", {}),
        ("retarget", {"frames": make_frames(), "frames_2": make_frames()}),
        ("tokens", {"frames": make_frames()}),
        ("encode", {"code": TOKENS}),
        ("extend", {"frames": make_frames(), "frames_17": make_frames()}),
        ("train", {"frames": make_frames()}),
        ("read", {"video": PALETTE[0]}),
    ]:
        with pytest.raises(ParameterError):
            messages.Result(str(uuid4()), kind, {}, parts)


@pytest.mark.parametrize("values", [{"a b": 1}, {"a": {}}, {"a": float("nan")}, {"a": "x" * 600}, {"a": (1,) * 65}, 5])
def test_reports_are_small_flat_and_finite(values: Any) -> None:
    with pytest.raises((ParameterError, schema.ProtocolError)):
        messages.MetricsReport(values)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "asleep"},
        {"state": "failed"},
        {"error": messages.JobError("failed", "it did; try again")},
        {"priority": 10},
        {"created": -1.0},
        {"created": 1e12},
        {"job": "1"},
        {"job": "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"},
        {"step": -1},
        {"frames": 5000},
        {"eta_seconds": float("inf")},
        {"has_result": 1},
        {"loss": float("nan")},
        {"held_out": 1.5},
    ],
    ids=str,
)
def test_statuses_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    good = {"job": str(uuid4()), "kind": "retarget", "state": "queued", "priority": 5, "created": 1.0}
    assert not messages.JobStatus(**good).is_final
    with pytest.raises(ParameterError):
        messages.JobStatus(**good | changes)


@pytest.mark.parametrize("text", ["", "a" * 5000, "é" * 300, "\ud800", "a\nb\x1b[31m", "👻" * 200, " \n "])
def test_shortened_texts_can_be_sent(text: str) -> None:
    schema.check_text("text", messages.shorten(text))
    assert messages.shorten("fine") == "fine"
