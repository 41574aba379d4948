"""A trainer as in service that learns nothing: its steps take a while, and it counts them. Run as a program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time

import numpy as np

from bitpuppet.errors import BitpuppetError
from bitpuppet.server.lessons import Lesson, Plan, Taught, Watch
from bitpuppet.server.trainer import main

STEP_SECONDS = "FAKE_TRAIN_SECONDS"
"""Environment variable: how long a step takes."""
DIES, FAILS, FULL = 900_001, 900_002, 900_003
"""Seeds that are orders, which are followed in the third step of each run."""
LOOK_EVERY = 5


def teach(plan: Plan, watch: Watch) -> Taught:
    """Count to `steps`; the checkpoint is the count, and how often it was begun."""
    checkpoint = plan.folder / "checkpoint.json"
    count = json.loads(checkpoint.read_text()) if checkpoint.is_file() else {"step": 0, "runs": 0, "done": []}
    count["runs"] += 1
    steps = plan.steps or 10
    while count["step"] < steps:
        time.sleep(float(os.environ.get(STEP_SECONDS, "0.01")))
        count["step"] += 1
        step = count["step"]
        count["done"].append(step)
        if step == 3:
            misbehave(plan)
        checkpoint.with_suffix(".partial").write_text(json.dumps(count))
        checkpoint.with_suffix(".partial").replace(checkpoint)
        looks = step % LOOK_EVERY == 0
        lesson = Lesson(
            step,
            steps,
            loss=1 / step,
            held_out=min(step / 100, 1.0) if looks else None,
            eta_seconds=float(steps - step),
            sample=(lambda value=step: np.full((1, 4, 6, 4), value % 256, np.uint8)) if looks else None,
        )
        if not watch(lesson):
            break
    weights = plan.folder / "weights.safetensors"
    shutil.copyfile(plan.base, weights)
    return Taught(weights, {"runs": count["runs"], "repeated": len(count["done"]) - count["step"], "set": plan.name})


def misbehave(plan: Plan) -> None:
    if plan.seed == DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    elif plan.seed == FAILS:
        raise BitpuppetError(f"{plan.characters}/walk.png: not a picture; save it again")
    elif plan.seed == FULL:
        raise OSError(28, "No space left on device")


if __name__ == "__main__":
    assert "torch" not in sys.modules, "the trainer is to stay light until it trains"
    main(teach)
