"""Pretrained image autoencoders: diffusers' KL and tiny ones, and pairs of files as the tiny ones are published."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    Autoencoder = AutoencoderKL | AutoencoderTiny

PAIR = ("*encoder.safetensors", "*decoder.safetensors")
"""The files of a tiny autoencoder as its author publishes it (https://github.com/madebyollin/taesd)."""
_HUB_NAME = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_FAULTS = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
_POOL = ".pool."
_WANTED = ("config.json", "diffusion_pytorch_model.safetensors", "vae/*", *PAIR)
"""Of what a name on the hub stands for; a pipeline has much else."""


class PooledBlock(nn.Module):
    """A block of a tiny autoencoder that first looks at what its channels do on the whole.

    Newer tiny autoencoders have it at their lowest resolution; diffusers' class does not.
    """

    def __init__(self, block: nn.Module, width: int, wide: int) -> None:
        super().__init__()
        self.pool = nn.Sequential(
            nn.Conv2d(width, wide, 1, bias=False),
            nn.GroupNorm(4, wide),
            nn.ReLU(),
            nn.Conv2d(wide, width, 1, bias=False),
        )
        self.block = block

    def forward(self, cells: Tensor) -> Tensor:
        """Cells (F, width, H, W) to the same."""
        out: Tensor = self.block(cells + self.pool(cells))
        return out


def read_autoencoder(place: Path | str, *, download: bool = False) -> Autoencoder:
    """Read an autoencoder from a local folder, or by its name on the Hugging Face hub.

    A folder holds `config.json` and safetensors as diffusers writes them (or a pipeline with both in its folder `vae`),
    or a pair of files of which one ends in `encoder.safetensors` and the other in `decoder.safetensors`.

    Args:
        place: the folder; or a name such as `madebyollin/taesd`, of which the hub's local cache has a copy.
        download: whether the hub may be asked for what the cache lacks. Nothing is fetched otherwise.

    Raises:
        BitpuppetError: it is missing or damaged, diffusers is not installed, or it is of another kind.
    """
    folder = Path(place)
    if not folder.exists() and _HUB_NAME.fullmatch(name := folder.as_posix()):
        folder = _fetch(name, download=download)
    if pair := _find_pair(folder):
        return _read_pair(folder, *pair)
    inner = folder / "vae" if (folder / "vae" / "config.json").is_file() else folder
    if (inner / "config.json").is_file() and list(inner.glob("*.safetensors")):
        return _read_diffusers(inner)
    raise BitpuppetError(
        f"--codec {place}: no image autoencoder here; name a folder with config.json and .safetensors, as diffusers "
        "writes it, or with the two files of a tiny autoencoder"
    )


def count_cells(autoencoder: Autoencoder) -> tuple[int, int]:
    """Channels of an autoencoder's latents, and pixels to one of their cells along each side."""
    config: Any = autoencoder.config
    return config.latent_channels, 2 ** (len(config.block_out_channels) - 1)


def fingerprint(autoencoder: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell an autoencoder from any other one, by all its parameters."""
    digest = hashlib.sha256()
    for name, value in sorted(autoencoder.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _find_pair(folder: Path) -> tuple[Path, Path] | None:
    found = [sorted(folder.glob(pattern)) for pattern in PAIR]
    return (found[0][0], found[1][0]) if all(len(files) == 1 for files in found) else None


def _require_diffusers() -> None:
    try:
        import diffusers  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise BitpuppetError(
            "--codec: diffusers is not installed; install it with: pip install 'bitpuppet[latent]'"
        ) from error


def _fetch(name: str, *, download: bool) -> Path:
    """The folder in the hub's cache that holds an autoencoder; the hub is asked for it where that is allowed."""
    _require_diffusers()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_WANTED), local_files_only=not download))
    except (*_FAULTS, HfHubHTTPError) as error:
        remedy = "check the name and the connection" if download else "add --download to ask the hub for it"
        raise BitpuppetError(f"--codec {name}: neither a folder nor in the hub's cache; {remedy}") from error


def _read_diffusers(folder: Path) -> Autoencoder:
    _require_diffusers()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    try:
        config = AutoencoderKL.load_config(folder, local_files_only=True)
        kind = AutoencoderTiny if config.get("_class_name") == "AutoencoderTiny" else AutoencoderKL
        loaded: Autoencoder = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
        )
    except _FAULTS as error:
        reason = str(error).strip().partition("\n")[0]
        raise BitpuppetError(f"--codec {folder}: not a readable autoencoder ({reason}); copy it again") from error
    return loaded


def _read_pair(folder: Path, encoder: Path, decoder: Path) -> Autoencoder:
    _require_diffusers()
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    try:
        # Their decoder counts from the clamp before its first layer, which diffusers has outside of its layers.
        sides = [_renumber(load_file(encoder), 0), _renumber(load_file(decoder), 1)]
        last = max((name for name in sides[0] if name.endswith(".bias")), key=lambda name: int(name.partition(".")[0]))
        autoencoder: Autoencoder = AutoencoderTiny(latent_channels=len(sides[0][last]))
        for network, state in zip((autoencoder.encoder, autoencoder.decoder), sides, strict=True):
            layers: nn.Sequential = network.layers  # type: ignore[assignment]  # diffusers leaves it untyped
            _load_layers(layers, state)
    except _FAULTS as error:
        reason = str(error).strip().partition("\n")[0]
        raise BitpuppetError(
            f"--codec {folder}: {encoder.name} and {decoder.name} are no tiny autoencoder ({reason}); copy them again"
        ) from error
    return autoencoder


def _renumber(state: dict[str, Tensor], first: int) -> dict[str, Tensor]:
    """Tensors by the numbers that their layers have in diffusers' class."""
    parts = ((*name.partition("."), value) for name, value in state.items())
    return {f"{int(number) - first}.{rest}": value.float() for number, _, rest, value in parts}


def _load_layers(layers: nn.Sequential, state: dict[str, Tensor]) -> None:
    """Put tensors into layers, some of which get a `PooledBlock` around them."""
    pooled = {name.partition(".")[0] for name in state if _POOL in name}
    for number in pooled:
        wide, width = state[f"{number}.pool.0.weight"].shape[:2]
        layers[int(number)] = PooledBlock(layers[int(number)], width, wide)
    names = {}
    for name, value in state.items():
        number, _, rest = name.partition(".")
        names[f"{number}.block.{rest}" if number in pooled and _POOL not in name else name] = value
    layers.load_state_dict(names)
