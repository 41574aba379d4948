"""Presets: every size of the model, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from bitpuppet.errors import BitpuppetError

LARGEST_CANVAS = 128
"""Side of the largest canvas that a model of sprites can be enlarged to, in pixels."""
MAY_BE_ZERO = (
    "detail_frames",
    "encoder_heads",
    "encoder_width",
    "fps",
    "metric_hidden",
    "stem_hidden",
    "stem_width",
    "telling_width",
    "temporal_width",
)
"""Settings that 0 switches off."""


@dataclass(frozen=True)
class Preset:
    """Sizes of one model. The defaults are those of `sprite64`, but for what its older weights do not have."""

    name: str = "sprite64"
    """The word after `--preset`, and what a weights file says it holds."""
    canvas: int = 64
    """Side of the square frame that the model sees, in pixels."""
    patch: int = 8
    """Side of a token's patch, in pixels (sprite codec) or latent cells (autoencoder codec); divides the canvas."""
    codec: Literal["patch", "latent"] = "patch"
    """What a frame becomes: lossless patches of its pixels, or latents of a pretrained image autoencoder (paper)."""
    latent_channels: int = 4
    """Channels of the autoencoder's latents."""
    latent_scale: int = 8
    """Pixels of a frame to one latent cell, along each side."""
    width: int = 256
    """Width of the denoiser."""
    heads: int = 4
    """Attention heads of the denoiser."""
    encoder_width: int = 0
    """Width of the encoder; 0 for that of the denoiser."""
    encoder_heads: int = 0
    """Attention heads of the encoder; 0 for those of the denoiser."""
    reading: Literal["patches", "frames"] = "patches"
    """What the encoder reads: the patches of frames, motion from each frame on its own; or clips with one token for
    each frame, motion at the frames' outputs (paper)."""
    clip_frames: int = 50
    """Frames of a clip where the encoder reads clips: half are content, the other half is motion (paper: 50)."""
    stem_width: int = 32
    """Channels of the first of the convolutions that read motion; 0 for T5 (paper)."""
    stem_scale: int = 1
    """Pixels along each side that these convolutions see as one."""
    stem_hidden: int = 0
    """Hidden width of what sees the cells of a frame together (`stem.Posture`); 0 for none, as in older weights."""
    encoder_blocks: int = 4
    """Blocks of the T5 encoder (paper: 12)."""
    denoiser_blocks: int = 6
    """Blocks of the DiT denoiser (paper: DiT-B, 12)."""
    content_tokens: int = 32
    """K, the number of learnable content queries."""
    groups: int = 5
    """N, the groups of the motion quantizer (paper: 64)."""
    codewords: int = 16
    """Codewords of each group's codebook (paper: 32)."""
    group_width: int = 8
    """Values of one group, so motion has groups x group_width values a frame."""
    bits_per_frame: float = 12.0
    """Target of the rate control, in bits (paper: 160)."""
    fps: float = 0.0
    """Frames a second of the videos it is for, to tell bitrates in kbit/s; 0 for art, which has no rate of its own."""
    head: Literal["palette", "values"] = "palette"
    """What the denoiser ends in: a choice among the character's own colours for each pixel, or the tokens' values."""
    pixel_width: int = 16
    """Values by which the palette head describes a pixel."""
    detail_frames: int = 8
    """Content frames whose own tokens stay part of the content, beside the K queries; 0 for none (paper)."""
    reference: bool = True
    """Whether the denoiser is given the content frames whose motion is nearest."""
    nearest: int = 2
    """How many of them each frame that is drawn is given."""
    warp: bool = False
    """Whether each pixel is fetched from where they show it, from one of them more than others; else their mean is
    taken at the same place."""
    metric_hidden: int = 0
    """Hidden width of what makes motion of frames comparable (`metric`); 0 for a matrix alone, as in older weights."""
    telling_width: int = 0
    """Hidden width of what tells from motion how a reference differs from the frame that is asked for; 0 for none."""
    relative: bool = False
    """Whether motion is taken from the driver's frame that is most like a content frame, as if it were that one. Where
    tokens tell more than the pose, of whose face it is, drivers then move a person without looking through."""
    mirrored: bool = True
    """Whether what a mirror shows of the content frames is a reference, too."""
    knows_mirrored: bool = False
    """Whether the frames themselves tell, too, what a mirror shows of them (`Denoiser.know_mirrored`); not in older
    weights."""
    temporal_width: int = 64
    """Width of temporal attention; 0 for none."""
    temporal_every: int = 2
    """Spatial blocks from one temporal layer to the next."""
    temporal_reach: int = 3
    """Frames to each side that temporal attention looks at."""
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
    sampler: Literal["readings", "euler", "heun"] = "readings"
    """What a step is: one look from pure noise, each beside the next nearest references, all of which are averaged; one
    evaluation of the denoiser on the way from noise to the frame; or EDM's second order, two evaluations (paper)."""
    pieces: bool = True
    """Whether readings are held against pieces of the content frames, see `pieces`."""
    steps: int = 4
    """Sampling steps when the user names none (docs/results.md has figures for others)."""
    content_frames: int = 16
    """Most content frames that the encoder looks at, evenly spaced; all of them may become references."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or (field.name in MAY_BE_ZERO and value == 0):
                continue
            if isinstance(value, (int, float)) and value <= 0:
                raise BitpuppetError(f"preset {self.name}: {field.name} is {value}, it must be above 0; correct it")
        if self.canvas % (self.patch * self.cell):
            raise BitpuppetError(
                f"preset {self.name}: patch {self.patch} does not divide canvas {self.canvas}; correct it"
            )
        for width, heads in ((self.width, self.heads), self.encoder_size):
            if width % heads or width % 4:
                raise BitpuppetError(
                    f"preset {self.name}: width {width} must divide by heads {heads} and by 4; correct it"
                )
        if self.codec == "latent" and self.head == "palette":
            raise BitpuppetError(f"preset {self.name}: latents have no palette; set head to values")
        if self.codec == "latent" and self.reference and self.mirrored:
            raise BitpuppetError(
                f"preset {self.name}: a mirrored latent is no latent of a mirrored frame; set mirrored to false"
            )
        if self.telling_width and not (self.reference and self.head == "values" and self.prediction == "clean"):
            raise BitpuppetError(
                f"preset {self.name}: differences are told from references, in values of the clean frame; set "
                "telling_width to 0, or reference to true, head to values and prediction to clean"
            )
        if self.warp and not (self.reference and self.head == "values" and self.prediction == "clean"):
            raise BitpuppetError(
                f"preset {self.name}: values are fetched from references; set warp to false, or reference to true, "
                "head to values and prediction to clean"
            )
        if self.relative and not self.reference:
            raise BitpuppetError(
                f"preset {self.name}: motion is relative to that of references; set reference to true, or relative to "
                "false"
            )
        if self.sampler == "readings" and not (self.reference and self.prediction == "clean"):
            raise BitpuppetError(
                f"preset {self.name}: readings differ by references and are averaged as clean frames; set sampler to "
                "euler, or reference to true and prediction to clean"
            )
        if self.reading == "frames" and (
            self.detail_frames or self.stem_width or self.head == "palette" or self.clip_frames % 2
        ):
            raise BitpuppetError(
                f"preset {self.name}: reading frames needs detail_frames 0, stem_width 0, head values and an even "
                "clip_frames; correct them"
            )

    @property
    def tokens(self) -> int:
        """Tokens of one frame."""
        return (self.canvas // self.cell // self.patch) ** 2

    @property
    def cell(self) -> int:
        """Pixels to a cell of what the patches are cut from, along each side."""
        return self.latent_scale if self.codec == "latent" else 1

    @property
    def encoder_size(self) -> tuple[int, int]:
        """Width and attention heads of the encoder."""
        return self.encoder_width or self.width, self.encoder_heads or self.heads

    @property
    def token_width(self) -> int:
        """Values of one token: the RGBA pixels or the latent cells of a patch."""
        return (self.latent_channels if self.codec == "latent" else 4) * self.patch**2

    def count_kbits(self, bits_per_frame: float) -> float:
        """Bits per frame as kbit/s; 0 where the preset has no frame rate."""
        return bits_per_frame * self.fps / 1000

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
    "sprite64": Preset(stem_hidden=96, knows_mirrored=True),
    "paper": Preset(
        name="paper",
        canvas=256,
        patch=4,
        codec="latent",
        width=768,
        heads=12,
        encoder_width=512,
        encoder_heads=8,
        reading="frames",
        clip_frames=50,
        stem_width=0,
        encoder_blocks=12,
        denoiser_blocks=12,
        content_tokens=32,
        groups=64,
        codewords=32,
        group_width=8,
        bits_per_frame=160.0,
        fps=25.0,
        head="values",
        detail_frames=0,
        reference=False,
        temporal_width=768,
        temporal_every=1,
        temporal_reach=24,
        prediction="edm",
        sigma_data=1.0,
        sigma_min=0.002,
        sigma_max=80.0,
        sigma_last=0.002,
        sampler="heun",
        steps=18,
        content_frames=25,
    ),
    "heads": Preset(
        name="heads",
        canvas=128,
        patch=2,
        codec="latent",
        latent_channels=32,
        width=192,
        heads=4,
        stem_width=128,
        encoder_blocks=2,
        denoiser_blocks=6,
        groups=16,
        codewords=16,
        bits_per_frame=40.0,
        fps=25.0,
        head="values",
        detail_frames=4,
        telling_width=64,
        warp=True,
        relative=True,
        mirrored=False,
        temporal_every=3,
        sigma_data=0.95,
        sigma_last=2.0,
        sampler="euler",
    ),
    "render64": Preset(
        name="render64",
        encoder_blocks=1,
        denoiser_blocks=4,
        head="values",
        nearest=4,
        metric_hidden=256,
        warp=True,
        steps=3,
        stem_hidden=96,
        knows_mirrored=True,
    ),
    "tiny": Preset(
        name="tiny",
        canvas=64,
        patch=16,
        width=64,
        heads=2,
        stem_width=8,
        encoder_blocks=1,
        denoiser_blocks=2,
        content_tokens=4,
        detail_frames=2,
        temporal_width=16,
        groups=4,
        codewords=8,
        bits_per_frame=8.0,
    ),
}
"""`paper` has the paper's sizes: T5 of 12 x 512 x 8, 64 groups of 32 codewords, 160 bits a frame, DiT-B/4 with temporal
layers, clips of 50 frames. It has no weights, since training it takes GPUs (docs/training.md). What the paper leaves
open is ours: 256 pixels, K = 32 content queries, motion of 512 values, and a temporal layer after every spatial block
that sees the whole half of a clip. `heads` is for talking heads on a small autoencoder's latents, of a size that two
CPU cores train in hours: patches of 2x2 cells of 32 channels, the content frames' own tokens and the nearest of them as
in `sprite64`, and 40 bits a frame, 1 kbit/s. `render64` is `sprite64` with fewer blocks, which can begin with
some of those, and with values instead of a palette, for soft edges and shaded colours; each pixel is
fetched from four references. `heads` has no weights, and `tiny` has none either: tests train it for a few
steps."""


def find_preset(name: str) -> Preset:
    """The preset called `name`.

    Raises:
        BitpuppetError: there is none; the message lists those there are.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise BitpuppetError(f"--preset {name}: there is no such preset; choose one of {', '.join(PRESETS)}") from None
