"""Named parts of a clip: tags (stretches of frames) and slices (rectangles), as animation programs have them."""

from __future__ import annotations

from dataclasses import dataclass

DIRECTIONS = ("forward", "reverse", "pingpong", "pingpong_reverse")
"""How a tag plays, in the words of Aseprite's JSON; in its files they are the numbers 0 to 3."""
MAX_TAGS = 4096
"""Most tags, and most slices, that a file may have."""


@dataclass(frozen=True)
class Tag:
    """A named stretch of frames.

    `first`, `last`: numbers of frames from 0, both inside. `direction`: one of DIRECTIONS. `repeat`: how many times it
    plays, 0 for ever; ping-pong counts each way.

    Raises ValueError when these are out of their range.
    """

    name: str
    first: int
    last: int
    direction: str = "forward"
    repeat: int = 0

    def __post_init__(self) -> None:
        """See above."""
        if not 0 <= self.first <= self.last or self.direction not in DIRECTIONS or self.repeat < 0:
            raise ValueError(f"no tag has frames {self.first} to {self.last}, {self.direction}, repeated {self.repeat}")

    def list_played(self) -> list[int]:
        """Numbers of the frames that one round shows; of a ping-pong both ways, the two ends once."""
        forward = list(range(self.first, self.last + 1))
        if self.direction == "forward":
            return forward
        if self.direction == "reverse":
            return forward[::-1]
        if self.direction == "pingpong":
            return forward + forward[-2:0:-1]
        return forward[::-1] + forward[1:-1]

    def shift(self, start: int, count: int) -> Tag | None:
        """The tag in a cut of `count` frames from frame `start` on; None where a part of it is cut off."""
        if self.first < start or self.last >= start + count:
            return None
        return Tag(self.name, self.first - start, self.last - start, self.direction, self.repeat)


@dataclass(frozen=True)
class SliceKey:
    """Where a slice is from one frame on. All in pixels of the frame; sides of 0 hide it.

    `bounds`: left, top, width, height. `centre`: the middle of a nine-patch, from the bounds' corner. `pivot`: x and
    y, from there too.
    """

    frame: int
    bounds: tuple[int, int, int, int]
    centre: tuple[int, int, int, int] | None = None
    pivot: tuple[int, int] | None = None


@dataclass(frozen=True)
class Slice:
    """A named rectangle that may move: `keys` in the order of their frames."""

    name: str
    keys: tuple[SliceKey, ...]

    def shift(self, start: int, count: int) -> Slice | None:
        """The slice in a cut of `count` frames from frame `start` on; None where it has no key before the cut's end."""
        earlier = [key for key in self.keys if key.frame <= start][-1:]
        inside = [key for key in self.keys if start < key.frame < start + count]
        keys = tuple(
            SliceKey(max(0, key.frame - start), key.bounds, key.centre, key.pivot) for key in (*earlier, *inside)
        )
        return Slice(self.name, keys) if keys else None
