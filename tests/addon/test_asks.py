"""What a job's record asks of the backend: the options of exact pixels, also of records that are older than these."""

from __future__ import annotations

import json

import pytest
from bitpuppet_addon.asks import make_palette, make_params
from bitpuppet_addon.core.records import JobRecord, read_record

from bitpuppet_client.jobs import DecodeParams, ExtendParams, PixelParams, RetargetParams

DRAWN = ("retarget", "extend", "loop", "decode")
LATER = ("colours", "palette", "palette_name", "orphans", "patterns", "outline")
"""What the first records did not have."""


@pytest.mark.parametrize("kind", DRAWN)
def test_every_job_that_draws_asks_for_the_records_pixels(kind: str) -> None:
    record = JobRecord(kind, colours=12, hard_alpha=False, outline=True, orphans=False, patterns=True)
    params = make_params(read_record(record.to_text()))
    assert isinstance(params, RetargetParams | ExtendParams | DecodeParams)
    assert params.pixels == PixelParams(12, False, True, False, True)


@pytest.mark.parametrize("kind", DRAWN)
def test_old_records_ask_for_the_usual_pixels(kind: str) -> None:
    values = json.loads(JobRecord(kind).to_text())
    params = make_params(read_record(json.dumps({name: values[name] for name in values if name not in LATER})))
    assert isinstance(params, RetargetParams | ExtendParams | DecodeParams)
    assert params.pixels == PixelParams()


def test_other_colours_take_the_place_of_a_number_of_own_ones() -> None:
    record = JobRecord(colours=12, palette=(0xFF8001,))
    params = make_params(record)
    assert isinstance(params, RetargetParams)
    assert params.pixels.colours is None
    assert make_palette(record)["palette"].tolist() == [[255, 128, 1]]
