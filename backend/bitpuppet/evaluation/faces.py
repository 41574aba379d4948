"""Faces measured by others' models: landmarks by mediapipe, embeddings by dlib, whose packages bring their models."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError

LANDMARKS = 468
LEFT_EYE, RIGHT_EYE = 33, 263
"""Outer corners of the eyes, whose distance is the unit of motion errors."""
_MODELS = "face_recognition_models"
_REMEDY = "install them with: pip install 'bitpuppet[eval-heads]' && pip install --no-deps mediapipe==0.10.21"

Points = NDArray[np.float64]


class FaceMeter(Protocol):
    """What measures faces."""

    def find_landmarks(self, frames: NDArray[np.uint8]) -> Points:
        """Landmarks (T, LANDMARKS, 3) of frames (T, H, W, 4), in pixels; NaN where no face is found."""
        ...

    def embed(self, frames: NDArray[np.uint8], landmarks: Points) -> Points:
        """Who is seen: (T, 128) for frames and their landmarks; NaN where no face was found."""
        ...


class BundledMeter:
    """Mediapipe's face mesh, and dlib's face recognition network on the box of its landmarks."""

    def __init__(self) -> None:
        """Load the models.

        Raises:
            BitpuppetError: a package is missing.
        """
        try:
            # The package of models itself imports what newer setuptools lack; its files are all that is needed.
            spec = importlib.util.find_spec(_MODELS)
            if spec is None or spec.origin is None:
                raise ImportError(_MODELS)
            import dlib
            from mediapipe.python.solutions.face_mesh import FaceMesh
        except ImportError as error:
            raise BitpuppetError(f"eval heads: mediapipe, dlib or its models are not installed; {_REMEDY}") from error
        models = Path(spec.origin).parent / "models"
        self._dlib: Any = dlib
        self._shape: Any = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self._network: Any = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
        self._mesh: Any = FaceMesh(static_image_mode=True, max_num_faces=1)

    def find_landmarks(self, frames: NDArray[np.uint8]) -> Points:
        """See `FaceMeter`."""
        found = np.full((len(frames), LANDMARKS, 3), np.nan)
        scale = np.array([frames.shape[2], frames.shape[1], frames.shape[2]], dtype=np.float64)
        for number, frame in enumerate(frames):
            faces = self._mesh.process(np.ascontiguousarray(frame[..., :3])).multi_face_landmarks
            if faces:
                found[number] = np.array([[p.x, p.y, p.z] for p in faces[0].landmark[:LANDMARKS]]) * scale
        return found

    def embed(self, frames: NDArray[np.uint8], landmarks: Points) -> Points:
        """See `FaceMeter`."""
        found = np.full((len(frames), 128), np.nan)
        for number, (frame, points) in enumerate(zip(frames, landmarks, strict=True)):
            if np.isfinite(points).all():
                box = (round(value) for value in (*points[:, :2].min(axis=0), *points[:, :2].max(axis=0)))
                image = np.ascontiguousarray(frame[..., :3])
                shape = self._shape(image, self._dlib.rectangle(*box))
                found[number] = np.array(self._network.compute_face_descriptor(image, shape))
        return found


def measure_motion(output: Points, driving: Points) -> float:
    """How far landmarks move differently: mean distance in the plane, in distances between the eyes' outer corners.

    Each clip's landmarks (T, LANDMARKS, 3) are taken from their mean over time, so that faces of other shapes at
    other places can be compared, and in units of their own eyes' distance. Frames without a face do not count; NaN
    where none is left.
    """
    moves = [_find_moves(points) for points in (output, driving)]
    distances = np.linalg.norm(moves[0] - moves[1], axis=-1)
    return float(np.nanmean(distances)) if np.isfinite(distances).any() else float("nan")


def measure_pose(output: Points, driving: Points) -> float:
    """How far heads turn differently, in degrees: the mean angle between their rotations from their mean faces.

    Landmarks as in `measure_motion`; NaN where no frame has both faces.
    """
    turns = [_find_turns(points) for points in (output, driving)]
    both = np.isfinite(turns[0]).all(axis=(1, 2)) & np.isfinite(turns[1]).all(axis=(1, 2))
    if not both.any():
        return float("nan")
    between = np.einsum("tij,tik->tjk", turns[0][both], turns[1][both])
    cosines = (np.trace(between, axis1=1, axis2=2) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


def measure_identity(first: Points, second: Points) -> float:
    """One minus the distance of the mean embeddings of two clips, (T, 128); above 0.4 dlib says the same person."""
    means = []
    for clip in (first, second):
        seen = clip[np.isfinite(clip).all(axis=1)]
        if not len(seen):
            return float("nan")
        means.append(seen.mean(axis=0))
    return 1 - float(np.linalg.norm(means[0] - means[1]))


def _find_moves(points: Points) -> Points:
    plane = points[..., :2]
    if not np.isfinite(plane).any():
        return np.asarray(plane)
    mean = np.nanmean(plane, axis=0)
    return np.asarray((plane - mean) / np.linalg.norm(mean[LEFT_EYE] - mean[RIGHT_EYE]))


def _find_turns(points: Points) -> Points:
    """Rotations (T, 3, 3) from the mean face to that of each frame (Kabsch)."""
    seen = np.isfinite(points).all(axis=(1, 2))
    turns = np.full((len(points), 3, 3), np.nan)
    if not seen.any():
        return turns
    centred = points[seen] - points[seen].mean(axis=1, keepdims=True)
    mean = centred.mean(axis=0)
    left, _, right = np.linalg.svd(np.einsum("tpi,pj->tij", centred, mean))
    flips = np.tile(np.eye(3), (len(centred), 1, 1))
    flips[:, 2, 2] = np.sign(np.linalg.det(left @ right))
    turns[seen] = left @ flips @ right
    return turns
