"""What the user can put right. Every message is one sentence: the image or setting, the limit, the remedy."""

from __future__ import annotations


class ArtError(Exception):
    """An image, a sheet setting or a keyed motion that cannot be used as it is."""

    def __init__(self, message: str, remedy: str = "") -> None:
        """Keep the name of the operator that helps.

        Args:
            message: one sentence.
            remedy: `bl_idname` of an operator that a panel can offer as a button; empty for none.
        """
        super().__init__(message)
        self.remedy = remedy
