"""Presets: every size of the model, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from bitpuppet.errors import BitpuppetError


@dataclass(frozen=True)
class Preset:
    """Sizes of one model. The defaults are those of `sprite64`."""

    name: str = "sprite64"
    """The word after `--preset`, and what a weights file says it holds."""
    canvas: int = 64
    """Side of the square frame that the model sees, in pixels."""
    patch: int = 8
    """Side of a token's patch, in pixels (sprite codec) or latent cells (autoencoder codec); divides the canvas."""
    width: int = 256
    """Width of the encoder and the denoiser."""
    heads: int = 4
    """Attention heads of both."""
    encoder_blocks: int = 4
    """Blocks of the T5 encoder (paper: 12)."""
    denoiser_blocks: int = 6
    """Blocks of the DiT denoiser (paper: DiT-B, 12)."""
    content_tokens: int = 32
    """K, the number of learnable content queries."""
    groups: int = 8
    """N, the groups of the motion quantizer (paper: 64)."""
    codewords: int = 16
    """Codewords of each group's codebook (paper: 32)."""
    group_width: int = 8
    """Values of one group, so motion has groups x group_width values a frame."""
    bits_per_frame: float = 18.0
    """Target of the rate control, in bits (paper: 160)."""
    prediction: Literal["clean", "edm"] = "clean"
    """What the denoiser predicts: the clean frame itself, or EDM's mixture of clean frame and noise (paper)."""
    sigma_data: float = 0.7
    """Standard deviation of the data, in the codec's units."""
    sigma_min: float = 0.05
    """Lowest noise level of training."""
    sigma_max: float = 20.0
    """Highest noise level."""
    sigma_last: float = 5.0
    """Lowest noise level of the sampler above zero, where more than one step is taken."""
    steps: int = 4
    """Sampling steps when the user names none."""
    content_frames: int = 64
    """Most content frames that are looked at; more are thinned out evenly."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and value <= 0:
                raise BitpuppetError(f"preset {self.name}: {field.name} is {value}, it must be above 0; correct it")
        if self.canvas % self.patch:
            raise BitpuppetError(
                f"preset {self.name}: patch {self.patch} does not divide canvas {self.canvas}; correct it"
            )
        if self.width % self.heads or self.width % 4:
            raise BitpuppetError(
                f"preset {self.name}: width {self.width} must divide by heads {self.heads} and by 4; correct it"
            )

    @property
    def tokens(self) -> int:
        """Tokens of one frame."""
        return (self.canvas // self.patch) ** 2

    @property
    def token_width(self) -> int:
        """Values of one token: the RGBA pixels of a patch."""
        return 4 * self.patch**2

    @property
    def motion_width(self) -> int:
        """Values of one frame's motion."""
        return self.groups * self.group_width

    def to_metadata(self) -> dict[str, Any]:
        """The preset as plain values, for the header of a weights file."""
        return asdict(self)

    @classmethod
    def from_metadata(cls, values: Mapping[str, Any]) -> Preset:
        """Read what `to_metadata` wrote.

        Raises:
            BitpuppetError: for a setting that this version does not know.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise BitpuppetError(f"weights name the unknown setting {unknown[0]!r}; update bitpuppet")
        return cls(**values)


PRESETS: Mapping[str, Preset] = {
    "sprite64": Preset(),
    "tiny": Preset(
        name="tiny",
        canvas=64,
        patch=16,
        width=64,
        heads=2,
        encoder_blocks=1,
        denoiser_blocks=1,
        content_tokens=4,
        groups=4,
        codewords=8,
        bits_per_frame=8.0,
    ),
}
"""`tiny` has no weights: tests train it for a few steps."""


def find_preset(name: str) -> Preset:
    """The preset called `name`.

    Raises:
        BitpuppetError: there is none; the message lists those there are.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise BitpuppetError(f"--preset {name}: there is no such preset; choose one of {', '.join(PRESETS)}") from None
