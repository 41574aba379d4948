"""tools/render_characters.py in Blender, in a process of its own: it empties the scene and ends the interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")

PROGRAM = Path(__file__).parents[2] / "tools" / "render_characters.py"
SIZE = 32


def render(folder: Path, *options: str) -> str:
    command = [
        sys.executable,
        str(PROGRAM),
        "--out",
        str(folder),
        "--size",
        str(SIZE),
        "--samples",
        "1",
        "--frames",
        "2",
    ]
    run = subprocess.run([*command, *options], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr
    return run.stderr


def read_sheet(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    values = np.empty(image.size[0] * image.size[1] * 4, dtype=np.float32)
    image.pixels.foreach_get(values)
    width, height = image.size
    bpy.data.images.remove(image)
    return np.rint(values * 255).astype(np.uint8).reshape(height, width, 4)[::-1]


@pytest.mark.skipif(bpy.app.version < (4, 5), reason="the program is for Blender 5.0; the extension alone is for 4.2")
def test_a_character_is_rendered_once_and_always_alike(tmp_path: Path) -> None:
    options = ("--characters", "1", "--actions", "jump,nod", "--directions", "front,back")
    render(tmp_path / "a", *options)
    data = json.loads((tmp_path / "a" / "0000" / "character.json").read_text())
    assert data["sheets"] == {"jump": "jump.png", "nod": "nod.png"}
    jump, nod = (read_sheet(tmp_path / "a" / "0000" / f"{action}.png") for action in ("jump", "nod"))
    assert jump.shape == nod.shape == (2 * SIZE, 2 * SIZE, 4)
    cells = [nod[y : y + SIZE, x : x + SIZE] for y in (0, SIZE) for x in (0, SIZE)]
    for cell in cells:
        covered = (cell[..., 3] > 128).mean()
        assert 0.05 < covered < 0.7
        assert not cell[0, :, 3].any()  # clear of the frame's upper edge and sides
        assert not cell[:, [0, -1], 3].any()
    assert np.abs(cells[0].astype(int) - cells[2]).mean() > 1  # front and back differ
    # In the air the soles are higher than on the ground.
    lowest = [np.flatnonzero((jump[:SIZE, x : x + SIZE, 3] > 128).any(axis=1)).max() for x in (0, SIZE)]
    assert lowest[1] < lowest[0]
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "a").rglob("*.png")}
    (tmp_path / "a" / "0000" / "nod.png").unlink()
    first = (tmp_path / "a" / "0000" / "jump.png").read_bytes()
    assert "1 sheets, 4 frames" in render(tmp_path / "a", *options)
    assert {file: file.stat().st_mtime_ns for file in before if file.stem == "jump"} == {
        file: time for file, time in before.items() if file.stem == "jump"
    }
    assert np.array_equal(read_sheet(tmp_path / "a" / "0000" / "nod.png"), nod)
    assert (tmp_path / "a" / "0000" / "jump.png").read_bytes() == first
    assert "1 of 1 characters are there" in render(tmp_path / "a", *options)
