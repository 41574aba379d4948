"""docs/protocol.md against the code: its examples, its tables, and the client that it prints."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bitpuppet_client import endpoint, jobs, limits, messages, schema, wire

from .fakes import PATIENCE, FakeServer

PAGE = (Path(__file__).parent.parent.parent / "docs" / "protocol.md").read_text(encoding="utf-8")
EXAMPLES = [
    (kind, json.loads(text)) for kind, text in re.findall(r"<!-- example: ([a-z ]+) -->\n```json\n(.*?)```", PAGE, re.S)
]
ITEM_BYTES = {"uint8": 1, "uint16": 2, "float32": 4}


def find_examples(kind: str) -> list[dict[str, Any]]:
    """The page's examples of a kind."""
    return [values for name, values in EXAMPLES if name == kind]


@pytest.mark.parametrize("kind", ["request", "reply"])
def test_examples_are_what_the_codec_reads_and_writes(kind: str) -> None:
    decode = wire.decode_request if kind == "request" else wire.decode_reply
    for values in find_examples(kind):
        payload = [bytes(math.prod(part["shape"]) * ITEM_BYTES[part["dtype"]]) for part in values["parts"]]
        packet = decode([json.dumps(values).encode(), *payload])
        assert json.loads(bytes(wire.encode(packet.message, packet.request)[0])) == values


def test_there_is_an_example_of_everything() -> None:
    assert {values["type"] for values in find_examples("request")} == set(messages.REQUESTS)
    assert {values["type"] for values in find_examples("reply")} == set(messages.REPLIES)
    for kind, params in jobs.PARAMS.items():
        (values,) = find_examples(f"params {kind}")
        assert schema.write_object(schema.read_object(params, values, kind)) == values
        assert f"**{kind}**" in PAGE


def test_requests_go_to_the_channels_that_the_page_names() -> None:
    for name, kind in messages.REQUESTS.items():
        text = PAGE.partition(f"### {name}\n\n")[2]
        channels = {"control": messages.CONTROL_REQUESTS, "jobs": messages.JOB_REQUESTS}
        named = text[: text.index(".")].lower()
        assert {channel for channel in channels if channel in named} == {
            channel for channel, kinds in channels.items() if kind in kinds
        }


def test_tables_tell_every_limit_and_error_code() -> None:
    told = dict(re.findall(r"^\| (MAX_[A-Z_]+) \| ([0-9]+) \|$", PAGE, re.M))
    assert told and all(getattr(limits, name) == int(value) for name, value in told.items())
    codes = re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| [^|]+ \|$", PAGE, re.M)
    assert tuple(code for code in codes if code not in ("protocol", "type", "request", "body", "parts")) == (
        messages.ERROR_CODES
    )
    assert f"This is version **{limits.PROTOCOL}**" in PAGE
    for name in (*messages.STATES, *messages.HEALTH_STATES, endpoint.FILE_NAME, endpoint.FOLDER_VARIABLE):
        assert name in PAGE


def test_endpoint_example_is_one() -> None:
    (values,) = find_examples("endpoint")
    assert schema.write_object(schema.read_object(endpoint.Endpoint, values, "endpoint")) == values


def run_client(folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the page's client, which sees neither our packages nor our tests."""
    (code,) = re.findall(r"<!-- client -->\n```python\n(.*?)```", PAGE, re.S)
    program = folder / "client.py"
    program.write_text(code, encoding="utf-8")
    assert not re.search(r"numpy|bitpuppet_client", code)
    return subprocess.run(
        [sys.executable, "-I", str(program), str(path)],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )


def test_the_pages_client_gets_its_frames(server: FakeServer, tmp_path: Path) -> None:
    run = run_client(tmp_path, server.path)
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout) == {
        "health": "ready",
        "report": {"seed": 7},
        "parts": [{"name": "frames", "dtype": "uint8", "shape": [4, 16, 16, 4]}],
        "bytes": [4 * 16 * 16 * 4],
    }
    assert not server.jobs


def test_the_pages_client_tells_errors(server: FakeServer, tmp_path: Path) -> None:
    server.busy_times = 1
    run = run_client(tmp_path, server.path)
    assert (run.returncode, run.stderr) == (1, "busy: the queue is full; try again\n")
