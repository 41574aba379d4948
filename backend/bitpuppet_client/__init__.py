"""Wire format and clients of the bitpuppet service: numpy and pyzmq only, no torch, no Blender."""

from __future__ import annotations

__version__ = "0.1.0"
