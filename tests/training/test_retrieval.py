"""Motion learns to find the content frames that show most of the target."""

from __future__ import annotations

import pytest
import torch

from bitpuppet.data.poses import UNNAMED
from bitpuppet.model.metric import Metric
from bitpuppet.model.reference import References
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.retrieval import compare_facing, measure_unlikeness, score_likeness, score_retrieval


def make_references() -> References:
    """One character of three frames, each filled with a colour of its own; the last one is not shown."""
    numbers = torch.arange(1, 4, dtype=torch.uint8)[None, :, None, None].expand(1, 3, 4, 4)
    mask = torch.tensor([[True, True, False]])
    return References(torch.zeros(1, 3, 1, 1), torch.eye(3)[None], mask, numbers)


def test_the_frame_that_shows_the_target_is_right() -> None:
    wanted = torch.full((1, 2, 4, 4), 2, dtype=torch.uint8)  # both targets look like the second frame
    found, missed = (torch.tensor([row] * 2) for row in ([0.0, 9.0, -99.0], [9.0, 0.0, -99.0]))
    assert score_retrieval(found, wanted, make_references()) < 0.01 < 8
    assert score_retrieval(missed, wanted, make_references()) > 8


def test_frames_that_are_not_shown_are_never_right() -> None:
    wanted = torch.full((1, 1, 4, 4), 3, dtype=torch.uint8)  # only the hidden frame looks like this
    likeness = torch.tensor([[0.0, 0.0, -99.0]])
    assert score_retrieval(likeness, wanted, make_references()) == pytest.approx(0.693, abs=0.001)


def test_a_metric_learns_which_group_matters() -> None:
    """Two content frames at the same distance; only the first value of motion tells which one suits."""
    references = make_references()._replace(motion=torch.tensor([[[1.0, 0, 0], [0, 1.0, 0], [0, 0, 0]]]))
    wanted = torch.ones(1, 1, 4, 4, dtype=torch.uint8)
    metric = Metric(3)
    asked = torch.zeros(1, 3)
    optimizer = torch.optim.Adam(metric.parameters(), lr=0.05)
    first = None
    for _ in range(40):
        optimizer.zero_grad()
        loss = score_retrieval(-references.measure(asked, metric), wanted, references)
        first = first or float(loss.detach())
        loss.backward()
        optimizer.step()
    assert first == pytest.approx(0.693, abs=0.001) and float(loss.detach()) < 0.3
    assert references.measure(asked, metric)[0, :2].argmin() == 0


def test_without_a_palette_nothing_can_be_counted() -> None:
    with pytest.raises(ValueError, match="palette"):
        score_retrieval(torch.zeros(1, 3), torch.ones(1, 1, 4, 4), make_references()._replace(numbers=None))


def test_values_are_found_by_what_they_look_like() -> None:
    """Three content frames of four tokens: half of the target, all of it and more, and the very target."""
    target = torch.tensor([[[0.0], [0.0], [-1.0], [-1.0]]])
    shown = torch.tensor(
        [[[[0.0], [-1.0], [-1.0], [-1.0]], [[0.0], [0.0], [0.0], [-1.0]], [[0.0], [0.0], [-1.0], [-1.0]]]]
    )
    references = make_references()._replace(tokens=shown, numbers=None)
    unlike = measure_unlikeness(target, references)
    torch.testing.assert_close(unlike, torch.tensor([[[1 / 3, 1 / 5, 0.0]]]))
    found, missed = torch.tensor([[0.0, 9.0, -99.0]]), torch.tensor([[9.0, 0.0, -99.0]])
    assert score_likeness(found, target, references) < 0.1, "the third is most alike, and not shown"
    assert score_likeness(missed, target, references) > 8


def test_of_frames_as_unlike_those_that_face_the_right_way_are_right() -> None:
    target, references = torch.zeros(1, 1, 1), make_references()._replace(numbers=None)
    facing = torch.tensor([[[0.0, 1.0, 1.0]]])
    found, missed = torch.tensor([[0.0, 9.0, -99.0]]), torch.tensor([[9.0, 0.0, -99.0]])
    assert (
        score_likeness(found, target, references, facing) < 1 < 6 < score_likeness(missed, target, references, facing)
    )


def test_a_mirror_turns_who_faces_a_side() -> None:
    """Right and left are asked for; content faces left, up and where nobody knows, and a mirror shows all three."""
    frames, empty = torch.zeros(1, 3, 8, 8, 4, dtype=torch.uint8), torch.zeros(1)
    names = torch.tensor([[[2, 4], [1, 5], [1, 6], [3, 7], [UNNAMED, UNNAMED]]])
    batch = TensorBatch(frames, empty, frames[:, :2], empty, empty, empty, empty, empty, names=names)
    alone = make_references()
    mirrored = alone._replace(mask=alone.mask.repeat(1, 2))

    def compare(references: References) -> list[list[float]]:
        facing = compare_facing(batch, references)
        assert facing is not None
        return facing[0].tolist()  # type: ignore[no-any-return]

    assert compare(alone) == [[0.0, 0.0, 0.5], [1.0, 0.0, 0.5]]
    assert compare(mirrored) == [[0.0, 0.0, 0.5, 1.0, 0.0, 0.5], [1.0, 0.0, 0.5, 0.0, 0.0, 0.5]]
    assert compare_facing(batch._replace(names=None), alone) is None
