"""Poses are named from motion, as far as they have names."""

from __future__ import annotations

import torch

from bitpuppet.data.mixture import make_mixture
from bitpuppet.data.poses import UNNAMED
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.naming import PoseNaming


def _batch() -> TensorBatch:
    return TensorBatch.from_arrays(make_mixture(None, 64).draw(0, 2, 4, 3), torch.device("cpu"))


def test_motion_that_tells_the_pose_is_named_right() -> None:
    batch = _batch()
    assert batch.names is not None
    torch.manual_seed(0)
    naming = PoseNaming(16)
    names = torch.cat([batch.names[:, :3], batch.names], dim=1).flatten(0, 1)
    _, kinds = names.unique(dim=0, return_inverse=True)
    telling, silent = torch.randn(int(kinds.max()) + 1, 16)[kinds], torch.ones(len(names), 16)
    losses = []
    for motion in (telling, silent):
        optimizer = torch.optim.Adam(naming.parameters(), lr=0.1)
        for _ in range(60):
            optimizer.zero_grad()
            loss = naming(motion, motion, batch)
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] < 0.2 < 1 < losses[1]


def test_what_has_no_name_teaches_nothing() -> None:
    batch = _batch()
    assert batch.names is not None
    naming, motion = PoseNaming(16), torch.randn(2 * (3 + 7), 16)
    assert naming(motion, motion, batch) > 1
    assert naming(motion, motion, batch._replace(names=None)) == 0
    assert naming(motion, motion, batch._replace(names=torch.full_like(batch.names, UNNAMED))) == 0
