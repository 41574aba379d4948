"""A backend and a layout that are played. No pytest here: tools/check_window.py uses the backend in a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np


class PlayedLink:
    """What the add-on sees of its link; the test says what the backend answers."""

    def __init__(self) -> None:
        from bitpuppet_client import errors, events, jobs, replies, status  # late: the zip brings it

        self.errors, self.events, self.wire, self.replies, self.status = errors, events, jobs, replies, status
        self.asked: dict[str, tuple[Any, dict[str, np.ndarray]]] = {}
        self.callbacks: dict[str, Callable[[Any], None]] = {}
        self.attached: list[str] = []
        self.acknowledged: list[str] = []
        self.questions: list[tuple[Any, Callable[[Any, str | None], None]]] = []
        self.is_missing = False
        self.state, self.message, self.last_error = "connected", "", ""
        self.models: tuple[Any, ...] = ()
        self.welcome, self.can_start, self.is_busy = None, True, False

    @property
    def jobs(self) -> tuple[str, ...]:
        return tuple(self.callbacks)

    def submit(self, params: Any, parts: Any, on_event: Any, *, job: str, previews: bool, priority: int = 5) -> str:
        """Take a job, as the backend would."""
        if self.is_missing:
            raise self.errors.NotRunningError("The backend is not installed yet; install it in the preferences")
        self.wire.check_parts(params, parts)
        self.asked[job] = params, {name: np.array(part) for name, part in parts.items()}
        self.callbacks[job] = on_event
        return job

    def attach(self, job: str, on_event: Any, *, previews: bool) -> None:
        self.attached.append(job)
        self.callbacks[job] = on_event

    def cancel(self, job: str) -> None:
        self.fail(job, "cancelled", "cancelled")

    def acknowledge(self, job: str) -> None:
        self.acknowledged.append(job)

    def forget(self, job: str) -> None:
        self.callbacks.pop(job, None)

    def ask(self, message: Any, on_answer: Callable[[Any, str | None], None]) -> None:
        self.questions.append((message, on_answer))

    def answer(self, reply: Any, error: str | None = None) -> Any:
        """Answer the oldest question; which it was."""
        message, on_answer = self.questions.pop(0)
        on_answer(reply, error)
        return message

    def run(self, work: Callable[[], Any], on_done: Callable[[Any, Exception | None], None]) -> None:
        try:
            result = work()
        except Exception as error:
            on_done(None, error)
        else:
            on_done(result, None)

    def post(self, call: Callable[[], None]) -> None:
        call()

    def pump(self) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""

    refresh = disconnect = connect = close

    def update(self, job: str, state: str = "running", **values: Any) -> None:
        kind = self.asked[job][0].kind if job in self.asked else "retarget"
        status = self.status.JobStatus(job, kind, state, 5, 1.0, **values)
        self.callbacks[job](self.events.Updated(status))

    def preview(self, job: str, frames: np.ndarray) -> None:
        self.callbacks[job](self.events.Previewed(self.replies.Preview(job, 2, 4, {"frames": frames})))

    def finish(self, job: str, parts: dict[str, np.ndarray], **report: Any) -> None:
        kind = self.asked[job][0].kind if job in self.asked else "retarget"
        self.callbacks.pop(job)(self.events.Finished(self.replies.Result(job, kind, report, parts)))

    def fail(self, job: str, code: str, message: str) -> None:
        self.callbacks.pop(job)(self.events.Failed(job, code, message))


class PlayedButton:
    """The settings of an operator's button; refuses those that the operator does not have."""

    def __init__(self, properties: Any) -> None:
        object.__setattr__(self, "known", properties)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.known, f"the operator has no setting {name}"


class PlayedLayout:
    """What a panel draws on; refuses all that this Blender's own layout does not know: calls, settings, icons, names.

    Background Blender draws nothing, so a panel's typing errors would only be seen by whoever opens it.
    """

    def __init__(self, root: PlayedLayout | None = None) -> None:
        object.__setattr__(self, "texts", [] if root is None else root.texts)
        object.__setattr__(self, "operators", [] if root is None else root.operators)

    def __setattr__(self, name: str, value: Any) -> None:
        known = bpy.types.UILayout.bl_rna.properties
        assert name in known and not known[name].is_readonly, f"a layout has no setting {name}"
        if known[name].type == "ENUM":
            assert value in known[name].enum_items

    def __getattr__(self, name: str) -> Any:
        def call(*values: Any, **named: Any) -> Any:
            wanted = [one for one in function.parameters if not one.is_output]
            given = dict(zip((one.identifier for one in wanted), values, strict=False)) | named
            check_call(name, wanted, given)
            return self._take(name, given)

        function = bpy.types.UILayout.bl_rna.functions[name]
        return call

    def _take(self, name: str, given: dict[str, Any]) -> Any:
        """Note what is shown, and check the names in it."""
        if "property" in given:
            check_property(given["data"], given["property"])
            self.texts.append(given["property"])
        if name == "operator":
            kind = find_operator(given["operator"])
            self.operators.append(given["operator"])
            self.texts.append(given.get("text", kind.name))
            return PlayedButton(kind.properties)
        if name == "template_list":
            self._take_list(given)
        elif "text" in given:
            self.texts.append(given["text"])
        if name == "icon":
            return 1
        return PlayedLayout(self) if name in ("row", "column", "box", "split") else None

    def _take_list(self, given: dict[str, Any]) -> None:
        """Draw the entries, too."""
        kind = getattr(bpy.types, given["listtype_name"])
        items = getattr(given["dataptr"], given["propname"])
        check_property(given["active_dataptr"], given["active_propname"])
        for item in items:
            kind.draw_item(None, bpy.context, self, given["dataptr"], item, 0, given["active_dataptr"], "", 0, 0)


def check_call(name: str, wanted: list[Any], given: dict[str, Any]) -> None:
    """That a layout's function takes what it is given."""
    known = {one.identifier: one for one in wanted}
    for key, value in given.items():
        assert key in known, f"{name} does not take {key}"
        if known[key].type == "ENUM":
            assert value in known[key].enum_items, f"{name}: there is no {key} {value}"
        if known[key].type == "STRING":
            assert isinstance(value, str), f"{name}: {key} is no text"
    for one in wanted:
        assert one.identifier in given or not one.is_required, f"{name} needs {one.identifier}"
    if name == "progress":
        assert 0 <= given["factor"] <= 1


def check_property(data: Any, name: str) -> None:
    """That something has a property."""
    real = getattr(data, "real", data)
    assert name in real.bl_rna.properties, f"{real.bl_rna.identifier} has no property {name}"


def find_operator(name: str) -> Any:
    """What Blender knows of an operator; fails where there is none."""
    category, _, operator = name.partition(".")
    return getattr(getattr(bpy.ops, category), operator).get_rna_type()
