"""The add-on's modules without Blender, as the package `bitpuppet_addon`: an extension has no fixed name either."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "addon"
NAME = "bitpuppet_addon"

if NAME not in sys.modules:
    spec = spec_from_file_location(NAME, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)])
    assert spec is not None and spec.loader is not None
    sys.modules[NAME] = module_from_spec(spec)
    if (FOLDER / "__init__.py").is_file():
        spec.loader.exec_module(sys.modules[NAME])
