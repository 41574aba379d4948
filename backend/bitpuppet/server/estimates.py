"""How large a result will be, as far as that can be told before the work."""

from __future__ import annotations

from bitpuppet_client.jobs import ExtendParams
from bitpuppet_client.messages import Submit


def expect_frames(submit: Submit) -> int:
    """Frames of the result, as far as that is known before."""
    parts = submit.parts
    if isinstance(submit.params, ExtendParams):
        return len(parts["motion"]) + submit.params.count
    drawn = parts.get("tokens", parts.get("motion"))
    return 0 if drawn is None else len(drawn)


def expect_bytes(submit: Submit) -> int:
    """About how many bytes the result will have."""
    art = submit.parts.get("content", submit.parts.get("motion"))
    if art is None or art.ndim != 4:
        return 0
    height, width = art.shape[1:3]
    return expect_frames(submit) * int(height) * int(width) * 4 * int(getattr(submit.params, "variations", 1))
