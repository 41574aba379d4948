"""The figures of speed are complete and sane; how fast is nobody's test."""

from __future__ import annotations

import torch

from bitpuppet.evaluation.speed import measure_speed
from bitpuppet.jobs.engine import Engine
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS


def test_figures_of_a_tiny_model() -> None:
    engine = Engine(BitrateControlledDiffusion(PRESETS["tiny"]), torch.device("cpu"), torch.float32)
    figures = measure_speed(engine, frames=2, steps=1, strips=1)
    assert figures["frames"] == 2 and figures["device"] == "cpu"
    # 16 tokens a frame: the MLP of one block alone is 2 * 16 * 8 * 64^2 FLOP a frame.
    assert figures["denoiser_gflop_a_step"] * 1e9 > 2 * 2 * 16 * 8 * 64**2
    assert figures["matmul_gflops"] > 0 and figures["model_seconds_a_strip"] > 0
    assert 0 <= figures["denoiser_share_of_matmul"] <= 1.5
