"""Latents of a training set, computed once and kept on disk.

An autoencoder costs more than a small model does: 0.06 CPU seconds a frame of 128 pixels for a tiny one, nine tenths of
a step for one of Stable Diffusion's size. A file is named by the codec's fingerprint and by what is in the clip that it
is of, so that another codec, another clip or other settings make other files, and a clip that was moved does not.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bitpuppet.data.clips import ReadFrames
from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from bitpuppet.model.latent_codec import LatentCodec

AT_ONCE = 256
"""Frames that are brought to the codec together."""


def find_latents() -> Path:
    """Where latents are kept: a folder in the user's cache folder."""
    return Path(platformdirs.user_cache_dir("bitpuppet")) / "latents"


class LatentCache:
    """Turns clips into the codec's tokens; see `data.clips.Convert`."""

    def __init__(self, codec: LatentCodec, folder: Path | None = None) -> None:
        """Open a cache in a folder, or in the user's cache folder."""
        self.codec, self.folder = codec, folder or find_latents()

    def __call__(self, source: Path, settings: str, read: ReadFrames) -> NDArray[np.float16]:
        """The tokens of a clip, float16 (T, N, D), from the cache or by reading its frames.

        Args:
            source: the clip's file or folder.
            settings: all else that decides what `read` returns.
            read: gives the frames, uint8 (T, H, W, 4).

        Raises:
            BitpuppetError: as `read`, or the cache cannot be written.
        """
        path = self.folder / f"{self._name(source, settings)}.safetensors"
        try:
            return load_file(path)["tokens"]
        except (OSError, SafetensorError, KeyError):  # missing or damaged: it is made again
            tokens = self._encode(read())
        self._write(path, tokens)
        return tokens

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float16]:
        parts = [
            self.codec.encode(torch.from_numpy(np.ascontiguousarray(frames[start : start + AT_ONCE]))).half().numpy()
            for start in range(0, len(frames), AT_ONCE)
        ]
        return np.concatenate(parts)

    def _name(self, source: Path, settings: str) -> str:
        files = sorted(file for file in source.iterdir() if file.is_file()) if source.is_dir() else [source]
        digest = hashlib.sha256(f"{self.codec.fingerprint}\n{settings}".encode())
        for path in files:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:32]

    def _write(self, path: Path, tokens: NDArray[np.float16]) -> None:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                save_file({"tokens": np.ascontiguousarray(tokens)}, partial)
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        except (OSError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise BitpuppetError(
                f"{self.folder}: latents cannot be kept there ({reason}); make room, or name another folder with "
                "--latents"
            ) from error
