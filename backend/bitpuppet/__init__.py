"""Bitpuppet: retarget the motion of one sprite onto another, by bitrate-controlled diffusion."""

__version__ = "0.1.0"
