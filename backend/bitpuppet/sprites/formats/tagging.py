"""Finding a tag by the name that the user gave."""

from __future__ import annotations

from collections.abc import Sequence

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.tags import Tag

_MAX_NAMED = 12
"""Tags that a message lists."""


def find_tag(tags: Sequence[Tag], name: str, file: str) -> Tag:
    """The first tag of that name; in another case of the letters where none has it exactly.

    Raises BitpuppetError, with the file's tags, when there is none.
    """
    for tag in tags:
        if tag.name == name:
            return tag
    for tag in tags:
        if tag.name.casefold() == name.casefold():
            return tag
    if not tags:
        raise BitpuppetError(f"{file} has no tags, so not {quote(name)}; name rows of a sheet instead, or neither")
    raise BitpuppetError(f"{file} has no tag {quote(name)}; name one of {list_names(tags)}")


def list_names(tags: Sequence[Tag]) -> str:
    """The names of tags for a message, not too many."""
    names = list(dict.fromkeys(tag.name for tag in tags))
    return ", ".join(map(quote, names[:_MAX_NAMED])) + (", ..." if len(names) > _MAX_NAMED else "")
