"""Motion tokens to bytes and back."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.packing import (
    PackedTokens,
    TokenCoder,
    count_frequencies,
    fingerprint_quantizer,
    round_numbers,
)
from bitpuppet.model.preset import PRESETS
from bitpuppet.sprites import MAX_FRAMES

relaxed = settings(deadline=None, max_examples=60)
MARK = b"12345678"


def make_coder(groups: int, codewords: int, seed: int) -> tuple[TokenCoder, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    usage = round_numbers(rng.dirichlet(np.full(codewords, 0.3), groups).astype(np.float32))
    return TokenCoder("tiny", usage, MARK), usage


def draw_tokens(usage: NDArray[np.float32], frames: int, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    shares = usage.astype(np.float64) / usage.astype(np.float64).sum(axis=1, keepdims=True)
    return np.stack([rng.choice(len(row), size=frames, p=row) for row in shares], axis=1).astype(np.int64)


@relaxed
@given(st.integers(1, 70), st.integers(1, 33), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_what_is_packed_comes_back(groups: int, codewords: int, frames: int, seed: int, likely: bool) -> None:
    coder, usage = make_coder(groups, codewords, seed)
    if likely:
        tokens = draw_tokens(usage, frames, seed)
    else:
        tokens = np.random.default_rng(seed).integers(codewords, size=(frames, groups))
    packed = PackedTokens.from_bytes(coder.pack(tokens).to_bytes())
    assert (len(packed), packed.groups, packed.codewords, packed.preset) == (frames, groups, codewords, "tiny")
    np.testing.assert_array_equal(coder.unpack(packed), tokens)


@pytest.mark.parametrize("frames", [1, 8, 500])
def test_bits_are_those_that_the_statistics_promise(frames: int) -> None:
    coder, usage = make_coder(8, 16, 5)
    tokens = draw_tokens(usage, frames, 6)
    shares = np.array([count_frequencies(row) for row in usage]) / 16384
    promised = -np.log2(shares[np.arange(8), tokens]).sum()
    bits = 8 * len(coder.pack(tokens).payload)
    assert promised - 16 < bits < promised * 1.001 + 24


def test_longest_clip_is_quick_and_small() -> None:
    coder, usage = make_coder(8, 16, 5)
    tokens = draw_tokens(usage, MAX_FRAMES, 6)
    np.testing.assert_array_equal(coder.unpack(coder.pack(tokens)), tokens)


def test_tables_are_whole_numbers_that_do_not_depend_on_the_platform() -> None:
    usage = np.array([0.5, 0.25, 0.125, 0.0, np.nan, 1e-30, 0.125], dtype=np.float32)
    frequencies = count_frequencies(usage)
    assert frequencies == [8190, 4094, 2047, 2, 2, 2, 2047]
    assert sum(frequencies) == 1 << 14
    # Written down once: whoever changes the tables makes all packed files unreadable, and has to change FORMAT.
    golden = TokenCoder("tiny", round_numbers(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)), MARK)
    packed = golden.pack(np.array([[0, 2], [1, 2], [0, 0], [2, 1]])).to_bytes()
    assert packed.hex() == "4250544b010474696e79313233343536373804000000020003005bc465013653c0bf"


def test_codeword_that_training_never_used_can_be_packed() -> None:
    usage = np.zeros((2, 4), dtype=np.float32)
    usage[:, 0] = 1
    coder = TokenCoder("tiny", usage, MARK)
    tokens = np.array([[3, 0], [0, 2], [1, 1]])
    np.testing.assert_array_equal(coder.unpack(coder.pack(tokens)), tokens)
    assert len(coder.pack(np.zeros((400, 2), dtype=np.int64)).payload) < 10


@pytest.mark.parametrize(
    ("tokens", "match"),
    [
        (np.zeros((0, 8), dtype=np.int64), "cannot be packed"),
        (np.zeros((3, 7), dtype=np.int64), "cannot be packed"),
        (np.zeros((MAX_FRAMES + 1, 8), dtype=np.int64), "cannot be packed"),
        (np.full((3, 8), 16), "reach beyond 0..15"),
        (np.full((3, 8), -1), "reach beyond 0..15"),
    ],
)
def test_tokens_of_another_model_are_refused(tokens: NDArray[np.int64], match: str) -> None:
    with pytest.raises(BitpuppetError, match=match):
        make_coder(8, 16, 0)[0].pack(tokens)


@pytest.fixture(scope="module")
def good() -> bytes:
    coder, usage = make_coder(8, 16, 5)
    return coder.pack(draw_tokens(usage, 20, 1)).to_bytes()


def test_every_cut_is_noticed(good: bytes) -> None:
    for length in range(len(good)):
        with pytest.raises(BitpuppetError, match=r"^x\.bptk: .*(damaged or cut off|no packed motion tokens)"):
            PackedTokens.from_bytes(good[:length], "x.bptk")


@relaxed
@given(st.data())
def test_any_change_is_noticed(good: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != good[place]))
    spoilt = good[:place] + bytes([other]) + good[place + 1 :]
    with pytest.raises(BitpuppetError) as info:
        PackedTokens.from_bytes(spoilt, "x.bptk")
    assert "\n" not in str(info.value)
    with pytest.raises(BitpuppetError):
        PackedTokens.from_bytes(good + bytes([other]), "x.bptk")


@relaxed
@given(st.binary(max_size=200), st.booleans())
def test_foreign_bytes_are_one_line(data: bytes, magic: bool) -> None:
    whole = b"BPTK\x01" + data if magic else data
    signed = whole + zlib.crc32(whole).to_bytes(4, "little")  # as if somebody had meant it
    coder, _ = make_coder(8, 16, 5)
    try:
        coder.unpack(PackedTokens.from_bytes(signed, "x.bptk"))
    except BitpuppetError as error:
        assert str(error).startswith("x.bptk: ")
        assert "\n" not in str(error)


@relaxed
@example(b"\0", 1)
@given(st.binary(max_size=60), st.integers(1, MAX_FRAMES))
def test_wrong_payload_never_passes_for_tokens(payload: bytes, frames: int) -> None:
    coder, _ = make_coder(2, 4, 5)
    packed = PackedTokens("tiny", MARK, frames, 2, 4, payload, "x.bptk")
    try:
        tokens = coder.unpack(packed)
    except BitpuppetError as error:
        assert "damaged" in str(error)
    else:
        assert coder.pack(tokens).payload == payload


def test_later_format_is_told() -> None:
    with pytest.raises(BitpuppetError, match="packed in format 2, this version reads 1; update bitpuppet"):
        PackedTokens.from_bytes(b"BPTK\x02 and whatever comes then", "x")


def test_model_that_wrote_it_is_told_from_others() -> None:
    coder, usage = make_coder(8, 16, 5)
    packed = coder.pack(draw_tokens(usage, 3, 1))
    with pytest.raises(BitpuppetError, match="tokens of preset tiny, the model is sprite64"):
        TokenCoder("sprite64", usage, MARK).unpack(packed)
    with pytest.raises(BitpuppetError, match="tokens of other weights of preset tiny"):
        TokenCoder("tiny", usage, b"87654321").unpack(packed)


def test_fingerprint_survives_saving_and_knows_codebooks_and_statistics() -> None:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(PRESETS["tiny"])
    before = fingerprint_quantizer(model.quantizer)
    coder = TokenCoder.of_model(model)
    model.load_state_dict({name: value.bfloat16().float() for name, value in model.state_dict().items()})
    assert fingerprint_quantizer(model.quantizer) == before
    tokens = np.zeros((3, PRESETS["tiny"].groups), dtype=np.int64)
    np.testing.assert_array_equal(TokenCoder.of_model(model).unpack(coder.pack(tokens)), tokens)
    model.quantizer.usage[0, 0] += 0.1
    other = fingerprint_quantizer(model.quantizer)
    assert other != before
    model.quantizer.codebooks.data[0, 0, 0] += 0.1
    assert fingerprint_quantizer(model.quantizer) not in (before, other)


@relaxed
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_rounding_is_torchs(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    np.testing.assert_array_equal(round_numbers(array), torch.from_numpy(array).bfloat16().float().numpy())
