"""Motion tokens as bytes: an entropy coder that spends as many bits as the quantizer's stored statistics promise.

The coder is a range variant of asymmetric numeral systems (rANS; Duda 2013, arXiv 1311.2540). All that it computes with
are integers, so that every platform reads what any other wrote.

A packed clip is, little endian: b"BPTK", format (1 byte), length of the preset's name (1) and the name in UTF-8,
fingerprint of the codebooks (8), frames (4), groups (2), codewords (2), the coded tokens, CRC-32 of all that (4).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import MAX_FRAMES

if TYPE_CHECKING:
    from bitpuppet.model.bcd import BitrateControlledDiffusion
    from bitpuppet.model.quantizer import GroupQuantizer

MAGIC, FORMAT = b"BPTK", 1
FINGERPRINT_BYTES = 8
MAX_PACKED_BYTES = 4 << 20
"""More than MAX_FRAMES frames of any preset can take."""

_PRECISION = 14
"""Frequencies of a group's codewords add up to 2^14."""
_LOWEST = 1 << 31
"""The coder's state stays above it while bytes are left: far above 2^14, so that rounding costs next to nothing."""
_UNUSED = 1e-4
"""A codeword that training never used counts as used once in 10,000 frames, as in `GroupQuantizer.code_lengths`."""
_SIZES = struct.Struct("<IHH")
_CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True)
class PackedTokens:
    """What the header of a packed clip says, and the coded tokens."""

    preset: str
    fingerprint: bytes
    """Of the codebooks and their statistics, see `fingerprint_quantizer`."""
    frames: int
    groups: int
    codewords: int
    payload: bytes
    source: str = "the packed tokens"
    """What messages call it, such as the name of its file."""

    def __len__(self) -> int:
        return self.frames

    def to_bytes(self) -> bytes:
        """The whole file."""
        name = self.preset.encode()
        head = MAGIC + bytes([FORMAT, len(name)]) + name + self.fingerprint
        body = head + _SIZES.pack(self.frames, self.groups, self.codewords) + self.payload
        return body + _CHECKSUM.pack(zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "the packed tokens") -> PackedTokens:
        """Read what `to_bytes` wrote; the tokens themselves need the model, see `TokenCoder.unpack`.

        Raises:
            BitpuppetError: foreign, damaged or cut off, or of a later format; the message begins with `source`.
        """
        if data[: len(MAGIC)] != MAGIC:
            raise BitpuppetError(
                f"{source}: no packed motion tokens; name a file that `bitpuppet tokens --packed` wrote"
            )
        if len(data) > 4 and data[4] != FORMAT:
            raise BitpuppetError(f"{source}: packed in format {data[4]}, this version reads {FORMAT}; update bitpuppet")
        body, checksum = data[: -_CHECKSUM.size], data[-_CHECKSUM.size :]
        start = 6 + (body[5] if len(body) > 5 else 0)
        middle, end = start + FINGERPRINT_BYTES, start + FINGERPRINT_BYTES + _SIZES.size
        if len(body) < end or _CHECKSUM.pack(zlib.crc32(body)) != checksum:
            raise _damaged(source)
        frames, groups, codewords = _SIZES.unpack(body[middle:end])
        try:
            name = body[6:start].decode()
        except UnicodeDecodeError as error:
            raise _damaged(source) from error
        if not (1 <= frames <= MAX_FRAMES and groups and codewords):
            raise _damaged(source)
        return cls(name, body[start:middle], frames, groups, codewords, body[end:], source)


