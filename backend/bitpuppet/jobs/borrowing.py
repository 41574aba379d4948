"""Borrowing: frames of a model's own characters beside the content frames, to choose references from."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bitpuppet.data.bank import HEADER, Bank
from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.content import Content
from bitpuppet.model.device import frames_at_once
from bitpuppet.model.reference import LEAD, References

LEAST_FOR_STRANGERS = 0.3
"""Likeness from which a character lends for a driver that the bank does not know. Of four families of other styles none
is like LPC characters by more than 0.27; what one of them lent cost these seven points of exactly right pixels."""
MOST_IN_ORDER = 512
"""Frames of a clip that are lent one by one; of a longer one each pose once, since references are kept in memory."""


def read_bank(path: Path, canvas: int) -> Bank | None:
    """The characters that a model file keeps, for a canvas (its side in pixels); None for weights without.

    Raises:
        BitpuppetError: the file cannot be read, or what it keeps is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(HEADER)
        return None if text is None else Bank.from_text(text, canvas)
    except (SafetensorError, OSError, BitpuppetError) as error:
        raise BitpuppetError(f"{path}: not a readable model file ({error}); copy it again") from error


class Lender:
    """A bank, and what a model reads from its frames."""

    def __init__(self, bank: Bank, model: BitrateControlledDiffusion, device: torch.device) -> None:
        self._bank, self._model, self._device = bank, model, device
        self._motion: dict[int, Tensor] = {}

    def lend(self, content: Content, frames: NDArray[np.uint8], tokens: NDArray[np.int64]) -> Content:
        """Content with frames of the characters that it is most like among its references.

        Of each character those are taken that show the poses which are asked for. Where they are an animation of the
        bank, frame by frame, it drives, and these are its poses in its order. Otherwise all characters of the bank tell
        which pose a frame is: the one whose motion, as they perform it, is on the whole nearest. For such a frame those
        alone lend that are like the character by `LEAST_FOR_STRANGERS`.

        Args:
            content: of one character, from the model.
            frames: what it was made from, (N, canvas, canvas, 4).
            tokens: motion tokens that are asked for, (T, groups).
        """
        references, palette, metric = content.references, content.palette, self._model.denoiser.metric
        if references is None or palette is None or metric is None:
            return content
        wanted = self._look_up(tokens)
        poses = self._recognize(wanted)
        drawn, motions, turns = [], [], []
        for one in self._bank.introduce(frames):
            own = self._bank.poses[one.number]
            known = np.isin(poses, own)
            numbers, motion = [int((own == pose).argmax()) for pose in poses[known]], [wanted[torch.from_numpy(known)]]
            turns += [torch.from_numpy(np.flatnonzero(known) + 1)]
            if not known.all() and one.likeness >= LEAST_FOR_STRANGERS:
                others, counted = self._choose(self._look_up(np.unique(tokens[~known], axis=0)), one.number)
                numbers, motion = [*numbers, *others], [*motion, counted]
                turns += [torch.zeros(len(others), dtype=torch.long)]
            if numbers:
                different, places = np.unique(numbers, return_inverse=True)
                drawn.append(one.lend(different)[places])
            motions += motion
        if not drawn:
            return content
        lent = torch.from_numpy(np.concatenate(drawn)).to(self._device)
        more = References(
            self._model.codec.encode(lent)[None],
            torch.cat(motions)[None],
            torch.ones(1, len(lent), dtype=torch.bool, device=self._device),
            palette.number_pixels(lent)[None],
            (torch.arange(len(lent), device=self._device) < len(drawn[0]))[None] * LEAD,
            self._bank.trust,
            torch.cat(turns)[None].to(self._device),
        )
        return content._replace(references=references.join(more))

    @torch.inference_mode()
    def _look_up(self, tokens: NDArray[np.int64]) -> Tensor:
        return self._model.quantizer.look_up(torch.from_numpy(tokens).to(self._device)).float()

    def _recognize(self, wanted: Tensor) -> NDArray[np.int64]:
        """Which pose each frame of motion (T, motion_width) is, by number, as part of a whole animation; -1 for others.

        Of several animations that go on from a frame the longest is taken, and then what follows it; one of a single
        frame is recognized alone, since a frame of anything else may be read as it. Of clips of more than
        `MOST_IN_ORDER` frames none is.
        """
        asked = [frame.tobytes() for frame in wanted.cpu().numpy()]
        poses, place = np.full(len(asked), -1), 0
        if len(asked) > MOST_IN_ORDER:
            return poses
        while place < len(asked):
            fitting = (
                shown
                for motion, shown in self._animations.get(asked[place], [])
                if asked[place : place + len(motion)] == motion and (len(motion) > 1 or len(asked) == 1)
            )
            found = max(fitting, key=len, default=np.full(1, -1))
            poses[place : place + len(found)] = found
            place += len(found)
        return poses

    @functools.cached_property
    def _animations(self) -> dict[bytes, list[tuple[list[bytes], NDArray[np.int64]]]]:
        """The bank's animations by their first frame's motion: motion and pose of each frame."""
        found: dict[bytes, list[tuple[list[bytes], NDArray[np.int64]]]] = {}
        for number, character in enumerate(self._bank.characters):
            motion = [frame.tobytes() for frame in self._read(number).float().cpu().numpy()]
            start = 0
            for animation in character.animations:
                end = start + len(animation.frames)
                found.setdefault(motion[start], []).append((motion[start:end], self._bank.poses[number][start:end]))
                start = end
        return found

    @torch.inference_mode()
    def _choose(self, wanted: Tensor, number: int) -> tuple[list[int], Tensor]:
        """A character's frames that show what motion (W, motion_width) asks for, and the motion that they count as.

        That is the motion of whoever performs the pose most like what is asked for, so a driver from the bank finds the
        frames of its own animation also where another character's are read as other motion.
        """
        metric, closeness = self._model.denoiser.metric, self._model.denoiser.closeness
        assert metric is not None and closeness is not None  # lend has looked
        own = torch.from_numpy(self._bank.poses[number]).to(self._device)
        poses = torch.from_numpy(np.concatenate(self._bank.poses)).to(self._device)
        motion = torch.cat([self._read(n) for n in range(len(self._bank.characters))])
        shared = torch.isin(poses, own)
        poses, motion = poses[shared], motion[shared]
        found = []
        for asked in wanted:
            apart = metric.measure(asked[None, None], motion.float()[None])[0, 0]
            near = torch.exp(-closeness.float() * (apart - apart.min()))
            shows = own[:, None] == poses
            frame = int(((near * shows).sum(dim=1) / shows.sum(dim=1)).argmax())
            found.append((frame, int(torch.where(shows[frame], apart, torch.inf).argmin())))
        pairs = sorted(set(found))
        return [frame for frame, _ in pairs], motion[[reading for _, reading in pairs]]

    @torch.inference_mode()
    def _read(self, number: int) -> Tensor:
        """Quantized motion of a character's frames, (N, motion_width)."""
        if number not in self._motion:
            frames = torch.from_numpy(self._bank.placed[number])
            pieces = frames.split(frames_at_once(self._device))
            read = torch.cat([self._model.encode_motion(piece.to(self._device)) for piece in pieces])
            self._motion[number] = self._model.quantizer.look_up(read)
        return self._motion[number]
