"""Files of packed motion tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.retarget import RetargetJob, prepare, run_retarget
from bitpuppet.jobs.tokens import check_packed_path, is_packed, read_packed, write_packed
from bitpuppet.model.packing import MAX_PACKED_BYTES, PackedTokens
from bitpuppet.sprites import write_strip

from .fakes import FakeDrawer, FakeEngine
from .test_continuation import numbered


def test_file_comes_back(tmp_path: Path) -> None:
    coder = FakeDrawer().coder
    path = tmp_path / "a.BPTK"
    report = write_packed(coder, numbered(*range(40)), path)
    assert is_packed(path) and not is_packed(tmp_path / "a.png")
    assert report == {"packed": str(path), "packed_bytes": path.stat().st_size, "packed_bits_per_frame": 12.2}
    np.testing.assert_array_equal(coder.unpack(read_packed(path)), numbered(*range(40)))


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    for path, match in (
        (tmp_path / "a.png", r"does not end in \.bptk"),
        (tmp_path / "none" / "a.bptk", "does not exist; create it first"),
    ):
        with pytest.raises(BitpuppetError, match=match):
            check_packed_path(path)
        with pytest.raises(BitpuppetError, match=match):
            write_packed(FakeDrawer().coder, numbered(1), path)
    with pytest.raises(BitpuppetError, match=r"none\.bptk cannot be read \(No such file"):
        read_packed(tmp_path / "none.bptk")
    with pytest.raises(BitpuppetError, match="cannot be read"):
        read_packed(Path("a\0.bptk"))


def test_file_without_end_takes_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "huge.bptk").open("wb") as file:
        file.truncate(MAX_PACKED_BYTES * 100)
    with pytest.raises(BitpuppetError, match="more than 4 MiB"):
        read_packed(tmp_path / "huge.bptk")


def test_rows_of_tokens(tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="packed motion tokens have no rows; leave out --motion-rows"):
        read_packed(tmp_path / "a.bptk", (1,))


class UnpackingEngine(FakeEngine):
    """Draws the content for each packed frame."""

    def retarget(self, content, motion, **options):  # type: ignore[no-untyped-def]
        assert isinstance(motion, PackedTokens)
        return super().retarget(content, np.repeat(content[:1], len(motion), axis=0), **options)


def test_retarget_performs_packed_tokens(tmp_path: Path) -> None:
    art = np.zeros((3, 20, 24, 4), dtype=np.uint8)
    art[:, 5:15, 6:12] = (10, 200, 30, 255)
    write_strip(art, tmp_path / "content.png")
    write_packed(FakeDrawer().coder, numbered(1, 2), tmp_path / "moves.bptk")
    job = RetargetJob(tmp_path / "content.png", tmp_path / "moves.bptk", tmp_path / "out.png", frame=(24, 20))
    prepared = prepare(job, 64)
    assert prepared.packed is not None and len(prepared.motion) == 0
    report = run_retarget(UnpackingEngine(), job, 64)
    assert (report["frames"], report["frame"], report["motion_frame"]) == (2, "24x20", None)
    with pytest.raises(BitpuppetError, match="have no rows"):
        prepare(RetargetJob(job.content, job.motion, job.out, frame=(24, 20), motion_rows=(0,)), 64)
