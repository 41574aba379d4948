"""The installed extension with a real backend: from the zip to the same pixels as the command line's, and away again.

The tests follow each other as a user's day does; each leaves the extension enabled.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from .conftest import MODULE, Extension, choose_backend, is_running, list_threads, read_pid, wait_until_gone

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")


def submit(extension: Extension, example: dict[str, np.ndarray], seen: list[Any], **settings: Any) -> str:
    """Retarget the example."""
    from bitpuppet_client.jobs import RetargetParams

    parts = {name: example[name] for name in ("content", "motion")}
    params = RetargetParams(**{"seed": 7} | settings)
    return extension.state.link.submit(params, parts, seen.append, previews=True)


def wait_for_end(extension: Extension, seen: list[Any]) -> Any:
    """The last event of a job."""
    return extension.wait(lambda: seen and type(seen[-1]).__name__ in ("Finished", "Failed") and seen[-1], "the end")


def disable() -> None:
    assert bpy.ops.preferences.addon_disable(module=MODULE) == {"FINISHED"}


def enable() -> None:
    assert bpy.ops.preferences.addon_enable(module=MODULE) == {"FINISHED"}


def test_libraries_come_from_the_zip(extension: Extension) -> None:
    import zmq

    import bitpuppet_client

    resources = Path(os.environ["BLENDER_USER_RESOURCES"]).resolve()
    for module in (zmq, bitpuppet_client):
        assert Path(module.__file__).resolve().is_relative_to(resources), f"{module.__file__} shadows the bundled wheel"
    assert extension.folder.resolve().is_relative_to(resources)
    assert len(list((extension.folder / "backend_wheel").glob("bitpuppet-*.whl"))) == 1


def test_without_a_backend_one_sentence_says_so(extension: Extension) -> None:
    from bitpuppet_client.errors import NotRunningError
    from bitpuppet_client.requests import Health

    status = extension.state.status()
    assert (status.state, status.operator, status.can_run) == ("not installed", "bitpuppet.open_preferences", False)
    with pytest.raises(NotRunningError, match="not installed"):
        extension.state.link.ask(Health(), lambda reply, error: None)
    with pytest.raises(RuntimeError, match="not installed"):
        bpy.ops.bitpuppet.start_backend()
    assert not list_threads()


def test_blender_that_may_not_go_online_does_not(extension: Extension) -> None:
    if bpy.app.online_access:
        pytest.skip("this Blender may go online")
    with pytest.raises(RuntimeError, match="may not go online"):
        bpy.ops.bitpuppet.install_backend()
    assert extension.state.setup.installer is None


def test_failed_installation_leaves_try_again(extension: Extension, tmp_path: Path) -> None:
    """From an empty folder of packages, which needs no internet; then cancelled; what is there can be removed."""
    preferences = extension.load("preferences").get_preferences()
    preferences.packages = str(tmp_path)
    setup = extension.state.setup
    for _ in range(2):
        assert bpy.ops.bitpuppet.install_backend() == {"FINISHED"}
        assert extension.state.status().state == "installing"
        extension.wait(lambda: setup.installer is None, "the end of the installation")
        assert setup.has_failed and "torch" in setup.outcome and "try again" in setup.outcome
        assert extension.state.status().state == "not installed"
    assert bpy.ops.bitpuppet.install_backend() == {"FINISHED"}
    assert bpy.ops.bitpuppet.cancel_install() == {"FINISHED"}
    extension.wait(lambda: setup.installer is None, "the cancelled installation")
    assert setup.outcome.startswith("Cancelled")
    assert bpy.ops.bitpuppet.uninstall_backend() == {"FINISHED"}
    extension.wait(lambda: setup.installer is None, "the removal")
    assert not setup.has_failed and not list(extension.load("state").find_folder().iterdir())
    preferences.packages = ""


def test_installed_backend_counts_while_it_is_the_zips_own(extension: Extension) -> None:
    installer, installation, state = (extension.load(name) for name in ("installer", "installation", "state"))
    folder, wheel = state.find_folder(), installation.find_wheel(extension.folder)
    python = installation.find_python(folder / "env")
    python.parent.mkdir(parents=True)
    python.touch()
    link = extension.state.link
    for size, expected in ((0, "wrong version"), (wheel.stat().st_size, "stopped")):
        installation.write_record(folder, installation.Record("0.0.1", wheel.name, size, "cpu"))
        link.refresh()
        assert extension.state.status().state == expected
    assert state.describe_source().command[0] == str(python)
    installer.Installer(installer.Plan(folder, wheel)).uninstall()
    link.refresh()
    assert extension.state.status().state == "not installed"


def test_backend_is_started_and_tested(connected: Extension) -> None:
    setup = connected.state.setup
    assert bpy.ops.bitpuppet.test_backend() == {"FINISHED"}
    connected.wait(lambda: setup.outcome, "the test's outcome")
    assert not setup.has_failed and "sprite64" in setup.outcome
    assert connected.state.status().state == "connected"
    assert bpy.ops.bitpuppet.show_log() == {"FINISHED"}
    connected.wait(lambda: any("serving at" in line for line in setup.lines), "the log")


def test_pixels_are_the_command_lines(connected: Extension, example: dict[str, np.ndarray]) -> None:
    seen: list[Any] = []
    job = submit(connected, example, seen)
    end = wait_for_end(connected, seen)
    assert type(end).__name__ == "Finished", end
    assert {type(event).__name__ for event in seen} >= {"Updated", "Finished"}
    frames = end.result.parts["frames"]
    assert frames.shape == example["frames"].shape and frames.any()
    assert np.array_equal(frames, example["frames"])
    assert end.result.report["seed"] == 7
    connected.state.link.acknowledge(job)


def test_cancelled_job_ends_as_such(connected: Extension, example: dict[str, np.ndarray]) -> None:
    seen: list[Any] = []
    job = submit(connected, example, seen, steps=100)
    connected.wait(lambda: seen, "the backend has the job")
    connected.state.link.cancel(job)
    end = wait_for_end(connected, seen)
    assert (type(end).__name__, end.code) == ("Failed", "cancelled")
    assert connected.state.link.jobs == ()


def test_killed_backend_comes_back_and_ends_the_job(connected: Extension, example: dict[str, np.ndarray]) -> None:
    seen: list[Any] = []
    submit(connected, example, seen, seed=8)
    connected.wait(lambda: seen, "the backend has the job")
    pid = read_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    end = wait_for_end(connected, seen)
    assert type(end).__name__ == "Finished", end
    assert read_pid() != pid


def test_disabled_extension_leaves_nothing_and_finds_its_job_again(
    connected: Extension, example: dict[str, np.ndarray]
) -> None:
    """The job goes on without us; after a restart of everything its result is fetched by its id."""
    seen: list[Any] = []
    job = submit(connected, example, seen)
    connected.wait(lambda: seen, "the backend has the job")
    pid, timer = read_pid(), connected.state.timer
    assert pid is not None and bpy.app.timers.is_registered(timer)
    before = len(seen)
    disable()
    assert not list_threads() and not bpy.app.timers.is_registered(timer)
    assert [thread for thread in threading.enumerate() if thread is not threading.main_thread()] == []
    assert not hasattr(bpy.types, "BITPUPPET_OT_install_backend")
    wait_until_gone(pid)
    assert len(seen) == before

    enable()
    choose_backend(connected)
    connected.state.link.attach(job, seen.append)
    end = wait_for_end(connected, seen)
    assert type(end).__name__ == "Finished", end
    assert np.array_equal(end.result.parts["frames"], example["frames"])
    connected.state.link.acknowledge(job)


def test_failing_turn_does_not_stop_the_timer(
    extension: Extension, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = extension.load("state")
    monkeypatch.setattr(module, "redraw", lambda: 1 / 0)
    extension.state.link.run(lambda: None, lambda result, error: None)
    while "ZeroDivisionError" not in capsys.readouterr().err:
        assert module.beat() > 0


def test_unknown_job_is_told(connected: Extension) -> None:
    seen: list[Any] = []
    connected.state.link.attach(str(uuid4()), seen.append)
    assert wait_for_end(connected, seen).code == "unknown_job"


def test_stopped_backend_is_gone_and_starts_again(connected: Extension) -> None:
    connected.state.link.connect()
    connected.wait(lambda: connected.state.status().state == "connected", "the connection")
    pid = read_pid()
    assert pid is not None
    assert bpy.ops.bitpuppet.stop_backend() == {"FINISHED"}
    connected.wait(lambda: not is_running(pid), "the backend's end")
    assert connected.state.status().state == "stopped"


def test_endpoint_of_another_version_is_told(connected: Extension, tmp_path: Path) -> None:
    preferences = connected.load("preferences").get_preferences()
    path = tmp_path / "backend.json"
    path.touch(mode=0o600)
    path.write_text('{"protocol": 99}')
    preferences.mode, preferences.endpoint_file = "ENDPOINT", str(path)
    connected.state.link.connect()
    connected.wait(lambda: connected.state.status().state == "wrong version", "the wrong version")
    assert "version" in connected.state.status().message
    preferences.endpoint_file = ""
    assert connected.state.status().state == "not installed"
    preferences.mode = "PROGRAM"
