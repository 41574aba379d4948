"""The page in Blender's preferences, drawn onto a layout that is played: names that do not exist are found here."""

from types import SimpleNamespace
from typing import Any

import pytest

from .conftest import Extension

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")
from .played import PlayedLayout  # noqa: E402 - it needs bpy


class Page:
    """The preferences with another layout."""

    def __init__(self, real: Any) -> None:
        self.real, self.layout = real, PlayedLayout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def draw(extension: Extension) -> PlayedLayout:
    module = extension.load("preferences")
    page = Page(module.get_preferences())
    context = SimpleNamespace(preferences=bpy.context.preferences, region=SimpleNamespace(width=900))
    module.BitpuppetPreferences.draw(page, context)
    return page.layout


@pytest.fixture
def page(extension: Extension) -> Any:
    """The preferences, as they are at first."""
    preferences = extension.load("preferences").get_preferences()
    before = preferences.mode
    preferences.mode = "INSTALL"
    extension.state.setup.lines.clear()
    extension.state.setup.outcome = ""
    yield preferences
    preferences.mode = before


def test_first_page_offers_the_installation(extension: Extension, page: Any) -> None:
    layout = draw(extension)
    assert layout.operators[0] == "bitpuppet.install_backend" and "Install Backend" in layout.texts
    assert any("not installed" in text for text in layout.texts)
    assert any("may not go online" in text for text in layout.texts) != bpy.app.online_access
    assert ("use_online_access" in layout.texts) != (bpy.app.online_access or bpy.app.online_access_override)


def test_failure_offers_another_try(extension: Extension, page: Any) -> None:
    setup = extension.state.setup
    setup.has_failed, setup.outcome, setup.lines[:] = True, "The download failed", ["line"] * 100
    layout = draw(extension)
    assert {"Try Again", "The download failed"} <= set(layout.texts) and layout.texts.count("line") == 8
    setup.has_failed = False


def test_installation_under_way_shows_how_far_it_is(extension: Extension, page: Any) -> None:
    setup = extension.state.setup
    setup.installer, setup.doing, setup.step, setup.fraction = object(), "Installing", "Making the environment", 0.5
    try:
        layout = draw(extension)
        assert not bpy.ops.bitpuppet.install_backend.poll()
        assert extension.state.status().state == "installing"
    finally:
        setup.installer = None
    assert "Making the environment" in layout.texts and "bitpuppet.cancel_install" in layout.operators
    assert "bitpuppet.install_backend" not in layout.operators


@pytest.mark.parametrize(("mode", "shown"), [("PROGRAM", "program"), ("ENDPOINT", "endpoint_file")])
def test_other_backends_are_named(extension: Extension, page: Any, mode: str, shown: str) -> None:
    page.mode = mode
    layout = draw(extension)
    assert shown in layout.texts and "bitpuppet.install_backend" not in layout.operators
    assert ("device" in layout.texts) == (mode == "PROGRAM")
