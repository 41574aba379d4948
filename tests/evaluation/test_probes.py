"""Probes find what leaks, and nothing where nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bitpuppet.data.benchmark import ATTRIBUTES, Benchmark, BenchmarkCharacter, split_characters
from bitpuppet.data.puppets import draw_clip, make_puppet
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation import probes
from bitpuppet.evaluation.probes import EngineReader, Leakage, Reading, _summarize, probe_leakage
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.sprites import place_clip

Frames = NDArray[np.uint8]


class StubBenchmark(Benchmark):
    """Clips whose first pixel says who and what they are."""

    def __init__(self) -> None:
        pass

    def clip(self, character: BenchmarkCharacter, motion: int) -> Frames:
        frames = np.zeros((8, 1, 5, 1), np.uint8)
        frames[:, 0, :, 0] = (*character.attributes, motion)
        return frames


@dataclass
class StubReader:
    """Motion says the motion, content the attributes; and what leaks, if anything."""

    leaks: tuple[int, ...] = ()
    """Attributes that motion says too, by number."""

    def read_motion(self, clips: Frames) -> NDArray[np.float32]:
        facts = clips[:, 0, 0, :, 0]
        parts = [np.eye(9)[facts[:, 4]], *(np.eye(6)[facts[:, leak]] for leak in self.leaks)]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def read_content(self, clips: Frames) -> dict[str, NDArray[np.float32]]:
        facts = clips[:, 0, 0, :, 0]
        joined = np.concatenate([np.eye(6)[facts[:, number]] for number in range(4)], axis=1, dtype=np.float32)
        return {"content queries": joined}


@pytest.fixture(scope="module", autouse=True)
def fewer_characters() -> Iterator[None]:
    """A part of the split, for speed."""
    training, test = split_characters()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "split_characters", lambda: (training[:400], test[:200]))
        yield


@pytest.fixture(scope="module")
def tight() -> Leakage:
    return probe_leakage(StubReader(), StubBenchmark(), clips=1, test_clips=2)


def test_what_should_be_read_is_read(tight: Leakage) -> None:
    assert tight.find("motion tokens", "motion").accuracy > 0.99
    for attribute in ATTRIBUTES:
        assert tight.find("content queries", attribute).accuracy > 0.99


def test_nothing_is_read_where_nothing_leaks(tight: Leakage) -> None:
    for target in (*ATTRIBUTES, "attributes"):
        reading = tight.find("motion tokens", target)
        assert reading.chance == pytest.approx(1 / 6)
        assert reading.advantage < 3 * reading.error + 0.02
    motion = tight.find("content queries", "motion")
    assert motion.chance == pytest.approx(1 / 9) and motion.advantage < 3 * motion.error + 0.02


def test_a_leak_is_found_where_it_is() -> None:
    leaky = probe_leakage(StubReader(leaks=(3,)), StubBenchmark(), clips=1, test_clips=1)
    assert leaky.find("motion tokens", "hair").accuracy > 0.99
    assert leaky.find("motion tokens", "skin").accuracy < 0.3
    mean = leaky.find("motion tokens", "attributes")
    parts = [leaky.find("motion tokens", attribute).accuracy for attribute in ATTRIBUTES]
    assert mean.accuracy == pytest.approx(np.mean(parts))
    assert mean.advantage > 0.15


def test_more_clips_of_a_character_do_not_make_the_error_smaller() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(0, 2, 100).astype(float)
    once = _summarize("a", "b", right, np.arange(100), 0.5, "linear")
    thrice = _summarize("a", "b", right.repeat(3), np.arange(100).repeat(3), 0.5, "linear")
    assert once.error == pytest.approx(right.std(ddof=1) / 10)
    assert thrice.error == pytest.approx(once.error) and thrice.accuracy == once.accuracy


def test_the_same_seed_gives_the_same_figures(tight: Leakage) -> None:
    before = torch.random.get_rng_state()
    assert probe_leakage(StubReader(), StubBenchmark(), clips=1, test_clips=2) == tight
    assert torch.equal(torch.random.get_rng_state(), before)


def test_numbers_out_of_range_are_refused() -> None:
    for setting, message in (
        ({"clips": 0}, "--clips is 0"),
        ({"test_clips": 10}, "from 1 to 9"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(BitpuppetError, match=message):
            probe_leakage(StubReader(), StubBenchmark(), **setting)


def test_reading_can_be_cancelled() -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe_leakage(StubReader(), StubBenchmark(), watch=stop)


def test_an_engine_is_read_as_one_hot_tokens_and_content() -> None:
    torch.manual_seed(0)
    tiny = PRESETS["tiny"]
    engine = Engine(BitrateControlledDiffusion(tiny), torch.device("cpu"), torch.float32)
    puppet = make_puppet(3, plan="biped", size=48)
    clips = np.stack([place_clip(draw_clip(puppet, motion), 64)[0] for motion in puppet.motions[:3]])
    reader = EngineReader(engine)
    motion = reader.read_motion(clips)
    assert motion.shape == (3, 8 * tiny.groups * tiny.codewords)
    tokens = motion.reshape(3, 8, tiny.groups, tiny.codewords)
    assert (tokens.sum(axis=-1) == 1).all()
    assert np.array_equal(tokens[1].argmax(axis=-1), engine.encode_motion(clips[1]))
    content = reader.read_content(clips)
    assert content["content queries"].shape == (3, tiny.content_tokens * tiny.width)
    assert content["all content, mean"].shape == (3, tiny.width)


def test_results_are_told_in_tables_and_plain_values(tight: Leakage) -> None:
    values = tight.to_json()
    assert len(values["readings"]) == 12
    assert values["settings"] == {"clips": 1, "test_clips": 2, "seed": 0}
    assert tight.to_table().row_count == 12
    assert Reading("a", "b", 0.5, 0.25, 0.1, "linear").advantage == 0.25
