"""Videos that clients send: decoded by the same code as the command line's, without a model."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from bitpuppet.server.tasks import Done, Watch
from bitpuppet.sprites import VideoSettings, probe_video, read_video
from bitpuppet_client.jobs import ReadParams
from bitpuppet_client.parts import Parts


def run_reading(params: ReadParams, parts: Parts, watch: Watch) -> Done:
    """Decode a video; steps are frames.

    Raises:
        BitpuppetError: it cannot be decoded, a setting does not fit it, or the result would be too large; the message
            names the file as the client does.
    """
    names = ("fps", "range", "crop", "size", "sampling")
    settings = VideoSettings.parse({name: getattr(params, name) for name in names})
    path, data = Path(params.name), BytesIO(parts["video"].data)
    rate = settings.fps or probe_video(path, data).rate

    def tell(done: int, total: int) -> None:
        # A header may tell of fewer frames than there are: the last step is the end itself.
        watch(min(done, max(total - 1, 0)), total, None)

    data.seek(0)
    clip = read_video(path, settings, data, tell)
    report = {"frames": len(clip), "width": clip.width, "height": clip.height, "fps": round(float(rate), 3)}
    return Done(report, {"frames": clip.frames})
