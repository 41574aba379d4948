"""The end of the extension. The file's name sees to it that this comes last."""

import sys

import pytest

from .conftest import MODULE, Extension, list_threads, read_pid, wait_until_gone

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")


def test_uninstalled_extension_is_gone(connected: Extension) -> None:
    folder = connected.folder
    repos = [repo.module for repo in bpy.context.preferences.extensions.repos]
    index = repos.index("user_default")
    assert bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id="bitpuppet") == {"FINISHED"}
    assert not folder.exists() and not list_threads()
    assert MODULE not in bpy.context.preferences.addons
    assert MODULE not in sys.modules or not hasattr(bpy.ops.bitpuppet, "install_backend")
    pid = read_pid()
    if pid is not None:
        wait_until_gone(pid)
