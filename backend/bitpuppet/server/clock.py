"""Two clocks: one to show people, one to measure with."""

from __future__ import annotations

import time


class Clock:
    """The machine's clocks. Tests put jumping ones in their place."""

    def wall(self) -> float:
        """Unix seconds. Jumps when somebody sets the clock, so it is shown and never computed with."""
        return time.time()

    def steady(self) -> float:
        """Seconds from some moment on; never back, never a jump."""
        return time.monotonic()
