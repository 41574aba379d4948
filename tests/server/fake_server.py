"""A server as in service, whose workers have the fake engine. Run as a program, with settings as one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bitpuppet.errors import BitpuppetError
from bitpuppet.server.clock import Clock
from bitpuppet.server.service import AlreadyRunning, serve
from bitpuppet.server.settings import Settings
from bitpuppet_client.messages import ServerLimits

WORKER = (sys.executable, "-P", str(Path(__file__).with_name("fake_worker.py")))
TRAINER = (sys.executable, "-P", str(Path(__file__).with_name("fake_trainer.py")))


class JumpingClock(Clock):
    """A wall clock that somebody sets to another year at each look."""

    def __init__(self) -> None:
        self._looks = 0

    def wall(self) -> float:
        self._looks += 1
        return super().wall() + (-1) ** self._looks * 3e8


def make_settings(values: dict[str, Any]) -> Settings:
    for name in ("endpoint", "store", "models", "sets"):
        values[name] = Path(values[name])
    if "limits" in values:
        values["limits"] = ServerLimits(**values["limits"])
    for name in ("devices", "clients"):
        if name in values:
            values[name] = tuple(values[name])
    return Settings(**values)


def main() -> int:
    values = json.loads(sys.argv[1])
    clock = JumpingClock() if values.pop("jumping", False) else Clock()
    commands = {"worker_command": tuple(values.pop("worker", WORKER)), "trainer_command": TRAINER}
    limit = values.pop("file_bytes", None)
    if limit is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        serve(make_settings(values), tell=lambda line: print(line, flush=True), clock=clock, **commands)
    except AlreadyRunning as other:
        print(f"already running: {other.pid}", flush=True)
    except BitpuppetError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
