"""Files of animation programs: Aseprite's own, its JSON and TexturePacker's. Parsers are pure functions of bytes."""

from __future__ import annotations