class TokenCoder:
    """Packs and unpacks the motion tokens of one model."""

    def __init__(self, preset: str, usage: NDArray[np.float32], fingerprint: bytes) -> None:
        """A coder for token statistics `usage` (groups, codewords), shares of 0..1 that bfloat16 can hold."""
        self.preset, self.fingerprint = preset, fingerprint
        self.groups, self.codewords = usage.shape
        if self.codewords > 1 << (_PRECISION - 1):
            raise ValueError(f"tables of 2^{_PRECISION} have no room for {self.codewords} codewords")
        self._tables = [_Table.of_shares(row) for row in usage]

    @classmethod
    def of_model(cls, model: BitrateControlledDiffusion) -> TokenCoder:
        """The coder of a model's motion tokens."""
        usage = round_numbers(model.quantizer.usage.detach().float().cpu().numpy())
        return cls(model.preset.name, usage, fingerprint_quantizer(model.quantizer))

    def pack(self, tokens: NDArray[np.int64]) -> PackedTokens:
        """Pack motion tokens (T, groups), T from 1 to MAX_FRAMES.

        Raises:
            BitpuppetError: they have another shape or are out of range.
        """
        frames = len(tokens)
        if tokens.ndim != 2 or not 1 <= frames <= MAX_FRAMES or tokens.shape[1] != self.groups:
            raise BitpuppetError(
                f"motion tokens of shape {tokens.shape} cannot be packed; preset {self.preset} has 1 to {MAX_FRAMES} "
                f"frames of {self.groups} groups"
            )
        if tokens.min() < 0 or tokens.max() >= self.codewords:
            raise BitpuppetError(f"motion tokens reach beyond 0..{self.codewords - 1}; use those of this model")
        return PackedTokens(
            self.preset, self.fingerprint, frames, self.groups, self.codewords, self._encode(tokens.tolist())
        )

    def unpack(self, packed: PackedTokens) -> NDArray[np.int64]:
        """Motion tokens (T, groups).

        Raises:
            BitpuppetError: they belong to another model, or are damaged.
        """
        if packed.preset != self.preset:
            raise BitpuppetError(
                f"{packed.source}: tokens of preset {packed.preset}, the model is {self.preset}; "
                "choose that --preset or pack the motion again"
            )
        if (packed.fingerprint, packed.groups, packed.codewords) != (self.fingerprint, self.groups, self.codewords):
            raise BitpuppetError(
                f"{packed.source}: tokens of other weights of preset {self.preset} (codebooks "
                f"{packed.fingerprint.hex()}, these are {self.fingerprint.hex()}); name those --weights or pack again"
            )
        tokens = self._decode(packed.payload, packed.frames)
        if tokens is None:
            raise _damaged(packed.source)
        return np.array(tokens, dtype=np.int64)

    def _encode(self, tokens: list[list[int]]) -> bytes:
        """Last token first, because the decoder takes bytes and tokens from the end."""
        out = bytearray()
        state = 0
        for frame in reversed(tokens):
            for token, table in zip(reversed(frame), reversed(self._tables), strict=True):
                rank = table.ranks[token]
                start, frequency = table.starts[rank], table.starts[rank + 1] - table.starts[rank]
                while state >= (_LOWEST >> _PRECISION << 8) * frequency:
                    out.append(state & 255)
                    state >>= 8
                turns, rest = divmod(state, frequency)
                state = (turns << _PRECISION) + start + rest
        while state:  # the state fills up from 0 and is written whole, so that little is lost on short clips
            out.append(state & 255)
            state >>= 8
        return bytes(out)

    def _decode(self, payload: bytes, frames: int) -> list[list[int]] | None:
        """Undo `_encode`; None when the bytes are not those of so many frames."""
        if payload.endswith(b"\0"):  # the state's first byte, which is never written when it is nothing
            return None
        state, left, mask = 0, len(payload), (1 << _PRECISION) - 1
        tokens = []
        for _ in range(frames):
            frame = []
            for table in self._tables:
                while state < _LOWEST and left:
                    left -= 1
                    state = state << 8 | payload[left]
                place = state & mask
                rank = bisect_right(table.starts, place) - 1
                start, frequency = table.starts[rank], table.starts[rank + 1] - table.starts[rank]
                state = frequency * (state >> _PRECISION) + place - start
                frame.append(table.codewords[rank])
            tokens.append(frame)
        return None if state or left else tokens


class _Table(NamedTuple):
    """The codewords of one group, the most frequent first: what is likely then leaves a small state small."""

    codewords: list[int]
    """By rank."""
    ranks: list[int]
    """By codeword."""
    starts: list[int]
    """Frequencies summed up to each rank, and in all."""

    @classmethod
    def of_shares(cls, usage: NDArray[np.float32]) -> _Table:
        frequencies = count_frequencies(usage)
        codewords = sorted(range(len(frequencies)), key=lambda codeword: -frequencies[codeword])
        ranks = [codewords.index(codeword) for codeword in range(len(codewords))]
        return cls(codewords, ranks, [0, *accumulate(frequencies[codeword] for codeword in codewords)])


def count_frequencies(usage: NDArray[np.float32]) -> list[int]:
    """Whole numbers from 1 up that add up to 2^14, in proportion to shares (codewords,).

    Integers throughout: floating-point sums may round otherwise on another machine, and then nothing could be read.
    """
    scaled = [max(int(value * 2**24), int(_UNUSED * 2**24)) for value in np.nan_to_num(usage).tolist()]
    total, room = sum(scaled), (1 << _PRECISION) - len(scaled)
    frequencies = [1 + value * room // total for value in scaled]
    frequencies[scaled.index(max(scaled))] += (1 << _PRECISION) - sum(frequencies)
    return frequencies


def fingerprint_quantizer(quantizer: GroupQuantizer) -> bytes:
    """Eight bytes that tell codebooks and their statistics from all others, the same before and after saving."""
    digest = hashlib.sha256()
    for tensor in (quantizer.codebooks, quantizer.usage):
        values = round_numbers(tensor.detach().float().cpu().numpy())
        digest.update(repr(values.shape).encode() + values.astype("<f4").tobytes())
    return digest.digest()[:FINGERPRINT_BYTES]


def round_numbers(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values as weights files keep them: rounded to bfloat16, to even at halves."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(values), rounded.view(np.float32), values)


def _damaged(source: str) -> BitpuppetError:
    return BitpuppetError(f"{source}: the packed tokens are damaged or cut off; copy the file or pack the motion again")
